"""Disparity from the plate alone: the mean over scales and mirrored pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cleanplate.predict.plate_disparity import SCALES, estimate_disparity


class Ramp:
    """Stands for a network that sees nearness grow downwards, in a scale of its own each time."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def plate_disparity(self, plate: Any) -> Any:
        height, width = plate.shape[:2]
        self.sizes.append((height, width))
        scale = float(len(self.sizes))
        rows = np.linspace(0, scale, height, dtype=np.float32)[:, None] + 10 * scale
        return np.repeat(rows, width, 1)


class Colour(Ramp):
    """A network that takes red for near."""

    def plate_disparity(self, plate: Any) -> Any:
        return plate[..., 0].copy()


def test_estimates_of_any_scale_agree_in_what_they_have_in_common():
    session = Ramp()
    seen = estimate_disparity(session, np.zeros((300, 400, 3), np.float32))  # type: ignore[arg-type]
    assert session.sizes == [(round(300 * s / 400), s) for s in SCALES for _ in range(2)]
    assert float(np.median(seen)) == pytest.approx(0, abs=1e-4)
    assert float(np.abs(seen).mean()) == pytest.approx(1, rel=1e-3)
    truth = np.linspace(-2, 2, 300)[:, None]
    assert np.abs(seen - truth).max() < 0.05


def test_mirrored_estimates_are_mirrored_back():
    plate = np.zeros((96, 128, 3), np.float32)
    plate[:, 64:] = 1
    seen = estimate_disparity(Colour(), plate)  # type: ignore[arg-type]
    assert (seen[:, 70:] > seen[:, :58].max()).all()


def test_pictures_smaller_than_a_scale_are_not_enlarged():
    session = Ramp()
    estimate_disparity(session, np.zeros((20, 30, 3), np.float32))  # type: ignore[arg-type]
    assert set(session.sizes) == {(20, 30)}
