"""Arrays of a rendering: ground level, exposure, rejection, shadow, files."""

from __future__ import annotations

import json

import numpy as np
import numpy.testing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate import matte
from cleanplate.light import linear_to_srgb
from cleanplate.render import pair_truth, quality_filter, rendered_items
from cleanplate.render.cameras import ground_view, standing_points
from cleanplate.render.lighting import auto_exposure
from cleanplate.render.scenes.scene_description import CameraPose

SIZE = (48, 64)


def floor(shot: CameraPose, level: float = 0.0, wall: float = np.inf) -> np.ndarray:
    """Depth of an endless floor before a wall across the axis, traced ray by ray."""
    height, width = SIZE
    right, down, forward = standing_points.camera_axes(shot)
    depth = np.full(SIZE, wall, np.float32)
    for row in range(height):
        for column in range(width):
            way = (
                forward
                + (column + 0.5 - width / 2) / (shot.focal * width) * right
                + (row + 0.5 - height / 2) / (shot.focal * width) * down
            )
            if way[2] < 0:
                z = (level - shot.position[2]) / way[2]
                depth[row, column] = min(z, wall)
    return depth


shots = st.builds(
    CameraPose,
    st.just("eye"),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.4, 3)),
    st.floats(-7, 7),
    st.floats(-0.9, 0.2),
    st.floats(0.6, 1.5),
)


@settings(deadline=None, max_examples=12)
@given(shots, st.floats(-0.2, 0.2))
def test_the_ground_is_found_by_depth(shot, level):
    depth = floor(shot, level)
    seen = np.isfinite(depth)
    npt.assert_allclose(ground_view.height_map(depth, shot)[seen & (depth < 40)], level, atol=1e-3)
    if (seen & (depth < 20)).mean() > 0.1:
        found, share = ground_view.find_ground_level(depth, shot, 0.0)
        assert found == pytest.approx(level, abs=0.02)
        assert share > 0.05


@settings(deadline=None, max_examples=25)
@given(shots, st.integers(0, 47), st.integers(0, 63), st.floats(0.3, 20))
def test_points_come_back_to_their_pixels(shot, row, column, z):
    place = standing_points.unproject(shot, SIZE, row + 0.5, column + 0.5, z)
    u, v, w = standing_points.project(shot, SIZE, np.array([place]))
    npt.assert_allclose((u[0], v[0], w[0]), (column + 0.5, row + 0.5, z), rtol=1e-6, atol=1e-6)


def test_axes_are_those_of_a_camera():
    # Looking along +Y: right is +X, down is -Z.
    right, down, forward = standing_points.camera_axes(
        CameraPose("eye", (0, 0, 1), np.pi / 2, 0.0, 1.0)
    )
    npt.assert_allclose([right, down, forward], [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-12)


def test_standing_points_lie_on_visible_surfaces_and_visibility_is_counted():
    shot = CameraPose("eye", (0, 0, 1.5), 0.3, -0.4, 0.9)
    depth = floor(shot, wall=6.0)
    mask = standing_points.ground_mask(depth, shot, 0.0)
    assert 0.3 < mask.mean() < 1
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y, z = standing_points.sample_visible_point(rng, depth, shot, mask, (1.0, 5.0))
        assert z == pytest.approx(0, abs=1e-3)
        _, _, far = standing_points.project(shot, SIZE, np.array([[x, y, z]]))
        assert 1.0 < far[0] < 5.0
    assert standing_points.sample_visible_point(rng, depth, shot, mask, (50.0, 60.0)) is None
    ahead = np.array([np.cos(0.3), np.sin(0.3), 0.0])
    post = np.array([[*(3 * ahead[:2]), h] for h in np.linspace(0, 1.2, 50)])
    inside, visible, box = standing_points.visible_shares(depth, shot, post)
    assert inside == 1
    assert visible == 1
    assert box[1] < box[3]
    behind = post + 8 * ahead
    assert standing_points.visible_shares(depth, shot, behind)[1] == 0
    assert standing_points.visible_shares(depth, shot, post - 6 * ahead)[0] == 0
    half = depth.copy()
    half[:, :] = np.where(np.arange(SIZE[0])[:, None] >= 24, 1.0, depth)
    assert 0.05 < standing_points.visible_shares(half, shot, post)[1] < 0.95


def test_surfaces_are_level_and_above_the_ground():
    shot = CameraPose("eye", (0, 0, 1.5), 0.0, -0.5, 0.9)
    depth = np.minimum(floor(shot), np.where(floor(shot, 0.75) < 2.0, floor(shot, 0.75), np.inf))
    table = standing_points.raised_surface_mask(depth, shot, 0.0)
    npt.assert_allclose(ground_view.height_map(depth, shot)[table], 0.75, atol=1e-3)
    assert table.mean() > 0.05


def test_bare_walls_and_near_things_are_rejected():
    shot = CameraPose("eye", (0, 0, 1.5), 0.0, -0.2, 0.9)
    room = floor(shot, wall=5.0)
    # Floor and wall alone meet in one line; with things in it the room is worth having.
    room[10:40:6, 5:60:3] = 2.5
    assert quality_filter.depth_rejection_reason(room, "world") is None
    assert quality_filter.edge_share(floor(shot, wall=5.0)) < quality_filter.edge_share(room)
    assert quality_filter.depth_rejection_reason(np.full(SIZE, 3.0, np.float32), "world") == "flat"
    assert (
        quality_filter.depth_rejection_reason(np.full(SIZE, np.inf, np.float32), "outdoor")
        == "empty"
    )
    near = room.copy()
    near[:, :20] = 0.2
    assert quality_filter.depth_rejection_reason(near, "world") == "too near"
    slope = np.repeat(1 / np.linspace(0.1, 1, SIZE[0], dtype=np.float32)[:, None], SIZE[1], 1)
    assert quality_filter.edge_share(slope) == 0  # one plane, however steep
    assert quality_filter.depth_rejection_reason(slope, "world") == "bare"


def test_useless_pictures_are_rejected():
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.uniform(0.1, 0.9, (12, 16)), np.ones((8, 8)))[..., None]
    picture = np.repeat(blocks, 3, 2).astype(np.float32)
    assert quality_filter.picture_rejection_reason(picture) is None
    assert quality_filter.picture_rejection_reason(picture * 0.1) == "too dark"
    assert quality_filter.picture_rejection_reason(picture * 0.05 + 0.95) == "too bright"
    assert quality_filter.picture_rejection_reason(np.full_like(picture, 0.5)) == "plain"


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999), st.floats(1e-3, 1e3))
def test_exposure_does_not_depend_on_the_unit_of_light(seed, unit):
    light = np.random.default_rng(5).lognormal(-1, 1, (24, 32, 3)).astype(np.float32)
    one = auto_exposure.auto_expose(light, np.random.default_rng(seed))
    other = auto_exposure.auto_expose(light * np.float32(unit), np.random.default_rng(seed))
    assert other.exposure * unit == pytest.approx(one.exposure, rel=1e-4)
    assert other.curve == one.curve
    picture = auto_exposure.tone_map(light, one)
    assert 0.25 < np.median(picture) < 0.75


