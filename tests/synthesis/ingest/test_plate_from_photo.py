"""Plates from photographs: values followed from pixel to millimetre."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cleanplate.arrays import Plane
from cleanplate.depth import read_depth
from cleanplate.depth.depth_estimators import Convention
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.synthesis.assets.catalogue import PlateFolder
from cleanplate.synthesis.ingest.metric_scaling import DEFAULT_CAMERA_HEIGHT, to_metres
from cleanplate.synthesis.ingest.photo_intrinsics import intrinsics_from_exif, intrinsics_from_fov
from cleanplate.synthesis.ingest.plate_from_photo import (
    PhotoSettings,
    existing_depth,
    write_plate_from_photo,
)
from tests.synthesis import known_scenes


class Known:
    """A teacher that gives the same map, resized by repeating, to every picture."""

    metadata: Mapping[str, Any] = {"model": "known"}

    def __init__(self, plane: Plane, convention: Convention):
        self.plane, self.convention = np.asarray(plane, np.float32), convention
        self.saw: list[tuple[int, ...]] = []

    def estimate(self, picture: np.ndarray) -> Plane:
        self.saw.append(picture.shape)
        rows, columns = (
            (np.arange(side) * have // side)
            for side, have in zip(picture.shape[:2], self.plane.shape, strict=True)
        )
        return self.plane[np.ix_(rows, columns)]


def photo(path: Path, size: tuple[int, int] = (known_scenes.HEIGHT, known_scenes.WIDTH)) -> Path:
    path.parent.mkdir(exist_ok=True)
    picture = np.random.default_rng(5).integers(0, 256, (*size, 3)).astype(np.uint8)
    write_image(path, picture)
    return path


# Metres of a teacher's numbers


def test_relative_disparity_between_two_distances():
    relative = np.linspace(-3, 7, 101, dtype=np.float32).reshape(1, -1)
    depth, anchors = to_metres(relative, "disparity", near=2, far=10)
    # Percentiles 1 and 99 of 101 even steps are the second and the last but one.
    assert anchors == {"at_far": pytest.approx(-2.9), "at_near": pytest.approx(6.9)}
    assert depth[0, 1] == pytest.approx(10)
    assert depth[0, 99] == pytest.approx(2)
    assert depth[0, 50] == pytest.approx(1 / ((0.5 + 0.1) / 2)), "linear in disparity"


def test_sky_is_infinitely_far():
    relative = np.r_[np.zeros(50), np.linspace(0.1, 1, 50)].astype(np.float32)[None]
    depth, _ = to_metres(relative, "disparity", near=1, far=math.inf)
    assert np.isinf(depth[0, :50]).all()
    assert np.isfinite(depth[0, 50:]).all()


def test_metric_depth_stays_as_it_is():
    depth, anchors = to_metres(np.float32([[1.5, 0, -1, np.inf, np.nan]]), "metric", 1, 2)
    assert anchors is None
    assert depth[0, 0] == 1.5
    assert np.isnan(depth[0, [1, 2, 4]]).all()
    assert np.isinf(depth[0, 3])


def test_relative_depth_is_linear_in_depth():
    far = np.linspace(0, 1, 101, dtype=np.float32)[None]
    depth, _ = to_metres(far, "relative-depth", near=2, far=10)
    assert depth[0, 1] == pytest.approx(2)
    assert depth[0, 99] == pytest.approx(10)
    assert depth[0, 50] == pytest.approx(6)


@given(
    scale=st.floats(0.01, 100), shift=st.floats(-100, 100), near=st.floats(0.2, 3),
    reach=st.floats(1.5, 30), seed=st.integers(0, 99),
)  # fmt: skip
@settings(deadline=None, max_examples=30)
def test_scale_and_shift_do_not_matter(scale, shift, near, reach, seed):
    """Relative disparity is known up to both: the metres may not depend on them."""
    plain = np.random.default_rng(seed).uniform(0, 1, (9, 11)).astype(np.float32)
    other = (plain.astype(np.float64) * scale + shift).astype(np.float32)
    first, _ = to_metres(plain, "disparity", near, near * reach)
    second, _ = to_metres(other, "disparity", near, near * reach)
    step = np.spacing(np.float32(abs(shift) + scale)) / scale  # what float32 lost
    assert np.allclose(1 / first, 1 / second, atol=4 * step / near + 1e-5)


@pytest.mark.parametrize(
    ("plane", "convention", "message"),
    [
        (np.full((4, 4), 3.0), "disparity", "output is constant"),
        (np.full((4, 4), np.nan), "disparity", "nowhere a number"),
        (np.full((4, 4), -1.0), "metric", "no depth"),
    ],
)
def test_answers_without_depth(plane, convention, message):
    with pytest.raises(CleanplateError, match=message):
        to_metres(plane.astype(np.float32), convention, 1, 5)


def test_impossible_settings():
    for wrong in ({"near": 9.0}, {"near": 0.0}, {"far": math.nan}, {"fov": 180}):
        with pytest.raises(CleanplateError, match="possible"):
            PhotoSettings(**wrong)
    with pytest.raises(CleanplateError, match="cannot be infinite"):
        to_metres(np.float32([[0, 1]]), "relative-depth", 1, math.inf)


# The lens


def exif(path: Path, film: int | None, size: tuple[int, int], told: tuple[int, int] | None = None):
    tags = Image.Exif()
    details = tags.get_ifd(0x8769)
    if film is not None:
        details[0xA405] = film
    if told is not None:
        details[0xA002], details[0xA003] = told
    Image.new("RGB", size).save(path, exif=tags)
    return path


def test_focal_length_from_exif(tmp_path: Path):
    """A picture of 36 x 24 units under a 50 mm lens has a focal length of 50 units."""
    lens = intrinsics_from_exif(exif(tmp_path / "a.jpg", 50, (720, 480)), 720, 480)
    assert lens.intrinsics == pytest.approx((1000, 1000, 360, 240))
    assert "50 mm" in lens.origin
    phone = intrinsics_from_exif(exif(tmp_path / "b.jpg", 26, (400, 300), (4000, 3000)), 400, 300)
    assert phone.intrinsics.fx == pytest.approx(500 * 26 / 43.2666, rel=1e-4), "diagonals compared"
    upright = intrinsics_from_exif(exif(tmp_path / "c.jpg", 50, (720, 480), (720, 480)), 480, 720)
    assert upright.intrinsics == pytest.approx((1000, 1000, 240, 360))


def test_no_focal_length_is_guessed(tmp_path: Path):
    assert intrinsics_from_exif(exif(tmp_path / "a.jpg", None, (72, 48)), 72, 48) is None
    assert intrinsics_from_exif(exif(tmp_path / "b.jpg", 0, (72, 48)), 72, 48) is None
    cropped = exif(tmp_path / "c.jpg", 50, (300, 300), (6000, 4000))
    assert intrinsics_from_exif(cropped, 300, 300) is None
    (tmp_path / "d.jpg").write_bytes(b"nothing")
    assert intrinsics_from_exif(tmp_path / "d.jpg", 72, 48) is None


def test_focal_length_from_an_angle():
    assert intrinsics_from_fov(90, 640, 480).intrinsics == pytest.approx((320, 320, 320, 240))
    assert intrinsics_from_fov(90, 480, 640).intrinsics == pytest.approx((320, 320, 240, 320))


# The plate

FOV = math.degrees(2 * math.atan(known_scenes.WIDTH / 2 / known_scenes.FOCAL))


def test_a_metric_estimate_of_a_known_room(tmp_path: Path):
    room = known_scenes.room()
    teacher = Known(1 / room.disparity, "metric")
    made = write_plate_from_photo(
        photo(tmp_path / "in" / "a.png"), teacher, tmp_path / "out", PhotoSettings(fov=FOV)
    )
    assert made["files"] == ["a.png", "a.json", "a_depth.png"]
    plate = PlateFolder.open(tmp_path / "out")[0]
    assert np.abs(1 / plate.disparity - 1 / room.disparity).max() <= 0.00051, "half a millimetre"
    assert plate.camera.height == pytest.approx(known_scenes.EYE, rel=2e-3)
    assert plate.camera.pitch == pytest.approx(known_scenes.PITCH, abs=2e-3)
    assert plate.camera.intrinsics.fx == pytest.approx(known_scenes.FOCAL, abs=1e-3)
    assert plate.points is not None, "subjects can stand in it"
    metadata = json.loads((tmp_path / "out" / "a.json").read_text(encoding="utf-8"))
    assert metadata["depth_from"]["assumed"] == []
    assert metadata["depth_from"]["lens"].startswith("given")
    assert "license" not in metadata, "never invented"


def test_relative_disparity_of_a_known_room(tmp_path: Path):
    """With its two true distances given, a room comes out true; with a height too."""
    room = known_scenes.room()
    low, high = np.percentile(room.disparity, [1, 99])
    teacher = Known(room.disparity * 7 - 3, "disparity")
    given_both = PhotoSettings(near=1 / high, far=1 / low, fov=FOV)
    source = photo(tmp_path / "in" / "a.png")
    made = write_plate_from_photo(source, teacher, tmp_path / "both", given_both)
    assert made["camera_height"] == pytest.approx(known_scenes.EYE, rel=2e-3)
    assert made["depth_from"]["assumed"] == []
    assert made["depth_from"]["near_m"] == 1 / high
    tall = PhotoSettings(near=1 / high, far=1 / low, fov=FOV, camera_height=3.0)
    made = write_plate_from_photo(source, teacher, tmp_path / "tall", tall)
    assert made["camera_height"] == 3.0
    doubled = read_depth(tmp_path / "tall" / "a_depth.png")
    once = read_depth(tmp_path / "both" / "a_depth.png")
    assert np.allclose(doubled, once * 3 / known_scenes.EYE, rtol=3e-3)


def test_what_was_assumed_is_said(tmp_path: Path):
    room = known_scenes.room()
    teacher = Known(room.disparity, "disparity")
    source = photo(tmp_path / "in" / "a.png")
    unseen = write_plate_from_photo(source, teacher, tmp_path / "a", PhotoSettings())
    assert unseen["depth_from"]["assumed"] == ["near_m", "far_m"]
    assert "camera_height" not in unseen
    assert "fx" not in unseen
    one = write_plate_from_photo(source, teacher, tmp_path / "b", PhotoSettings(near=2))
    assert one["depth_from"]["assumed"] == ["far_m"]
    standing = write_plate_from_photo(source, teacher, tmp_path / "c", PhotoSettings(fov=FOV))
    assert standing["depth_from"]["assumed"] == ["camera_height"]
    assert standing["camera_height"] == DEFAULT_CAMERA_HEIGHT


def test_infinity_is_stored_as_the_catalogue_reads_it(tmp_path: Path):
    depth = np.full((40, 60), 3.0)
    depth[:10] = np.inf
    depth[10:20] = 200.0  # more than the file can hold
    write_plate_from_photo(
        photo(tmp_path / "a.png", (40, 60)), Known(depth, "metric"), None, PhotoSettings(fov=60)
    )
    plate = PlateFolder.open(tmp_path)[0]
    assert (plate.disparity[:20] == 0).all()
    assert np.allclose(plate.disparity[20:], 1 / 3)


def test_what_a_person_wrote_stays(tmp_path: Path):
    source = photo(tmp_path / "a.png")
    mine = {"fx": 300.0, "fy": 300.0, "cx": 160.0, "cy": 120.0, "pitch": -0.2, "license": "MIT",
            "camera_height": 3.0, "note": "measured"}  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(mine), encoding="utf-8")
    teacher = Known(1 / known_scenes.room().disparity, "metric")
    credit = {"license": "CC0-1.0", "source": "a drawer"}
    made = write_plate_from_photo(source, teacher, None, PhotoSettings(fov=20, credit=credit))
    metadata = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert mine.items() <= metadata.items()
    assert metadata["source"] == "a drawer"
    assert metadata["depth_from"]["estimated"] == ["width", "height", "depth_convention"]
    assert made["depth_from"]["scaled_to_camera_height"], "a measured height beats a network"
    assert read_depth(tmp_path / "a_depth.png").min() == pytest.approx(
        2 / known_scenes.room().disparity.max(), rel=5e-3
    )


def test_a_second_estimator_replaces_the_first_estimate(tmp_path: Path):
    source = photo(tmp_path / "a.png")
    depth = 1 / known_scenes.room().disparity
    for scale in (2, 1):
        made = write_plate_from_photo(
            source, Known(depth * scale, "metric"), None, PhotoSettings(fov=FOV)
        )
        assert made["camera_height"] == pytest.approx(known_scenes.EYE * scale, rel=2e-3)


def test_large_photographs(tmp_path: Path):
    """Smaller plates on demand; the teacher never sees more than it needs."""
    source = photo(tmp_path / "in" / "big.PNG", (1200, 2400))
    lens = {"width": 2400, "height": 1200, "fx": 2e3, "fy": 2e3, "cx": 1200, "cy": 600}
    (tmp_path / "in" / "big.json").write_text(json.dumps(lens), encoding="utf-8")
    teacher = Known(1 / known_scenes.room().disparity, "metric")
    whole = write_plate_from_photo(source, teacher, tmp_path / "whole", PhotoSettings())
    assert teacher.saw == [(1024, 2048, 3)]
    assert whole["files"][0] == "big.png"
    assert (tmp_path / "whole" / "big.png").read_bytes() == source.read_bytes()
    assert read_depth(tmp_path / "whole" / "big_depth.png").shape == (1200, 2400)
    made = write_plate_from_photo(source, teacher, tmp_path / "small", PhotoSettings(long_side=600))
    assert made["files"] == ["big.jpg", "big.json", "big_depth.png"]
    assert (made["width"], made["height"]) == (600, 300)
    assert (made["fx"], made["cx"]) == (500, 300), "the given lens, at the new size"
    plate = PlateFolder.open(tmp_path / "small")[0]
    assert plate.picture.shape == (300, 600, 3)
    assert plate.disparity.shape == (300, 600)


def test_faults_leave_nothing_behind(tmp_path: Path):
    source = photo(tmp_path / "in" / "a.png")
    wall = Known(np.full((9, 9), 2.0), "metric")
    with pytest.raises(CleanplateError, match=r"a\.png: no floor was found"):
        write_plate_from_photo(
            source, wall, tmp_path / "out", PhotoSettings(fov=60, camera_height=1.5)
        )
    with pytest.raises(CleanplateError, match=r"focal length is not known.*\n.*--fov"):
        write_plate_from_photo(source, wall, tmp_path / "out", PhotoSettings(camera_height=1.5))
    flat = Known(np.full((9, 9), 2.0), "disparity")
    with pytest.raises(CleanplateError, match="output is constant"):
        write_plate_from_photo(source, flat, tmp_path / "out", PhotoSettings())
    assert not (tmp_path / "out").exists()
    assert existing_depth(source) is None
