"""Clips with exact truth: the plate stands, subjects move, nothing else changes but the camera."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.synthesis import CompositorSettings, ProceduralComposer
from cleanplate.synthesis.compositor.clip_composer import ClipComposer, ClipSettings, steady

SIZE = (48, 64)
FEW = CompositorSettings(procedural_rooms=3, procedural_cutouts=4)


def composer(**settings) -> ClipComposer:
    assets = ProceduralComposer(seed=3, settings=steady(FEW))
    return ClipComposer(assets, ClipSettings(**settings))


def clip(count=8, index=1, **settings):
    return list(composer(**settings).frames(index, SIZE, count))


def test_a_clip_is_a_function_of_its_index():
    first, again, other = clip(), clip(), clip(index=2)
    for a, b in zip(first, again, strict=True):
        assert all(np.array_equal(a[key], b[key], equal_nan=True) for key in ("frame", "alpha"))
    assert not np.array_equal(first[0]["frame"], other[0]["frame"])


def test_subjects_move_and_the_scene_stands():
    made = clip(count=16, noise=0.0, speed=0.6)
    alphas = np.stack([one["alpha"] for one in made])
    assert np.abs(np.diff(alphas, axis=0)).max() > 0.3
    empty = (alphas == 0).all(0)
    frames = np.stack([one["frame"].astype(int) for one in made])
    far = empty & (np.abs(frames - frames[0]).max((0, 3)) == 0)
    assert far.sum() > 0.3 * empty.sum(), "beyond the shadows nothing changes"


def test_without_change_every_frame_is_the_first():
    made = clip(speed=0.0, approach=0.0, noise=0.0)
    assert all(np.array_equal(one["frame"], made[0]["frame"]) for one in made)


def test_noise_differs_from_frame_to_frame_and_between_plate_and_frame():
    made = clip(speed=0.0, approach=0.0, noise=3.0)
    difference = made[1]["frame"].astype(float) - made[0]["frame"]
    assert 0.5 < difference.std() < 12


def test_a_ramp_and_flicker_change_the_light_alone():
    still = {"speed": 0.0, "approach": 0.0, "noise": 0.0}
    made = clip(count=5, ramp=0.4, **still)
    means = [one["frame"].mean() for one in made]
    assert means == sorted(means)
    assert means[-1] > 1.05 * means[0]
    assert all(np.array_equal(one["alpha"], made[0]["alpha"]) for one in made)
    flickering = [one["frame"].mean() for one in clip(count=8, flicker=0.1, **still)]
    signs = np.sign(np.diff(flickering))
    assert {-1, 1} <= set(signs)


def test_the_last_frame_leads_back_to_the_first():
    made = clip(count=32, noise=0.0)
    steps = [np.abs(a["alpha"] - b["alpha"]).mean() for a, b in pairwise(made)]
    assert np.abs(made[-1]["alpha"] - made[0]["alpha"]).mean() <= 2 * max(steps) + 1e-6


def test_shake_moves_the_truth_as_told():
    still = {"speed": 0.0, "approach": 0.0, "noise": 0.0}
    made, steady_clip = clip(count=6, shake=3.0, **still), clip(count=6, **still)
    assert np.array([one["shift"] for one in made]).std() > 0.1
    for moved, base in zip(made, steady_clip, strict=True):
        x, y = moved["shift"]
        move = np.array([[1, 0, x], [0, 1, y]])
        expected = cv2.warpAffine(base["alpha"], move, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE)
        np.testing.assert_allclose(moved["alpha"], expected, atol=1e-5)


def test_the_plate_is_the_scene_without_its_subjects():
    made = composer(noise=0.0)
    plate, disparity = made.plate(1, SIZE)
    frame = next(iter(made.frames(1, SIZE, 4)))
    same = np.abs(plate.astype(int) - frame["frame"]).max(2) <= 1
    assert same[frame["alpha"] == 0].mean() > 0.3
    assert disparity.shape == SIZE
    inside = frame["alpha"] >= 0.5
    assert (frame["disparity"][inside] >= disparity[inside] - 1e-5).all(), "nearer than the plate"


@pytest.mark.parametrize("name", ["speed", "approach", "noise", "flicker", "shake"])
def test_negative_settings_are_refused(name):
    with pytest.raises(CleanplateError, match=name):
        ClipSettings(**{name: -1.0})


def test_a_subject_keeps_its_colours_when_another_one_leaves(monkeypatch):
    """Each subject's appearance is drawn from a generator of its own."""
    from cleanplate.synthesis.compositor import clip_composer

    two = CompositorSettings(procedural_rooms=3, procedural_cutouts=4, subjects=(0.0, 1.0))
    made = ClipComposer(
        ProceduralComposer(seed=3, settings=steady(two)),
        ClipSettings(speed=0.0, approach=0.0, noise=0.0),
    )
    for index in range(20):
        both = made.composition(index, SIZE)
        if len(both.placements) == 2:
            break
    last = both.placements[-1]
    kept = clip_composer.render_layer

    def only_the_last(placement, size):
        return kept(placement, size) if placement == last else None

    monkeypatch.setattr(clip_composer, "render_layer", only_the_last)
    alone = made.composition(index, SIZE)
    assert len(alone.placements) == 1
    seen = alone.subjects.alpha == 1
    assert seen.sum() > 20
    np.testing.assert_array_equal(alone.subjects.light[seen], both.subjects.light[seen])
