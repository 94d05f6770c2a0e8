"""Small things on a surface below the camera have the surface's depth; who stands has not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.arrays import Mask, Plane
from cleanplate.models import find_model
from cleanplate.predict.geometry.lying import FACING, HIGHEST, LARGEST, lying_disparity
from cleanplate.predict.geometry.subject_depth import SubjectDepth
from cleanplate.predict.geometry.subject_regions import Subject, connected

HEIGHT, WIDTH, FOCAL = 192, 256, 230.0


def surface(distance: float, tilt: float) -> Plane:
    """Disparity of a plane, tilted by degrees around the horizontal axis, `distance` m ahead."""
    y = (np.arange(HEIGHT) - HEIGHT / 2)[:, None] / FOCAL
    slope = np.tan(np.radians(tilt))
    return np.asarray(np.repeat((1 + y * slope) / distance, WIDTH, 1), np.float32)


def disc(radius: float, x: float = WIDTH / 2, y: float = HEIGHT / 2) -> Mask:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.asarray(np.hypot(rows - y, columns - x) <= radius)


def subject_of(mask: Mask) -> Subject:
    (subject,), _ = connected(mask.astype(np.float32))
    return subject


@settings(deadline=None, max_examples=30)
@given(st.floats(0.5, 2.0), st.floats(-40, 40), st.floats(4, 16))
def test_a_thing_lies_just_above_its_surface(distance: float, tilt: float, radius: float) -> None:
    plate, mask = surface(distance, tilt), disc(radius)
    found = lying_disparity(subject_of(mask), plate, FOCAL)
    assert found is not None
    inside = subject_of(mask).inside
    raised = 1 / plate[inside] - 1 / found
    assert raised.min() > 0
    assert raised.max() <= HIGHEST + 1e-4
    assert np.ptp(raised) < 1e-3, "it follows the surface"


def test_noise_holes_and_steps_beside_it_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    plate = surface(0.8, 15) * (1 + rng.normal(0, 0.005, (HEIGHT, WIDTH))).astype(np.float32)
    plate[rng.random(plate.shape) < 0.3] = np.nan
    plate[:, 141:] *= 1.6  # the box's wall
    mask = disc(10)
    found = lying_disparity(subject_of(mask), plate, FOCAL)
    assert found is not None
    exact = surface(0.8, 15)[subject_of(mask).inside]
    assert np.abs(1 / found - 1 / exact).max() < 0.04


@pytest.mark.parametrize(
    ("plate", "mask"),
    [
        (surface(0.8, FACING + 20), disc(10, y=70)),  # a floor seen at a grazing angle
        (surface(2.0, 0), disc(1.2 * LARGEST / 2 * FOCAL / 2.0)),  # larger than what lies
        (np.full((HEIGHT, WIDTH), np.nan, np.float32), disc(10)),
        (np.random.default_rng(0).uniform(0.5, 2, (HEIGHT, WIDTH)).astype(np.float32), disc(10)),
        (np.zeros((HEIGHT, WIDTH), np.float32), disc(10)),  # the sky
    ],
)
def test_what_does_not_lie(plate: Plane, mask: Mask) -> None:
    assert lying_disparity(subject_of(mask), plate, FOCAL) is None


def test_the_report_says_so_and_only_of_metric_depth() -> None:
    model = find_model()
    assert model.subject_depth is not None
    regressor = SubjectDepth.read(model.subject_depth)
    plate, mask = surface(0.8, 10), disc(10)
    placed = regressor.place(mask.astype(np.float32), plate, metric=True, focal=FOCAL)
    (one,) = placed.subjects
    assert one.source == "surface"
    assert 1 / one.disparity == pytest.approx(0.8 - HIGHEST, abs=0.03)
    inside = 1 / placed.disparity[mask]
    assert np.abs(inside - 1 / plate[mask]).max() < HIGHEST + 0.005
    relative = regressor.place(mask.astype(np.float32), plate, metric=False)
    assert relative.subjects[0].source != "surface"
