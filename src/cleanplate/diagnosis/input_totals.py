"""Range and contrast of what a network was fed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class InputTotals:
    """Range and contrast of what a network was fed."""

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf
        self.bad = 0
        self.count = 0.0
        self.sums: npt.NDArray[np.float64] = np.zeros(0)
        self.squares: npt.NDArray[np.float64] = np.zeros(0)
        self.first: npt.NDArray[np.float32] | None = None
        self.all_same = True

    def update(self, pictures: npt.NDArray[np.float32]) -> None:
        """Add (N, C, H, W)."""
        finite = np.isfinite(pictures)
        self.bad += int((~finite).sum())
        values = np.where(finite, pictures, 0)
        wide = values.astype(np.float64)
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        if not self.sums.size:
            self.sums, self.squares = (np.zeros(pictures.shape[1]) for _ in range(2))
        if len(self.sums) == pictures.shape[1]:
            self.sums += wide.sum((0, 2, 3))
            self.squares += (wide * wide).sum((0, 2, 3))
            self.count += wide.shape[0] * wide.shape[2] * wide.shape[3]
        if self.first is None:
            self.first = values[0]
        same = values.shape[1:] == self.first.shape and bool((values == self.first).all())
        self.all_same = self.all_same and same

    def figures(self) -> dict[str, Any]:
        """Give the fields of `Measures` that are about the input."""
        mean = self.sums / max(self.count, 1)
        variance = np.maximum(self.squares / max(self.count, 1) - mean * mean, 0)
        return {
            "input_range": (self.low, self.high),
            "input_not_finite": self.bad,
            "input_contrast": float(np.sqrt(variance.mean())),
            "input_level": float(np.abs(mean).max(initial=0)),
            "input_variance": float(variance.min(initial=np.inf)),
            "inputs_all_same": self.all_same,
        }
