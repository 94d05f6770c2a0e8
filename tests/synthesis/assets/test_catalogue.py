"""Folders of plates and cutouts: formats, and errors of damaged files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from cleanplate.synthesis.procedural.procedural_files import write_plates
from cleanplate.synthesis.procedural.shading import render_plate

CAMERA = {"fx": 50.0, "fy": 50.0, "cx": 20.0, "cy": 15.0, "camera_height": 1.5, "pitch": -0.1}


def plate(folder: Path, name: str = "a", *, depth: bool = True, **metadata: object) -> Path:
    folder.mkdir(exist_ok=True)
    write_image(folder / f"{name}.png", np.full((30, 40, 3), 90, np.uint8))
    if depth:
        millimetres = np.full((30, 40), 2000, np.uint16)
        millimetres[:5] = 0
        cv2.imwrite(str(folder / f"{name}_depth.png"), millimetres)
    if metadata:
        (folder / f"{name}.json").write_text(json.dumps(metadata), encoding="utf-8")
    return folder


def cutout(folder: Path, name: str = "c", **metadata: object) -> Path:
    folder.mkdir(exist_ok=True)
    rgba = np.zeros((20, 10, 4), np.uint8)
    rgba[4:20, 2:8] = (10, 200, 30, 255)
    write_image(folder / f"{name}.png", rgba)
    if metadata:
        (folder / f"{name}.json").write_text(json.dumps(metadata), encoding="utf-8")
    return folder


def test_a_rendered_plate(tmp_path: Path):
    read = PlateFolder.open(plate(tmp_path / "p", **CAMERA))
    assert len(read) == 1
    one = read[0]
    assert one.camera.intrinsics.fx == 50
    assert one.camera.height == 1.5
    assert (one.disparity[5:] == 0.5).all()
    assert (one.disparity[:5] == 0).all(), "nothing hit is infinitely far"
    assert read[0] is one, "kept in memory"


def test_a_sensors_plate_does_not_know_where_it_read_nothing(tmp_path: Path):
    unknown = PlateFolder.open(plate(tmp_path / "p"))[0]
    assert np.isnan(unknown.disparity[:5]).all()
    assert unknown.camera is None
    told = PlateFolder.open(plate(tmp_path / "q", **CAMERA, depth_zero="unknown"))[0]
    assert np.isnan(told.disparity[:5]).all()


def test_a_plain_photo(tmp_path: Path):
    one = PlateFolder.open(plate(tmp_path / "p", depth=False))[0]
    assert one.disparity is None
    assert one.points is None


def test_large_photos_are_made_smaller_with_their_depth_and_camera(tmp_path: Path):
    write_image(tmp_path / "big.png", np.zeros((960, 2560, 3), np.uint8))
    np.save(tmp_path / "big_depth.npy", np.full((960, 2560), 4, np.float32))
    (tmp_path / "big.json").write_text(json.dumps({**CAMERA, "fx": 1000.0}), encoding="utf-8")
    one = PlateFolder.open(tmp_path)[0]
    assert one.picture.shape == (480, 1280, 3)
    assert one.disparity.shape == (480, 1280)
    assert one.camera.intrinsics.fx == 500


def test_a_described_cutout(tmp_path: Path):
    metadata = {
        "kind": "person", "focal_px": 100.0, "distance_m": 4.0, "foot_xy": [5.0, 20.0],
        "camera_height_m": 4.0, "size_m": [0.3, 0.2, 0.8], "framing": "half",
        "cut": {"left": False, "right": True, "bottom": True}, "license": "MIT",
    }  # fmt: skip
    depth = np.full((20, 10), 45000, np.uint16)
    folder = cutout(tmp_path / "c", **metadata)
    cv2.imwrite(str(folder / "c_depth.png"), depth)
    read = CutoutFolder.open(folder)
    one = read[0]
    assert read.kinds == {"person-half": [0]}
    assert one.pixels_per_metre == 25
    assert one.foot == (5, 20)
    assert one.view_angle == pytest.approx(np.pi / 4)
    assert one.cut == {"right", "bottom"}
    assert np.allclose(one.depth, -0.5)
    assert one.credit == {"license": "MIT"}


def test_several_sources_of_a_cutout_are_told_one_after_the_other(tmp_path: Path):
    metadata = {"source": ["a person", "what it holds"], "license": ["MIT", "CC-BY-4.0"]}
    one = CutoutFolder.open(cutout(tmp_path / "c", **metadata))[0]
    assert one.credit == {"source": "a person; what it holds", "license": "MIT; CC-BY-4.0"}


def test_a_plain_rgba_file_stands_on_its_lowest_pixel(tmp_path: Path):
    one = CutoutFolder.open(cutout(tmp_path / "c"))[0]
    assert one.foot == (5, 20)
    assert one.pixels_per_metre == 16
    assert (one.colour == (10, 200, 30)).all(), "colour is carried under the clear pixels"
    assert (one.depth == 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: (f / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken"), "a.png"),
        (lambda f: (f / "a.json").write_text("{", encoding="utf-8"), "a.json"),
        (lambda f: (f / "a.json").write_text("[]", encoding="utf-8"), "a.json"),
        (
            lambda f: (f / "a.json").write_text(
                json.dumps({**CAMERA, "fx": "wide"}), encoding="utf-8"
            ),
            "a.json",
        ),
        (lambda f: cv2.imwrite(str(f / "a_depth.png"), np.ones((9, 9), np.uint16)), "a_depth.png"),
        (lambda f: (f / "a_depth.png").write_bytes(b"nothing"), "a_depth.png"),
    ],
)
def test_faulty_plates_are_named(tmp_path: Path, make, message: str):
    folder = plate(tmp_path / "p", **CAMERA)
    make(folder)
    with pytest.raises(CleanplateError, match=message):
        PlateFolder.open(folder)[0]


def test_faulty_cutouts_are_named(tmp_path: Path):
    write_image(tmp_path / "opaque.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(CleanplateError, match=r"opaque\.png: has no alpha"):
        CutoutFolder.open(tmp_path)[0]
    write_image(tmp_path / "opaque.png", np.zeros((9, 9, 4), np.uint8))
    with pytest.raises(CleanplateError, match="no subject"):
        CutoutFolder.open(tmp_path)[0]


@pytest.mark.parametrize("kind", [PlateFolder, CutoutFolder])
def test_missing_and_empty_folders(tmp_path: Path, kind):
    with pytest.raises(CleanplateError, match="nowhere"):
        kind.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CleanplateError, match="empty"):
        kind.open(tmp_path / "empty")


def test_memory_is_bounded_and_not_pickled(tmp_path: Path):
    for name in "abc":
        plate(tmp_path / "p", name)
    read = PlateFolder.open(tmp_path / "p")
    read.memory = read[0].nbytes * 2
    for number in range(3):
        assert read[number].name == "abc"[number]
    assert len(read._loaded) == 2
    again = pickle.loads(pickle.dumps(read))
    assert len(again._loaded) == 0
    assert again[2].name == "c"


def test_written_procedural_plates_are_read_as_they_were_made(tmp_path: Path):
    write_plates(tmp_path, 2, seed=5)
    read, made = PlateFolder.open(tmp_path), render_plate(5, 1)
    one = read[1]
    assert len(read) == 2
    assert np.abs(one.picture.astype(int) - made.picture).mean() < 4
    near = made.disparity > 1 / 60
    assert np.allclose(1 / one.disparity[near], 1 / made.disparity[near], atol=6e-4)
    assert one.camera.pitch == made.camera.pitch
    assert one.camera.intrinsics == made.camera.intrinsics
    stamp = (tmp_path / "000001.jpg").stat().st_mtime_ns
    write_plates(tmp_path, 2, seed=5)
    assert (tmp_path / "000001.jpg").stat().st_mtime_ns == stamp, "what is whole is kept"


def test_depth_of_another_size_is_refused_also_beside_a_large_plate(tmp_path: Path):
    folder = tmp_path / "p"
    folder.mkdir()
    write_image(folder / "a.png", np.full((600, 1600, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "a_depth.png"), np.full((640, 1600), 2000, np.uint16))
    with pytest.raises(CleanplateError, match="1600 x 640, its plate 1600 x 600"):
        PlateFolder.open(folder)[0]
    cv2.imwrite(str(folder / "a_depth.png"), np.full((600, 1600), 2000, np.uint16))
    assert PlateFolder.open(folder)[0].disparity.shape == (480, 1280)


def test_alpha_and_depth_beside_a_cutout_are_no_cutouts(tmp_path: Path):
    """The form in which archives of cutouts unpack."""
    write_image(tmp_path / "c.jpg", np.full((20, 30, 3), 90, np.uint8))
    alpha = np.zeros((20, 30), np.uint8)
    alpha[4:16, 5:25] = 255
    write_image(tmp_path / "c_alpha.png", alpha)
    write_image(tmp_path / "c_depth.png", np.full((20, 30), 50000, np.uint16))
    write_image(tmp_path / "lone_alpha.png", np.dstack([alpha] * 4))  # of nothing that is there
    cutouts = CutoutFolder.open(tmp_path)
    assert [file.name for file in cutouts.files] == ["c.jpg", "lone_alpha.png"]
    assert (cutouts[0].alpha > 127).sum() == 12 * 20


def test_a_plates_json_names_the_convention_of_its_depth(tmp_path: Path, caplog):
    folder = plate(tmp_path / "p", **CAMERA, depth_convention="dataset")
    codes = np.asarray(cv2.imread(str(next(folder.glob("*_depth.png"))), cv2.IMREAD_UNCHANGED))
    size = codes.shape
    codes[:], codes[:5], codes[5:10] = 2000, 0, 65535
    write_image(next(folder.glob("*_depth.png")), codes)
    disparity = PlateFolder.open(folder)[0].disparity
    np.testing.assert_array_equal(np.isnan(disparity), codes == 0)
    np.testing.assert_array_equal(disparity == 0, codes == 65535)
    assert not caplog.records
    write_image(next(folder.glob("*_depth.png")), np.full(size, 3, np.uint16))
    PlateFolder.open(folder)[0]
    assert "is it in metres" in caplog.text