def test_a_bright_window_leaves_the_room_visible():
    light = np.full((40, 40, 3), 0.1, np.float32)
    light[:, :8] = 60.0
    medians = []
    for seed in range(20):
        tone = auto_exposure.auto_expose(light, np.random.default_rng(seed))
        medians.append(np.median(auto_exposure.tone_map(light, tone)))
    assert min(medians) > 0.2


@pytest.mark.parametrize("curve", auto_exposure.TONE_CURVES)
def test_tone_curves_rise_and_keep_black_and_white_apart(curve):
    ramp = np.linspace(0, 4, 200, dtype=np.float32)[None, :, None] * np.ones(3, np.float32)
    coded = auto_exposure.tone_map(ramp, auto_exposure.ToneMapping((1.0, 1.0, 1.0), curve))[0, :, 0]
    assert (np.diff(coded) >= 0).all()
    assert coded[0] < 0.05
    assert coded[-1] > 0.95
    if curve == "clip":
        npt.assert_allclose(coded[:50], linear_to_srgb(ramp[0, :50, 0]), atol=1e-5)


def test_the_shadow_is_the_factor_the_scene_is_darker_by():
    rng = np.random.default_rng(0)
    plate = rng.uniform(0.3, 0.9, (40, 50, 3)).astype(np.float32)
    factor = np.ones((40, 50), np.float32)
    factor[10:30, 10:40] = 0.5
    found = pair_truth.shadow_factor(plate, matte.darken(plate, factor))
    assert found.dtype == np.float32
    npt.assert_allclose(found[12:28, 12:38], 0.5, atol=0.03)
    npt.assert_array_equal(found[32:], 1)
    # The denoiser's rest is no shadow, and light that comes back from the subject is none.
    npt.assert_array_equal(pair_truth.shadow_factor(plate, plate * np.float32(0.995)), 1)
    npt.assert_array_equal(
        pair_truth.shadow_factor(plate, np.minimum(plate * np.float32(1.1), 1)), 1
    )
    black = np.zeros_like(plate)
    npt.assert_array_equal(pair_truth.shadow_factor(black, black), 1)
    assert pair_truth.shadow_factor(plate, black).min() > 0


def test_pairs_without_a_visible_subject_are_rejected():
    frame = np.full((30, 40, 3), 0.5, np.float32)
    alpha = np.zeros((30, 40), np.float32)
    assert pair_truth.rejection_reason(alpha, frame) == "subject hardly visible"
    alpha[5:15, 5:15] = 1
    assert pair_truth.rejection_reason(alpha, frame) is None
    assert pair_truth.rejection_reason(alpha, frame * 0.02) == "subject too dark"
    assert pair_truth.rejection_reason(np.ones_like(alpha), frame) == "subject too large"


def test_items_are_written_whole_and_counted(tmp_path):
    rendered_items.write_item(
        tmp_path, "00000", rendered_items.RenderedItem({"tried": {"bare": 2}}, {".jpg": b"x"})
    )
    rendered_items.write_rejection(
        tmp_path, "00001", rendered_items.Rejected("no view", {"bare": 3, "flat": 1})
    )
    assert (tmp_path / "00000.jpg").read_bytes() == b"x"
    assert [rendered_items.is_done(tmp_path, rendered_items.item_name(i)) for i in range(3)] == [
        True,
        True,
        False,
    ]
    account = rendered_items.count_items(tmp_path, map(rendered_items.item_name, range(3)))
    assert account == rendered_items.ItemCounts(1, 1, {"no view": 1}, {"bare": 5, "flat": 1})
    assert (
        json.loads((tmp_path / "rejected" / "00001.json").read_text(encoding="utf-8"))["reason"]
        == "no view"
    )
