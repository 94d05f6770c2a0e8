"""Shadows against the geometry of a board under a lamp."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cleanplate.synthesis.compositor import placement as place
from cleanplate.synthesis.compositor.layer import render_layer
from cleanplate.synthesis.compositor.lights import ContactShadow, Light, sample_lights
from cleanplate.synthesis.compositor.shadow import cast_shadow, contact_shadow, shadow_factors
from cleanplate.synthesis.compositor.view import SceneView, crop_view
from tests.synthesis.known_scenes import EYE, FOCAL, HEIGHT, PITCH, WIDTH, board, camera, room

SIZE = (HEIGHT, WIDTH)


def standing(ahead: float, metres: tuple[float, float] = (0.5, 0.8)) -> place.Placement:
    """A board on the floor, `ahead` metres from the camera along the floor."""
    z = ahead * math.cos(PITCH) - EYE * math.sin(PITCH)
    cutout = board(metres)
    scale = place.scale_at(cutout, camera(), z)
    y = place.project_row(camera(), z)
    return place.Placement(cutout, False, scale, WIDTH / 2, y, z, 0.0, 1.0, "grounded")


@pytest.fixture(scope="module")
def view() -> SceneView:
    return crop_view(room(), (0, 0, WIDTH, HEIGHT), SIZE)


def shade_at(view: SceneView, shade: np.ndarray, right: float, ahead: float) -> float:
    """The shade of a floor point, by its projection."""
    z = ahead * math.cos(PITCH) - EYE * math.sin(PITCH)
    column = WIDTH / 2 + FOCAL * right / z
    row = place.project_row(camera(), z)
    return float(shade[round((row - 0.5) / 2), round((column - 0.5) / 2)])


def test_the_shadow_of_a_board_lit_from_behind_ends_where_its_edge_falls(view: SceneView):
    """Light from ahead at 45 degrees: the shadow comes as far as the board is high."""
    light = Light(azimuth=0.0, elevation=math.pi / 4, strength=1.0, softness=0.0)
    shade = cast_shadow(view, standing(4.0), light)
    assert shade_at(view, shade, 0.0, 4.0 - 0.4) > 0.95
    assert shade_at(view, shade, 0.0, 4.0 - 0.7) > 0.95
    assert shade_at(view, shade, 0.0, 4.0 - 0.9) < 0.05
    assert shade_at(view, shade, 0.0, 4.2) < 0.05
    assert shade_at(view, shade, 0.35, 3.6) < 0.05
    assert shade_at(view, shade, -0.35, 3.6) < 0.05


def test_light_from_the_camera_throws_the_shadow_on_the_wall(view: SceneView):
    """A lamp behind the camera at 10 degrees: 2 m further on, the shadow is 0.35 m lower."""
    light = Light(azimuth=math.pi, elevation=math.radians(10), strength=1.0, softness=0.0)
    shade = cast_shadow(view, standing(4.0, (0.5, 1.2)), light)
    height = view.world[1]
    on_wall = (np.abs(view.world[2] - 6.0) < 1e-2) & (np.abs(view.world[0]) < 0.2)
    expected = 1.2 - 2.0 * math.tan(math.radians(10))
    assert height[on_wall & (shade > 0.5)].max() == pytest.approx(expected, abs=0.03)


def test_mirrored_subjects_cast_mirrored_shadows(view: SceneView):
    light = Light(azimuth=0.0, elevation=0.8, strength=1.0, softness=0.0)
    put = standing(4.0)
    left = np.zeros_like(put.cutout.alpha)
    left[:, :25] = 255
    from dataclasses import replace

    half = replace(put.cutout, alpha=left)
    plain = cast_shadow(view, replace(put, cutout=half), light)
    mirrored = cast_shadow(view, replace(put, cutout=half, mirrored=True), light)
    assert shade_at(view, plain, -0.15, 3.7) > 0.9
    assert shade_at(view, plain, 0.15, 3.7) < 0.1
    assert shade_at(view, mirrored, 0.15, 3.7) > 0.9
    assert shade_at(view, mirrored, -0.15, 3.7) < 0.1


def test_penumbra_widens_with_distance(view: SceneView):
    hard = Light(0.0, math.pi / 4, 1.0, 0.0)
    soft = Light(0.0, math.pi / 4, 1.0, 0.1)

    def width(light: Light) -> float:
        shade = cast_shadow(view, standing(4.0), light)
        tip = [shade_at(view, shade, 0.0, 4.0 - k / 50) for k in range(20, 60)]
        return sum(0.1 < s < 0.9 for s in tip) / 50

    assert width(soft) > width(hard) + 0.05


def test_contact_is_dark_at_the_foot_and_fades(view: SceneView):
    shade = contact_shadow(view, standing(4.0), ContactShadow(1.0, 1.0))
    at = [shade_at(view, shade, 0.0, ahead) for ahead in (4.0, 3.9, 3.7, 3.2)]
    assert at[0] > 0.7
    assert at == sorted(at, reverse=True)
    assert at[-1] < 0.05
    assert shade_at(view, shade, 0.0, 4.0) > 3 * shade_at(view, shade, 0.6, 4.0)


@pytest.mark.parametrize("seed", range(6))
def test_factors_are_within_zero_and_one_and_luminance_is_their_sum(view: SceneView, seed: int):
    rng = np.random.default_rng(seed)
    layers = [render_layer(standing(ahead), SIZE) for ahead in (3.0, 4.5)]
    colour, luminance = shadow_factors(rng, view, layers, 1.0)
    assert colour.shape == (*SIZE, 3)
    assert 0 < colour.min() < 1
    assert colour.max() <= 1
    assert np.allclose(luminance, colour @ np.array([0.2126, 0.7152, 0.0722]), atol=1e-5)


def test_nobody_casts_a_shadow_when_the_share_is_zero(view: SceneView):
    layers = [render_layer(standing(4.0), SIZE)]
    assert shadow_factors(np.random.default_rng(0), view, layers, 0.0) is None


def test_shadow_without_depth_lies_near_the_subject():
    plate = room()
    flat = crop_view(type(plate)("photo", plate.picture), (0, 0, WIDTH, HEIGHT), SIZE)
    layer = render_layer(standing(4.0), SIZE)
    darkest = [
        shadow_factors(np.random.default_rng(seed), flat, [layer], 1.0)[1].min()
        for seed in range(8)
    ]
    assert min(darkest) < 0.8
    assert len(set(darkest)) == 8


def test_lights_vary_from_faint_to_strong():
    drawn = [light for seed in range(200) for light in sample_lights(np.random.default_rng(seed))]
    strength = np.array([light.strength for light in drawn])
    assert strength.min() < 0.15
    assert strength.max() > 0.8
    assert all(0 < light.elevation < math.pi / 2 and light.softness > 0 for light in drawn)
