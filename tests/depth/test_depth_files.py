"""Depth, disparity and points in files: what comes back, what is refused."""

from __future__ import annotations

import io
import os
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

import picture_bytes as made
from cleanplate.depth import (
    read_depth,
    read_disparity,
    write_depth,
    write_disparity,
    write_ply,
)
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image

NAN, INF = np.nan, np.inf
few = settings(deadline=None, max_examples=30)
planes = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9),
    elements=st.floats(0.0625, 64, width=32),
)

DEPTH = np.float32([[0.001, 1.2341, 65.535], [NAN, INF, 70.0], [0.0004, 0.0006, 2.5]])


def test_png_holds_millimetres(tmp_path):
    write_depth(tmp_path / "d.png", DEPTH)
    with Image.open(tmp_path / "d.png") as image:
        stored = np.asarray(image)
    assert stored.dtype == np.uint16
    assert stored.tolist() == [[1, 1234, 0], [0, 0, 0], [0, 1, 2500]]
    expected = np.float32([[0.001, 1.234, NAN], [NAN, NAN, NAN], [NAN, 0.001, 2.5]])
    np.testing.assert_allclose(read_depth(tmp_path / "d.png"), expected, rtol=1e-6)


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".tiff", ".NPY", ".exr"])
def test_metres_keep_every_bit(tmp_path, suffix):
    path = tmp_path / f"d{suffix}"
    write_depth(path, DEPTH)
    read = read_depth(path)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, DEPTH)


@few
@given(planes)
def test_millimetres_are_at_most_half_a_millimetre_off(tmp_path_factory, depth):
    path = tmp_path_factory.mktemp("depth") / "d.png"
    write_depth(path, depth)
    assert np.abs(read_depth(path) - depth).max() <= 0.0005 + 4e-6


def test_16_bit_tiff_holds_millimetres(tmp_path):
    stored = np.uint16([[0, 1500], [65535, 2]])
    for order in "<>":
        (tmp_path / "d.tif").write_bytes(made.tiff(stored[..., None], order=order))
        np.testing.assert_allclose(
            read_depth(tmp_path / "d.tif"), [[NAN, 1.5], [65.535, 0.002]], rtol=1e-6
        )


def test_what_is_no_distance_is_unknown(tmp_path):
    np.save(tmp_path / "d.npy", np.float64([[0, -1, NAN, -INF, INF, 3]]))
    np.testing.assert_array_equal(
        read_depth(tmp_path / "d.npy"), np.float32([[NAN, NAN, NAN, NAN, INF, 3]])
    )


@pytest.mark.parametrize("shape", [(3, 4, 1), (1, 3, 4)])
def test_a_lone_third_axis_is_dropped(tmp_path, shape):
    np.save(tmp_path / "d.npy", np.arange(1, 13, dtype=np.float16).reshape(shape))
    np.testing.assert_array_equal(
        read_depth(tmp_path / "d.npy"), np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    )


def test_disparity_keeps_every_bit(tmp_path):
    disparity = np.float32([[0, 0.25, NAN], [-1.5, 3, 1e-6]])
    write_disparity(tmp_path / "d.npy", disparity)
    np.testing.assert_array_equal(read_disparity(tmp_path / "d.npy"), disparity)


def png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


