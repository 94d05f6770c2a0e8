"""Merging of subjects by depth in linear light."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.light import coded_from_linear, linear_from_uint8
from cleanplate.synthesis.compositor import placement as place
from cleanplate.synthesis.compositor.composer import straight_colour
from cleanplate.synthesis.compositor.layer import render_layer
from cleanplate.synthesis.compositor.occlusion import MergedSubjects, add_layer, visible_alpha
from cleanplate.synthesis.compositor.view import SceneView, crop_view
from tests.synthesis.known_scenes import EYE, FOCAL, HEIGHT, PITCH, WIDTH, board, camera, room

SIZE = (HEIGHT, WIDTH)


def standing(z: float, **how) -> place.Placement:
    cutout = board(**how)
    scale = place.scale_at(cutout, camera(), z)
    down = (np.sin(PITCH) + EYE / z) / np.cos(PITCH)
    y = HEIGHT / 2 + FOCAL * down
    return place.Placement(cutout, False, scale, WIDTH / 2, float(y), z, 0.0, 1.0, "grounded")


def whole(plate) -> SceneView:
    return crop_view(plate, (0, 0, WIDTH, HEIGHT), SIZE)


def test_half_covered_white_over_black_is_188():
    """Half of the light of white is sRGB 188; mixing codes would give 128."""
    view = whole(room(grey=0))
    layer = render_layer(standing(4.0, alpha=128), SIZE)
    subjects = MergedSubjects.empty(SIZE, depth=True)
    add_layer(
        subjects, layer, linear_from_uint8(layer.colour), visible_alpha(layer, view, subjects)
    )
    frame = coded_from_linear(subjects.light)
    middle = frame[layer.box][layer.alpha.shape[0] // 2, layer.alpha.shape[1] // 2]
    assert middle.tolist() == [188, 188, 188]
    inside = straight_colour(subjects)[layer.box][layer.alpha > 0.3]
    assert (inside == 255).all()


def test_a_board_before_the_subject_hides_what_is_below_its_upper_edge():
    view = whole(room(box=(2.5, 0.6, 0.9)))
    layer = render_layer(standing(4.0), SIZE)
    seen = np.zeros(SIZE, np.float32)
    seen[layer.box] = visible_alpha(layer, view, MergedSubjects.empty(SIZE, depth=True))
    alpha = np.zeros(SIZE, np.float32)
    alpha[layer.box] = layer.alpha
    # The board's upper edge, 0.9 m high and 2.5 m ahead, by the pinhole.
    rise = np.arctan2(0.9 - EYE, 2.5) - PITCH
    edge = HEIGHT / 2 - FOCAL * np.tan(rise)
    column = WIDTH // 2
    above, below = int(edge) - 3, int(edge) + 3
    assert np.array_equal(seen[:above], alpha[:above])
    assert seen[below:, column].max() == 0
    # The edge is soft over a pixel or two.
    assert ((seen[:, column] > 0.02) & (seen[:, column] < 0.98) & (alpha[:, column] > 0.99)).any()


def test_the_floor_does_not_eat_the_feet():
    view = whole(room())
    for z in (2.2, 4.0, 5.5):
        layer = render_layer(standing(z), SIZE)
        assert np.array_equal(
            visible_alpha(layer, view, MergedSubjects.empty(SIZE, depth=True)), layer.alpha
        )


@pytest.mark.parametrize("far_first", [True, False])
def test_the_nearer_of_two_subjects_is_seen(far_first: bool):
    view = whole(room())
    near, far = standing(2.5, colour=(255, 0, 0)), standing(4.5, colour=(0, 0, 255))
    subjects = MergedSubjects.empty(SIZE, depth=True)
    for put in (far, near) if far_first else (near, far):
        layer = render_layer(put, SIZE)
        add_layer(
            subjects, layer, linear_from_uint8(layer.colour), visible_alpha(layer, view, subjects)
        )
    box = render_layer(near, SIZE)
    inside = box.alpha > 0.99
    assert (straight_colour(subjects)[box.box][inside] == (255, 0, 0)).all()
    assert np.allclose(subjects.disparity[box.box][inside], 1 / 2.5, rtol=1e-3)
    assert np.allclose(subjects.alpha[box.box][inside], 1)


def test_disparity_is_unknown_where_there_is_no_subject():
    view = whole(room())
    subjects = MergedSubjects.empty(SIZE, depth=True)
    layer = render_layer(standing(4.0), SIZE)
    add_layer(
        subjects, layer, linear_from_uint8(layer.colour), visible_alpha(layer, view, subjects)
    )
    assert np.array_equal(np.isnan(subjects.disparity), subjects.alpha == 0)
