"""Hard samples: cloth like the plate, low light, foreign shadows, lamps, crops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cleanplate.formats.pictures import to_float
from cleanplate.light import linear_to_srgb
from cleanplate.matte import over
from cleanplate.synthesis import Composer, CompositorSettings
from cleanplate.synthesis.assets.plate import Plate
from cleanplate.synthesis.compositor.camera_effects import sample_crop_motion
from cleanplate.synthesis.compositor.composer import straight_colour
from cleanplate.synthesis.compositor.lights import sample_strong_lights
from cleanplate.synthesis.procedural.procedural_figures import render_cutout
from cleanplate.synthesis.procedural.shading import render_plate
from tests.synthesis.compositor.test_composer import digest
from tests.synthesis.known_scenes import One, board, room

SIZE = (72, 96)
EXACT = replace(CompositorSettings.exact(), subjects=(1,), true_size=True, mirror=False)
HARD = (
    *("cloth_share", "print_share", "hair_share", "dark_share"),
    *("strong_shadow_share", "foreign_shadow_share", "lamp_share", "crop_share"),
)
ALL = replace(CompositorSettings(), **dict.fromkeys(HARD, 1.0))


def textured() -> Plate:
    """The room with a picture of its own at each place."""
    plate = room()
    noise = np.random.default_rng(3).integers(60, 200, (12, 16, 3)).astype(np.uint8)
    return replace(plate, picture=np.kron(noise, np.ones((20, 20, 1), np.uint8)))


def composer(plate: Plate | None = None, **settings) -> Composer:
    changed = replace(EXACT, **settings)
    return Composer([One(plate or textured())], [One(board())], seed=5, settings=changed)


@pytest.fixture(scope="module")
def everything() -> Composer:
    return Composer([One(render_plate(1, 0))], [One(render_cutout(1, 0))], seed=2, settings=ALL)


def test_all_of_it_together_keeps_the_contract_of_a_sample(everything: Composer):
    for index in range(16):
        sample = everything.sample(index, SIZE)
        alpha, shadow, subject = (sample[k] for k in ("alpha", "shadow", "subject_disparity"))
        assert sample["frame"].dtype == sample["plate"].dtype == np.uint8
        assert alpha.dtype == shadow.dtype == np.float32
        assert 0 <= alpha.min() <= alpha.max() <= 1
        assert 0 < shadow.min() <= shadow.max() <= 1
        assert np.array_equal(np.isnan(subject), alpha == 0)
        assert (sample["foreground"][alpha == 0] == 0).all()


def test_the_frame_stays_foreground_over_background(everything: Composer):
    for index in range(12):
        made = everything.compose(index, SIZE)
        foreground, alpha = to_float(straight_colour(made.subjects)), made.subjects.alpha
        expected = over(foreground, alpha, linear_to_srgb(np.clip(made.background, 0, 1)))
        assert np.abs(linear_to_srgb(np.clip(made.frame, 0, 1)) - expected).max() < 1.5 / 255


def test_the_same_sample_each_time_in_any_order(everything: Composer):
    forward = [digest(everything.sample(i, SIZE)) for i in range(4)]
    assert [digest(everything.sample(i, SIZE)) for i in (3, 2, 1, 0)] == forward[::-1]


@pytest.mark.parametrize("name", HARD)
def test_each_changes_samples_and_none_is_usual(name: str):
    usual = CompositorSettings()
    assert getattr(usual, name) == 0
    assert getattr(CompositorSettings.hard(), name) > 0
    plain = Composer([One(textured())], [One(board())], seed=5, settings=usual)
    changed = replace(usual, **{name: 1.0})
    other = Composer([One(textured())], [One(board())], seed=5, settings=changed)
    assert any(digest(plain.sample(i, SIZE)) != digest(other.sample(i, SIZE)) for i in range(4))


def like_the_plate(make: Composer, index: int) -> float:
    """Share of the subject whose colour is nearly that of the plate under its shadow."""
    made = make.compose(index, SIZE)
    solid = made.subjects.alpha > 0.99
    if solid.sum() < 60:
        return np.nan
    away = np.abs(linear_to_srgb(made.frame) - linear_to_srgb(made.background)).max(-1)
    return float((away[solid] < 0.08).mean())


def test_a_print_has_the_plates_colours_and_the_truth_stays_whole():
    plain, printed = composer(room()), composer(room(), print_share=1.0)
    shares = [(like_the_plate(plain, i), like_the_plate(printed, i)) for i in range(40)]
    alphas = [[m.compose(i, SIZE).subjects.alpha for m in (plain, printed)] for i in range(12)]
    assert all(np.array_equal(one, other) for one, other in alphas)
    known = [pair for pair in shares if np.isfinite(pair[0])]
    assert len(known) > 20
    assert np.mean([before for before, _ in known]) < 0.02, "white is no colour of this grey plate"
    assert np.mean([after > 0.15 for _, after in known]) > 0.3


def test_new_cloth_leaves_the_head_and_the_truth():
    plain, dressed = composer(), composer(cloth_share=1.0)
    changed = 0
    for index in range(20):
        one, other = plain.compose(index, SIZE), dressed.compose(index, SIZE)
        assert np.array_equal(one.subjects.alpha, other.subjects.alpha)
        away = np.abs(one.frame - other.frame).max(-1)
        assert away[other.subjects.alpha == 0].max() == 0
        changed += away.max() > 0.1
        if other.placements:
            _, top, _, bottom = other.placements[0].rectangle
            head = int(np.clip(top + 0.11 * (bottom - top), 0, SIZE[0]))
            assert away[:head].max(initial=0) < 5e-3
    assert changed > 8


def test_in_the_dark_plate_and_subject_are_dark_alike():
    made = composer(dark_share=1.0, camera=True, clean_share=1.0)
    for index in range(20):
        sample, composition = made.sample_with_truth(index, SIZE)
        assert sample["plate"].mean() < 75
        solid = composition.subjects.alpha > 0.99
        if solid.sum() < 60:
            continue
        here = composition.plate[solid].mean()
        assert 0.2 < composition.subjects.light[solid].mean() / here < 5
        flat = np.abs(np.diff(sample["plate"].astype(float), axis=1))
        assert flat.mean() > 0.3, "noise"


def test_strong_lights_are_one_or_several_and_take_at_most_the_named_share():
    counts = set()
    for seed in range(60):
        lights = sample_strong_lights(np.random.default_rng(seed))
        counts.add(len(lights))
        assert 0.5 < sum(light.strength for light in lights) <= 0.8501
        assert all(light.softness < 0.13 for light in lights)
    assert counts == {1, 2, 3, 4}


@pytest.mark.parametrize("deep", [True, False])
def test_foreign_shadows_are_shadow_and_no_subject(deep: bool):
    plate = textured() if deep else Plate("photo", textured().picture)
    made = composer(plate, identical_share=1.0, foreign_shadow_share=1.0)
    darkened = 0
    for index in range(16):
        one = made.compose(index, SIZE)
        assert not one.subjects.any
        assert np.allclose(one.background, one.plate * one.shadow_colour, atol=1e-6)
        assert np.array_equal(one.frame, one.background)
        assert one.shadow.max() <= 1
        assert one.shadow.min() > 0.02
        darkened += (one.shadow < 0.8).mean() > 0.003
    assert darkened >= 10


def test_lamps_are_no_subject_and_only_what_darkens_is_shadow():
    made = composer(identical_share=1.0, lamp_share=1.0)
    brighter = darker = 0
    for index in range(24):
        one = made.compose(index, SIZE)
        assert not one.subjects.any
        gain = one.frame / np.maximum(one.plate, 1e-4)
        assert gain.min() > 0.33
        up = (gain > 1.001).all(-1)
        assert (one.shadow[up] > 0.999).all()
        darker += one.shadow.min() < 0.9
        brighter += gain.max() > 1.1
    assert brighter >= 8
    assert darker >= 3


def test_a_lamp_lights_the_subject_too():
    plain, lit = composer(), composer(lamp_share=1.0)
    ratios = []
    for index in range(20):
        one, other = plain.compose(index, SIZE), lit.compose(index, SIZE)
        if one.subjects.any:
            ratios.append(other.subjects.light.sum() / one.subjects.light.sum())
    assert np.std(ratios) > 0.02
    assert np.max(np.abs(np.log(ratios))) > 0.05


def test_crops_move_the_plate_by_little_and_the_frame_not_at_all():
    plain, moved = composer(), composer(crop_share=1.0)
    for index in range(6):
        one, other = plain.sample(index, SIZE), moved.sample(index, SIZE)
        for name in ("frame", "alpha", "disparity", "foreground"):
            assert np.array_equal(one[name], other[name], equal_nan=True)
        assert not np.array_equal(one["plate"], other["plate"])
    corners = np.array([[0, 0, 1], [96, 0, 1], [96, 72, 1], [0, 72, 1]], float)
    far = []
    for seed in range(60):
        to = corners @ sample_crop_motion(np.random.default_rng(seed), SIZE).T
        far.append(np.abs(to - corners[:, :2]).max(0))
    assert np.max(far, 0)[0] < 96 * 0.0151
    assert np.max(far, 0)[1] < 72 * 0.0151
    assert np.mean(far, 0)[0] > 96 * 0.004


def test_loose_hair_adds_soft_alpha_around_the_upper_outline():
    plain, hairy = composer(), composer(hair_share=1.0)
    added = 0
    for index in range(20):
        one, other = plain.compose(index, (144, 192)), hairy.compose(index, (144, 192))
        more = other.subjects.alpha - one.subjects.alpha
        assert more.min() > -1e-6
        assert np.array_equal(np.isnan(other.subjects.disparity), other.subjects.alpha <= 0)
        if more.max() > 0.1 and other.placements[0].how == "grounded":
            added += 1
            soft = other.subjects.alpha[more > 0.02]
            assert (soft < 0.98).mean() > 0.5
            _, top, _, bottom = other.placements[0].rectangle
            assert np.flatnonzero((more > 0.05).any(1)).mean() < top + 0.5 * (bottom - top)
    assert added >= 5
