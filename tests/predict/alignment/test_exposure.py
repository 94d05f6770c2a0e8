"""Drift of light is measured on what agrees, and undone."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.light import linear_to_srgb, srgb_to_linear
from cleanplate.predict.alignment.exposure import Exposure, match_exposure
from tests.predict.conftest import make_pair, textured, to_eight


def in_other_light(picture: np.ndarray, gain: tuple[float, ...], gamma: float = 1) -> np.ndarray:
    light = srgb_to_linear(picture) ** np.float32(gamma) * np.array(gain, np.float32)
    return linear_to_srgb(np.clip(light, 0, 1))


@pytest.mark.parametrize(
    "gain", [(1.0, 1.0, 1.0), (1.2, 1.2, 1.2), (0.7, 0.75, 0.8), (1.05, 1.0, 0.95)]
)
def test_factors_are_found_in_spite_of_the_subject(gain: tuple[float, ...]) -> None:
    pair = make_pair(240, 320)
    noise = np.random.default_rng(0).normal(0, 0.01, pair.frame.shape).astype(np.float32)
    frame = np.clip(in_other_light(pair.frame, gain) + noise, 0, 1)
    found = match_exposure(pair.plate, frame)
    np.testing.assert_allclose(found.gain, gain, rtol=0.015)
    assert found.gamma == 1.0
    assert 0.6 < found.agreeing <= 1


def test_an_exponent_is_found_where_there_is_one() -> None:
    pair = make_pair(240, 320)
    frame = in_other_light(pair.frame, (1.1, 1.0, 0.9), gamma=1.12)
    found = match_exposure(pair.plate, frame)
    assert found.gamma == pytest.approx(1.12, abs=0.03)
    after = found.apply(pair.plate)
    background = pair.alpha == 0
    expected = in_other_light(pair.plate, (1.1, 1.0, 0.9), gamma=1.12)
    assert np.abs(after - expected)[background].max() < 0.01


def test_an_identical_pair_has_no_drift() -> None:
    plate = textured(100, 130, 2)
    found = match_exposure(plate, plate)
    assert found.is_none
    assert found.apply(plate) is plate
    assert found.stops == 0
    assert found.white_balance == 0


def test_small_drift_is_rounded_to_one_and_the_same() -> None:
    plate = to_eight(textured(240, 320, 4))
    rng = np.random.default_rng(5)
    found = {
        match_exposure(plate, np.clip(plate + rng.normal(0, 2, plate.shape), 0, 255).astype("u1"))
        for _ in range(3)
    }
    assert len({one.gain for one in found}) == 1


def test_the_uncovered_part_does_not_count() -> None:
    plate = textured(200, 200, 6)
    frame = in_other_light(plate, (1.3, 1.3, 1.3))
    spoilt = frame.copy()
    spoilt[:, :140] = plate[:, :140]
    usable = np.zeros((200, 200), bool)
    usable[:, 140:] = True
    assert match_exposure(plate, spoilt, usable).gain[1] == pytest.approx(1.3, rel=0.02)


def test_nothing_to_go_by_changes_nothing() -> None:
    black = np.zeros((60, 60, 3), np.float32)
    assert match_exposure(black, textured(60, 60, 1)).is_none
    assert match_exposure(textured(60, 60, 1), np.ones_like(black)).is_none


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tables_and_formula_agree(dtype: type) -> None:
    drift = Exposure((1.2, 0.9, 1.0), gamma=1.1)
    top = np.iinfo(dtype).max
    coded = np.random.default_rng(1).integers(0, top, (20, 30, 3), endpoint=True).astype(dtype)
    by_table = drift.apply(coded)
    assert by_table.dtype == dtype
    by_formula = drift.apply(coded.astype(np.float32) / np.float32(top))
    assert np.abs(by_table / top - by_formula).max() <= 0.51 / top + 1e-5


def test_stops_are_those_of_mid_grey() -> None:
    assert Exposure((2.0, 2.0, 2.0)).stops == pytest.approx(1)
    assert Exposure((1.0, 1.0, 1.0), gamma=2).stops == pytest.approx(np.log2(0.18))
    assert Exposure((1.1, 1.0, 1.0)).white_balance == pytest.approx(0.1)


@pytest.mark.parametrize("gamma", [1.0, 0.85, 1.2])
def test_the_inverse_takes_a_change_back(gamma: float) -> None:
    exposure = Exposure((0.7, 0.9, 0.8), gamma)
    plate = np.random.default_rng(0).uniform(0.05, 0.9, (9, 11, 3)).astype(np.float32)
    back = exposure.inverse().apply_float(exposure.apply_float(plate))
    np.testing.assert_allclose(back, plate, atol=2e-4)
