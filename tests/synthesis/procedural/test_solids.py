"""Ray casting against a slow reference, and consistency of procedural plates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.depth import Intrinsics
from cleanplate.synthesis.assets.plate import Camera
from cleanplate.synthesis.procedural.shading import render_plate
from cleanplate.synthesis.procedural.solids import Solid, cast_rays, occluded, ray_directions

SIZE = (24, 32)


def camera(pitch: float = -0.25) -> Camera:
    return Camera(Intrinsics(28.0, 28.0, 16.0, 12.0), 1.4, pitch)


def inside(solid: Solid, point: tuple[float, float, float]) -> bool:
    """Whether a point lies in a solid, from its definition."""
    dx, dy, dz = (p - c for p, c in zip(point, solid.centre, strict=True))
    x = dx * math.cos(solid.yaw) - dz * math.sin(solid.yaw)
    z = dx * math.sin(solid.yaw) + dz * math.cos(solid.yaw)
    hx, hy, hz = solid.half
    if solid.shape == "box":
        return abs(x) <= hx and abs(dy) <= hy and abs(z) <= hz
    if solid.shape == "cylinder":
        return x * x + z * z <= hx * hx and abs(dy) <= hy
    return x * x + dy * dy + z * z <= hx * hx


def march(
    solids: list[Solid], direction: np.ndarray, far: float = 8.0, step: float = 0.01
) -> float:
    """The first depth at which a ray is in any solid, found by walking along it."""
    step = 0.01
    t = step
    while t < 8:
        point = (direction[0] * t, 1.4 + direction[1] * t, direction[2] * t)
        if any(inside(s, point) for s in solids):
            return t
        t += step
    return math.inf


shapes = st.builds(
    Solid,
    shape=st.sampled_from(["box", "cylinder", "sphere"]),
    centre=st.tuples(st.floats(-1.5, 1.5), st.floats(0.3, 2.0), st.floats(2.0, 5.0)),
    half=st.floats(0.25, 0.8).flatmap(lambda r: st.just((r, r * 0.8, r))),
    yaw=st.floats(-3, 3),
)


@settings(deadline=None, max_examples=12)
@given(solids=st.lists(shapes, min_size=1, max_size=3), pitch=st.floats(-0.4, 0.2))
def test_depth_is_what_a_walk_along_each_ray_finds(solids: list[Solid], pitch: float):
    eye = camera(pitch)
    depth = cast_rays(solids, eye, SIZE).depth
    way = ray_directions(eye, SIZE)
    for row in range(2, SIZE[0], 5):
        for column in range(2, SIZE[1], 6):
            walked = march(solids, way[row, column])
            if math.isinf(walked):
                # A walk may step over a sliver; a hit must then be a grazing one.
                t = float(depth[row, column])
                assert t == math.inf or t > 7.9 or _thin(solids, way[row, column], t)
            else:
                assert depth[row, column] == pytest.approx(walked, abs=0.0101)


def _thin(solids: list[Solid], way: np.ndarray, t: float) -> bool:
    beyond = (way[0] * (t + 0.011), 1.4 + way[1] * (t + 0.011), way[2] * (t + 0.011))
    return not any(inside(s, beyond) for s in solids)


def test_directions_have_unit_length_along_the_optical_axis():
    for pitch in (-0.5, 0.0, 0.3):
        axis = np.array([0, math.sin(pitch), math.cos(pitch)])
        assert np.allclose(ray_directions(camera(pitch), SIZE) @ axis, 1, atol=1e-5)


def test_a_room_is_seen_from_within():
    shell = Solid("box", (0.0, 1.5, 2.0), (2.0, 1.5, 4.0), 0.0, inside=True)
    hits = cast_rays([shell], camera(0.0), SIZE)
    assert np.isfinite(hits.depth).all()
    middle = hits.depth[12, 16]
    assert middle == pytest.approx(6.0, rel=0.01)
    assert hits.normal[12, 16].tolist() == pytest.approx([0, 0, -1])
    assert hits.normal[-1, 16].tolist() == pytest.approx([0, 1, 0])


def test_what_stands_between_a_point_and_its_lamp():
    box = Solid("box", (0.0, 1.0, 0.0), (0.5, 0.1, 0.5))
    points = np.array([[0, 0, 0], [0.4, 0, 0.4], [0.6, 0, 0], [0, 2, 0]], np.float32)
    up = np.tile(np.float32([0, 1, 0]), (4, 1))
    far, near = np.full(4, 10, np.float32), np.full(4, 0.5, np.float32)
    assert occluded([box], points, up, far).tolist() == [1, 1, 0, 0]
    assert occluded([box], points, up, near).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("number", range(4))
def test_procedural_plates_are_whole_and_repeatable(number: int):
    plate = render_plate(3, number, (72, 96))
    assert plate.picture.shape == (72, 96, 3)
    assert plate.picture.dtype == np.uint8
    assert plate.disparity.shape == (72, 96)
    assert np.isfinite(plate.disparity).all()
    assert (plate.disparity >= 0).all()
    assert plate.picture.std() > 3
    again = render_plate(3, number, (72, 96))
    assert np.array_equal(plate.picture, again.picture)
    assert np.array_equal(plate.disparity, again.disparity)
    other = render_plate(4, number, (72, 96))
    assert not np.array_equal(plate.picture, other.picture)


def test_most_procedural_plates_have_somewhere_to_stand():
    counts = [render_plate(8, number, (72, 96)).points.u.size for number in range(8)]
    assert sum(count > 50 for count in counts) >= 6