NOISE = np.random.default_rng(2).integers(1, 65536, (30, 40), dtype=np.uint16)
FAULTS = {
    "an 8-bit PNG": ("d.png", png(np.ones((3, 4), np.uint8)), "8 bits"),
    "a 1-bit PNG": ("d.png", png(np.ones((3, 4), bool)), "8 bits"),
    "a colour PNG": ("d.png", png(np.ones((3, 4, 3), np.uint8)), "in colour"),
    "a 16-bit colour PNG": ("d.png", made.png16(np.ones((3, 4, 3), np.uint16)), "colour"),
    "a PNG of nothing known": ("d.png", png(np.zeros((3, 4), np.uint16)), "no pixel"),
    "a PNG cut short": ("d.png", png(NOISE)[:900], "damaged"),
    "no PNG at all": ("d.png", b"text" * 20, "not a picture"),
    "an empty PNG": ("d.png", b"", "empty"),
    "an NPY cut short": ("d.npy", npy(np.ones((9, 9)))[:300], "damaged"),
    "an NPY with half a header": (
        "d.npy",
        npy(np.ones((2, 2))).replace(b"}", b"("),
        "damaged or not an array",
    ),
    "no NPY at all": ("d.npy", b"text" * 20, "damaged or not an array"),
    "an empty NPY": ("d.npy", b"", "damaged or not an array"),
    "an NPY of objects": ("d.npy", npy(np.array([[{}]], object)), "damaged or not an array"),
    "an NPY of text": ("d.npy", npy(np.array([["a"]])), "holds no numbers"),
    "an NPY of complex numbers": ("d.npy", npy(np.ones((2, 2), complex)), "holds no numbers"),
    "an NPY of one axis": ("d.npy", npy(np.ones(5)), "has shape"),
    "an NPY of three axes": ("d.npy", npy(np.ones((5, 4, 3))), "has shape"),
    "an NPY without pixels": ("d.npy", npy(np.ones((0, 4))), "has shape"),
    "an NPY of nothing known": ("d.npy", npy(np.full((2, 2), NAN)), "no pixel"),
    "no EXR at all": ("d.exr", b"text" * 20, "not an EXR"),
    "an empty EXR": ("d.exr", b"", "not an EXR"),
    "a JPEG": ("d.jpg", b"\xff\xd8\xff", "is no depth"),
    "a file without ending": ("d", b"", "is no depth"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_no_depth_is_named_with_its_cure(tmp_path, fault):
    name, content, match = FAULTS[fault]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CleanplateError, match=match) as caught:
        read_depth(tmp_path / name)
    assert caught.value.file == tmp_path / name
    assert caught.value.cure


@pytest.mark.parametrize("name", ["no.png", "no.npy", "no.exr", "no.tif"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(CleanplateError, match="does not exist") as caught:
        read_depth(tmp_path / name)
    assert caught.value.file == tmp_path / name


def test_an_array_beyond_any_memory_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 3), np.float32))
    whole = (tmp_path / "a.npy").read_bytes()
    wide = whole.replace(b"(2, 3), }" + b" " * 20, b"(2, 3" + b"0" * 20 + b"), }")
    assert len(wide) == len(whole)
    (tmp_path / "a.npy").write_bytes(wide)
    with pytest.raises(CleanplateError, match="is damaged or not an array file"):
        read_depth(tmp_path / "a.npy")


def test_metres_beyond_single_precision_are_infinite(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1.0, 1e300]]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_depth(tmp_path / "a.npy"), [[1.0, np.inf]])


def test_disparity_is_npy_alone(tmp_path):
    with pytest.raises(CleanplateError, match="no disparity map"):
        read_disparity(tmp_path / "d.png")
    with pytest.raises(CleanplateError, match="no place for disparity"):
        write_disparity(tmp_path / "d.png", DEPTH)


def test_depth_is_written_where_its_meaning_is_kept(tmp_path):
    with pytest.raises(CleanplateError, match="not written as"):
        write_depth(tmp_path / "d.jpg", DEPTH)
    with pytest.raises(ValueError, match=r"expected \(H, W\)"):
        write_depth(tmp_path / "d.npy", np.ones((2, 2, 1), np.float32))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
@pytest.mark.parametrize("name", ["d.png", "d.npy", "d.tif", "d.exr", "p.npy", "p.ply", "p.png"])
def test_what_the_disk_does_not_take_is_told_and_leaves_nothing(tmp_path, name):
    """The system refuses to let any file grow beyond 20 kB: a real fault in mid-file."""
    import resource

    rng = np.random.default_rng(3)
    noise = rng.random((200, 200), dtype=np.float32)
    colours = rng.integers(0, 256, (40000, 3), dtype=np.uint8)
    path = tmp_path / name
    path.write_bytes(b"old")
    write = {
        "p.npy": lambda: write_disparity(path, noise),
        "p.ply": lambda: write_ply(path, np.zeros((40000, 3), np.float32), colours),
        "p.png": lambda: write_image(path, colours.reshape(200, 200, 3)),
    }.get(name, lambda: write_depth(path, noise))
    # The EXR library only says that it failed.
    told = "cannot be written" if name == "d.exr" else "larger than the disk"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(CleanplateError, match=told) as caught:
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.file == path
    assert caught.value.cure
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert path.read_bytes() == b"old"


def test_ply_holds_the_points(tmp_path):
    points = np.float32([[0, 1.5, -2], [3, 4, 5]])
    colours = np.uint8([[255, 0, 7], [1, 2, 3]])
    write_ply(tmp_path / "p.ply", points, colours)
    header, body = (tmp_path / "p.ply").read_bytes().split(b"end_header\n")
    assert header.decode().split("\n")[:3] == [
        "ply",
        "format binary_little_endian 1.0",
        "element vertex 2",
    ]
    names = [line.split()[-1] for line in header.decode().split("\n") if "property" in line]
    assert names == ["x", "y", "z", "red", "green", "blue"]
    assert len(body) == 2 * 15
    assert np.frombuffer(body[:12], "<f4").tolist() == [0, 1.5, -2]
    assert list(body[12:15]) == [255, 0, 7]
    assert np.frombuffer(body[15:27], "<f4").tolist() == [3, 4, 5]


