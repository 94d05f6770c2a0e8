"""Placement and size of subjects against pinhole geometry by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.synthesis.compositor import placement as place
from cleanplate.synthesis.compositor.layer import render_layer
from cleanplate.synthesis.compositor.view import SceneView, crop_view, world_points
from tests.synthesis.known_scenes import EYE, FOCAL, HEIGHT, PITCH, WALL, WIDTH, board, camera, room

WHOLE = (0, 0, WIDTH, HEIGHT)
SIZE = (HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def view() -> SceneView:
    return crop_view(room(), WHOLE, SIZE)


def test_world_points_of_a_known_room(view: SceneView):
    right, height, ahead = world_points(view.disparity, view.camera)
    on_floor = height < 0.01
    assert np.abs(height[on_floor]).max() < 1e-3
    assert np.allclose(ahead[~on_floor], WALL, atol=1e-3)
    # The middle column looks straight ahead; one focal length to the side is one metre per metre.
    assert np.abs(right[:, WIDTH // 2]).max() < 0.5 / FOCAL * 2 * WALL
    assert on_floor[-1].all()
    assert not on_floor[0].any()


def test_standing_points_lie_on_the_floor_only(view: SceneView):
    points = view.points
    assert points.u.size > 500
    assert np.abs(points.height).max() < 0.02
    row = HEIGHT / 2 + FOCAL * math.tan(math.atan2(EYE, WALL) + PITCH)
    assert points.v.min() > row - 4


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_a_person_on_the_floor_keeps_size_and_place(seed: int):
    rng = np.random.default_rng(seed)
    view = crop_view(_room(), WHOLE, SIZE)
    put = place.place_grounded(rng, board(), view, mirrored=False, true_size=True)
    assert put is not None
    # The foot is seen where a floor point of that depth is seen.
    down = (put.y - HEIGHT / 2) / FOCAL
    height = EYE + put.z * (math.sin(PITCH) - math.cos(PITCH) * down)
    assert abs(height) < 0.02
    _, top, _, bottom = put.rectangle
    assert bottom - top == pytest.approx(FOCAL * 1.8 / put.z, rel=1e-6)


_ROOM = []


def _room():
    if not _ROOM:
        _ROOM.append(room())
    return _ROOM[0]


@pytest.mark.parametrize("z", [2.0, 3.0, 5.0])
def test_pixel_height_and_alpha_of_a_board_at_a_known_distance(z: float):
    cutout = board((0.5, 0.6))
    scale = place.scale_at(cutout, camera(), z)
    put = place.Placement(cutout, False, scale, 160.0, 200.0, z, 0.0, 1.0, "grounded")
    layer = render_layer(put, SIZE)
    tall, wide = FOCAL * 0.6 / z, FOCAL * 0.5 / z
    assert layer.alpha.sum() == pytest.approx(tall * wide, rel=0.03)
    rows = layer.alpha.max(1).sum()
    assert rows == pytest.approx(tall, abs=0.75)
    assert layer.rows.stop - 2 == pytest.approx(200, abs=1.01)


def test_relative_depth_stays_in_metres_at_any_distance():
    cutout = replace(board(), depth=np.full((180, 50), -0.25, np.float32))
    for z in (2.0, 5.0):
        scale = place.scale_at(cutout, camera(), z)
        put = place.Placement(cutout, False, scale, 160.0, 200.0, z, 0.0, 1.0, "grounded")
        layer = render_layer(put, SIZE)
        inside = layer.alpha > 0.99
        assert np.allclose(1 / layer.disparity[inside], z - 0.25, atol=1e-4)
    twice = place.Placement(cutout, False, 2 * scale, 160.0, 200.0, 5.0, 0.0, 2.0, "grounded")
    layer = render_layer(twice, SIZE)
    assert np.allclose(1 / layer.disparity[layer.alpha > 0.99], 4.5, atol=1e-4)


def test_mirroring_turns_the_cutout_about_its_foot():
    colour = np.zeros((20, 40, 3), np.uint8)
    colour[:, :10] = 255
    cutout = replace(
        board(),
        colour=colour,
        alpha=np.full((20, 40), 255, np.uint8),
        depth=np.zeros((20, 40), np.float32),
        foot=(10.0, 20.0),
    )
    for mirrored, bright in ((False, slice(90, 100)), (True, slice(100, 110))):
        put = place.Placement(cutout, mirrored, 1.0, 100.0, 100.0, 2.0, 0.0, 1.0, "grounded")
        layer = render_layer(put, SIZE)
        whole = np.zeros(SIZE, np.uint8)
        whole[layer.box] = (layer.colour[..., 0] > 127) & (layer.alpha > 0.5)
        columns = np.flatnonzero(whole.any(0))
        assert (columns[0], columns[-1] + 1) == (bright.start, bright.stop)


@pytest.mark.parametrize("size", [(96, 128), (200, 120), (64, 64)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_view_moves_points_and_intrinsics_alike(size: tuple[int, int], flip: bool):
    """A point seen through the view's own camera lies where its depth map says."""
    plate = _room()
    view = crop_view(plate, (40, 30, 200, 150), size, flip=flip)
    points, (fx, fy, cx, cy) = view.points, view.camera.intrinsics
    x = (points.u - cx) / fx * points.z
    y = (points.v - cy) / fy * points.z
    height = EYE - y * math.cos(PITCH) + points.z * math.sin(PITCH)
    assert np.abs(height - points.height).max() < 1e-3
    # The same points in the plate: mirrored, x changes its sign.
    original = plate.points
    there = (original.u - WIDTH / 2) / FOCAL * original.z
    assert np.isin(np.round(x * (-1 if flip else 1), 3), np.round(there, 3)).mean() > 0.99
    inner = (points.v > 2) & (points.v < size[0] - 3) & (points.u > 2) & (points.u < size[1] - 3)
    seen = view.disparity[points.v[inner].astype(int), points.u[inner].astype(int)]
    assert np.abs(seen * points.z[inner] - 1).max() < 0.05


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), mirrored=st.booleans())
def test_cut_sides_stay_outside_the_picture(seed: int, mirrored: bool):
    view = crop_view(_room(), WHOLE, (96, 96))
    cutout = replace(board(), cut=frozenset({"left", "bottom"}), half=True)
    rng = np.random.default_rng(seed)
    for put in (
        place.place_portrait(rng, cutout, view, mirrored=mirrored),
        place.place_uniform(rng, cutout, view, mirrored=mirrored),
    ):
        left, _, right, bottom = put.rectangle
        assert bottom >= 96
        assert right >= 96 if mirrored else left <= 0


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31))
def test_portraits_and_uniform_ones_stand_before_the_plate(seed: int):
    view = crop_view(_room(), WHOLE, (96, 96))
    rng = np.random.default_rng(seed)
    for put in (
        place.place_portrait(rng, board(), view, mirrored=False),
        place.place_uniform(rng, board(), view, mirrored=False),
    ):
        assert 0.1 <= put.z < WALL
        # Size, distance and metres agree: it is as large as it looks from there.
        pixels = put.scale * put.cutout.alpha.shape[0]
        metres = 1.8 * put.metres
        assert pixels == pytest.approx(view.camera.intrinsics.fy * metres / put.z, rel=1e-6)


def test_nowhere_to_stand():
    wall = replace(room(), disparity=np.full((HEIGHT, WIDTH), 0.5, np.float32))
    view = crop_view(wall, WHOLE, SIZE)
    assert view.points.u.size == 0
    put = place.place_grounded(np.random.default_rng(0), board(), view, mirrored=False)
    # Without a floor in sight it stands on the floor below the picture's border.
    assert put is None or put.y > 0.9 * HEIGHT
    assert (
        place.place_grounded(
            np.random.default_rng(0), board(), replace(view, points=None), mirrored=False
        )
        is None
    )
