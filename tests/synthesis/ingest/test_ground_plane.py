"""The floor of a scene: found where there is one, and only there."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cleanplate.depth import Intrinsics, depth_to_disparity, read_depth
from cleanplate.synthesis.ingest.ground_plane import fit_ground_plane
from tests.synthesis import known_scenes

LENS = Intrinsics(
    known_scenes.FOCAL, known_scenes.FOCAL, known_scenes.WIDTH / 2, known_scenes.HEIGHT / 2
)


def plane(height: float, pitch: float, roll: float = 0.0) -> np.ndarray:
    """Disparity of an endless floor, ray by ray."""
    u, v = np.meshgrid(np.arange(known_scenes.WIDTH) + 0.5, np.arange(known_scenes.HEIGHT) + 0.5)
    x, y = (u - LENS.cx) / LENS.fx, (v - LENS.cy) / LENS.fy
    x, y = x * np.cos(roll) + y * np.sin(roll), y * np.cos(roll) - x * np.sin(roll)
    down = y * np.cos(pitch) - np.sin(pitch)  # by so much a ray falls per metre of depth
    return np.maximum(down / height, 0).astype(np.float32)


@pytest.mark.parametrize("box", [None, (3.0, 0.5, 1.0)])
def test_a_known_room(box):
    found = fit_ground_plane(known_scenes.room(box=box).disparity, LENS)
    assert found.height == pytest.approx(known_scenes.EYE, rel=1e-3)
    assert found.pitch == pytest.approx(known_scenes.PITCH, abs=1e-3)
    assert abs(found.roll) < 1e-3


def test_a_noisy_room_nearly_as_well():
    disparity = known_scenes.room().disparity
    noise = np.random.default_rng(3).normal(1, 0.01, disparity.shape)
    found = fit_ground_plane((disparity * noise).astype(np.float32), LENS)
    assert found.height == pytest.approx(known_scenes.EYE, rel=0.02)
    assert found.pitch == pytest.approx(known_scenes.PITCH, abs=0.01)


@pytest.mark.parametrize(("height", "pitch"), [(0.4, -0.5), (6.0, -0.1), (1.5, 0.05)])
def test_an_endless_floor(height: float, pitch: float):
    found = fit_ground_plane(plane(height, pitch), LENS)
    assert found.height == pytest.approx(height, rel=1e-3)
    assert found.pitch == pytest.approx(pitch, abs=1e-3)


def test_a_floor_that_the_camera_sees_aslant_is_not_given():
    """The compositor takes cameras to be level: a roll would let subjects lean."""
    assert fit_ground_plane(plane(1.5, -0.3, roll=0.05), LENS) is not None
    assert fit_ground_plane(plane(1.5, -0.3, roll=0.2), LENS) is None


def test_where_there_is_no_floor():
    size = (known_scenes.HEIGHT, known_scenes.WIDTH)
    wall = np.full(size, 0.25, np.float32)
    assert fit_ground_plane(wall, LENS) is None
    assert fit_ground_plane(np.zeros(size, np.float32), LENS) is None
    assert fit_ground_plane(np.full(size, np.nan, np.float32), LENS) is None
    noise = np.random.default_rng(1).uniform(0.1, 1, size).astype(np.float32)
    assert fit_ground_plane(noise, LENS) is None
    ceiling = np.ascontiguousarray(plane(1.5, -0.2)[::-1])
    assert fit_ground_plane(ceiling, LENS) is None


def test_a_table_with_the_floor_under_it_is_not_the_floor():
    disparity = plane(1.5, -0.3)
    table = plane(0.5, -0.3)
    disparity[:, 60:260][120:200] = table[:, 60:260][120:200]
    found = fit_ground_plane(disparity, LENS)
    assert found.height == pytest.approx(1.5, rel=1e-3)


def test_the_same_picture_gives_the_same_floor():
    disparity = known_scenes.room().disparity
    assert fit_ground_plane(disparity, LENS) == fit_ground_plane(disparity.copy(), LENS)


@pytest.mark.shared
def test_rendered_plates(shared):
    """In rendered rooms with true depth, what is found is right in all but a few."""
    right = wrong = 0
    for path in sorted((shared / "data" / "plates").glob("*.json"))[::4]:
        metadata = json.loads(path.read_text("utf-8"))
        depth = read_depth(path.with_name(f"{path.stem}_depth.png"))
        lens = Intrinsics(*(metadata[key] for key in ("fx", "fy", "cx", "cy")))
        found = fit_ground_plane(np.nan_to_num(depth_to_disparity(depth)), lens)
        if found is None:
            continue
        good = (
            abs(found.height - metadata["camera_height"]) < 0.15
            and abs(found.pitch - metadata["pitch"]) < 0.03
        )
        right, wrong = right + good, wrong + (not good)
    assert right >= 20
    assert wrong <= 1