def test_ply_refuses_what_are_no_points(tmp_path):
    with pytest.raises(ValueError, match=r"\(N, 3\)"):
        write_ply(tmp_path / "p.ply", np.zeros((2, 2), np.float32), np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        write_ply(tmp_path / "p.ply", np.zeros((2, 3), np.float32), np.zeros((2, 3)))


def test_integers_are_millimetres_and_floats_metres(tmp_path):
    wanted = np.float32([[1.5, NAN], [65.535, 0.25]])
    for dtype in (np.uint16, np.int32, np.uint32, np.int64):
        np.save(tmp_path / "d.npy", np.array([[1500, 0], [65535, 250]], dtype))
        np.testing.assert_array_equal(read_depth(tmp_path / "d.npy"), wanted)
    for dtype in (np.float16, np.float32, np.float64):
        np.save(tmp_path / "d.npy", np.array([[1.5, NAN], [2, 0.25]], dtype))
        np.testing.assert_array_equal(read_depth(tmp_path / "d.npy"), [[1.5, NAN], [2, 0.25]])
    # What is given for writing has the same meaning.
    write_depth(tmp_path / "d.png", np.uint16([[1500, 0], [2, 250]]))
    np.testing.assert_allclose(read_depth(tmp_path / "d.png"), [[1.5, NAN], [0.002, 0.25]])


def test_integers_of_8_bits_and_disparity_of_integers_are_refused(tmp_path):
    np.save(tmp_path / "d.npy", np.ones((2, 2), np.uint8))
    with pytest.raises(CleanplateError, match="8 bits") as caught:
        read_depth(tmp_path / "d.npy")
    assert caught.value.file == tmp_path / "d.npy"
    np.save(tmp_path / "d.npy", np.ones((2, 2), np.uint16))
    with pytest.raises(CleanplateError, match="no floats"):
        read_disparity(tmp_path / "d.npy")


@pytest.mark.parametrize(
    ("name", "beside"),
    [("a_depth", "a"), ("a_plate_depth", "a"), ("a.depth", "a"), ("scan", "scan")],
)
def test_the_convention_is_read_from_the_json_beside(tmp_path, name, beside):
    path = tmp_path / f"{name}.png"
    write_depth(path, np.float32([[2, INF, NAN]]), convention="dataset")
    np.testing.assert_allclose(read_depth(path), [[2, 65.535, NAN]])
    record = tmp_path / f"{beside}.json"
    for facts, wanted in (
        ('{"depth_convention": "dataset"}', [2, INF, NAN]),
        ('{"depth_convention": "exchange", "depth_zero": "infinity"}', [2, 65.535, NAN]),
        ('{"depth_zero": "infinity"}', [2, 65.535, INF]),
        ('{"world": "of another program"}', [2, 65.535, NAN]),
        ("no json", [2, 65.535, NAN]),
    ):
        record.write_text(facts, encoding="utf-8")
        np.testing.assert_allclose(read_depth(path), [wanted])
    np.testing.assert_allclose(read_depth(path, convention="dataset"), [[2, INF, NAN]])
    record.write_text('{"depth_convention": "inches"}', encoding="utf-8")
    with pytest.raises(CleanplateError, match="inches"):
        read_depth(path)


def test_a_png_that_says_of_no_pixel_how_far_it_is_is_warned_of(tmp_path, caplog):
    write_depth(tmp_path / "near.png", np.float32([[NAN, 3]]))
    assert not caplog.records
    write_depth(tmp_path / "far.png", np.float32([[4752, INF, NAN]]))
    (record,) = caplog.records
    assert "far.png" in record.getMessage()
    assert "no pixel" in record.getMessage()


@pytest.mark.shared
def test_the_shared_depths_are_metres(shared):
    path = sorted((shared / "data" / "plates").glob("*_depth.png"))[0]
    depth = read_depth(path)
    with Image.open(path) as image:
        stored = np.asarray(image)
    np.testing.assert_allclose(depth[stored > 0], stored[stored > 0] / 1000, rtol=1e-6)
    assert np.isnan(depth[stored == 0]).all()
    assert 0.2 < np.nanmedian(depth) < 30
