"""Depth in EXR files: which channel it is, and what a damaged file ends in."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import OpenEXR
import pytest

from cleanplate.depth import exr, read_depth, write_depth
from cleanplate.errors import CleanplateError

NAN, INF = np.nan, np.inf
DEPTH = np.float32([[1.5, 2.5, 1e10], [NAN, 3, INF]])


def save(path, channels, **header):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    OpenEXR.File(header, channels).write(str(path))


@pytest.mark.parametrize(
    "names",
    [
        ["Z"],
        ["V"],
        ["Y"],
        ["anything"],
        ["A", "B", "G", "R", "Z"],
        ["R", "depth"],
        ["ViewLayer.Combined.R", "ViewLayer.Depth.Z"],
        ["View Layer.Combined.A", "View Layer.Combined.R", "View Layer.Depth.V"],
        ["L.Depth.Z", "L.Normal.X", "L.Normal.Y", "L.Normal.Z"],
        ["N.X", "N.Y", "N.Z", "Z"],
    ],
)
def test_the_depth_channel_is_found_by_its_name(tmp_path, names):
    chosen = next((n for n in names if "Depth" in n), names[-1])
    other = np.float32([[9, 8, 7], [6, 5, 4]])
    save(tmp_path / "d.exr", {n: DEPTH if n == chosen else other for n in names})
    wanted = np.where(DEPTH > 1e9, np.float32(INF), DEPTH)
    np.testing.assert_array_equal(read_depth(tmp_path / "d.exr"), wanted)


def test_depth_is_found_in_another_part(tmp_path):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    parts = [
        OpenEXR.Part({**header, "name": "Layer.Combined"}, {"R": DEPTH * 2, "G": DEPTH}),
        OpenEXR.Part({**header, "name": "Layer.Depth"}, {"V": DEPTH}),
    ]
    OpenEXR.File(parts).write(str(tmp_path / "d.exr"))
    assert read_depth(tmp_path / "d.exr")[0, 1] == 2.5


def test_equal_channels_are_depth_and_others_are_not(tmp_path):
    save(tmp_path / "d.exr", dict.fromkeys("RGB", DEPTH))
    assert read_depth(tmp_path / "d.exr")[0, 0] == 1.5
    save(tmp_path / "d.exr", {"R": DEPTH, "G": DEPTH, "B": DEPTH + 1})
    with pytest.raises(CleanplateError, match="not clear"):
        read_depth(tmp_path / "d.exr")


@pytest.mark.filterwarnings("error")
def test_halves_are_read_without_a_warning(tmp_path):
    save(tmp_path / "d.exr", {"Z": np.float16([[1.5, 60_000], [NAN, INF]])})
    np.testing.assert_array_equal(
        read_depth(tmp_path / "d.exr"), np.float32([[1.5, np.float16(60_000)], [NAN, INF]])
    )


def test_whole_numbers_are_millimetres(tmp_path):
    save(tmp_path / "d.exr", {"Z": np.uint32([[1500, 0]])})
    np.testing.assert_array_equal(read_depth(tmp_path / "d.exr"), np.float32([[1.5, NAN]]))


def test_a_part_of_the_picture_lies_where_it_belongs(tmp_path):
    window = (np.int32([0, 0]), np.int32([4, 3]))
    data = (np.int32([1, 2]), np.int32([3, 3]))
    save(tmp_path / "d.exr", {"Z": DEPTH}, displayWindow=window, dataWindow=data)
    read = read_depth(tmp_path / "d.exr")
    assert read.shape == (4, 5)
    np.testing.assert_array_equal(read[2:, 1:4], np.where(DEPTH > 1e9, np.float32(INF), DEPTH))
    assert np.isnan(read[:2]).all()
    assert np.isnan(read[:, [0, 4]]).all()


def test_every_channel_of_a_multilayer_file_can_be_had(tmp_path):
    channels = {"View.Combined.R": DEPTH * 2, "View.Depth.Z": DEPTH}
    save(tmp_path / "d.exr", channels)
    found = exr.read_channels(tmp_path / "d.exr")
    assert found.keys() == channels.keys()
    np.testing.assert_array_equal(found["View.Combined.R"], DEPTH * 2)


def test_a_damaged_exr_is_told_and_nothing_is_printed_on_stdout(tmp_path):
    """In a process of its own: the library prints to what stdout is."""
    write_depth(tmp_path / "d.exr", np.random.default_rng(0).random((60, 70), dtype=np.float32))
    whole = (tmp_path / "d.exr").read_bytes()
    (tmp_path / "d.exr").write_bytes(whole[:3000])
    with pytest.raises(CleanplateError, match="damaged or cut short") as caught:
        read_depth(tmp_path / "d.exr")
    assert caught.value.file == tmp_path / "d.exr"
    code = f"""
from cleanplate.depth import read_depth
try:
    read_depth({str(tmp_path / "d.exr")!r})
except Exception as error:
    print(type(error).__name__)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        timeout=120,
    )
    assert done.stdout == "CleanplateError\n"


def test_a_header_that_claims_too_much_is_refused(tmp_path):
    save(tmp_path / "d.exr", {"Z": DEPTH})
    whole = (tmp_path / "d.exr").read_bytes()
    at = whole.index(b"displayWindow\0box2i\0") + len(b"displayWindow\0box2i\0") + 4
    for right, bottom in ((2**30, 2**30), (20000, 5), (-5, 1)):
        window = np.int32([0, 0, right, bottom]).tobytes()
        (tmp_path / "d.exr").write_bytes(whole[:at] + window + whole[at + 16 :])
        with pytest.raises(CleanplateError, match=r"damaged|million"):
            read_depth(tmp_path / "d.exr")


@pytest.mark.parametrize("seed", range(40))
def test_damage_ends_in_depth_or_an_error_that_says_so(tmp_path, seed):
    rng = np.random.default_rng(seed)
    write_depth(tmp_path / "d.exr", rng.random((20, 30), dtype=np.float32) + 1)
    data = bytearray((tmp_path / "d.exr").read_bytes())
    for at in rng.integers(0, len(data), 3):
        data[at] = rng.integers(0, 256)
    (tmp_path / "d.exr").write_bytes(bytes(data))
    try:
        assert read_depth(tmp_path / "d.exr").ndim == 2
    except CleanplateError as error:
        assert error.file == tmp_path / "d.exr"  # noqa: PT017


@pytest.mark.shared
@pytest.mark.parametrize("name", ["blender_multilayer", "single_V", "single_Y", "single_Z"])
def test_the_shared_files_are_read(shared, name):
    depth = read_depth(shared / "faults" / "exr" / f"{name}.exr")
    assert depth.shape == (80, 120)
    assert 2.9 < depth.min() < depth.max() < 7.3
