"""Histograms of alpha and depth over many pictures, exact in any order of addition."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.depth.depth_codec import FARTHEST

COVERAGE_BINS = 20


class AlphaHistogram:
    """Coverage of subjects over many (H, W) uint8 or uint16 mattes."""

    def __init__(self) -> None:
        self.pixels = self.clear = self.solid = self.empty = 0
        """Pixels in all, with alpha 0 and 1; pictures without any subject."""
        self.coverage = np.zeros(COVERAGE_BINS, np.int64)
        """Pictures by mean alpha, in equal bins over [0, 1]."""

    def add(self, alpha: npt.NDArray[Any]) -> None:
        """Count a matte."""
        top = int(np.iinfo(alpha.dtype).max)
        total = int(cv2.sumElems(alpha)[0])
        self.pixels += alpha.size
        self.clear += alpha.size - cv2.countNonZero(alpha)
        self.solid += int(np.count_nonzero(alpha == top))
        self.empty += total == 0
        self.coverage[min(COVERAGE_BINS - 1, total * COVERAGE_BINS // (top * alpha.size))] += 1

    def merge(self, other: AlphaHistogram) -> None:
        """Add the counts of `other`."""
        self.pixels += other.pixels
        self.clear += other.clear
        self.solid += other.solid
        self.empty += other.empty
        self.coverage += other.coverage

    def as_json(self) -> dict[str, Any]:
        """Give shares of pixels and the histogram of pictures."""
        pixels = max(1, self.pixels)
        return {
            "clear": self.clear / pixels,
            "solid": self.solid / pixels,
            "soft": (self.pixels - self.clear - self.solid) / pixels,
            "pictures_without_subject": self.empty,
            "coverage": {
                "edges": [k / COVERAGE_BINS for k in range(COVERAGE_BINS + 1)],
                "pictures": self.coverage.tolist(),
            },
        }


class DepthHistogram:
    """Number of pixels of each depth: in whole millimetres, from 1 mm to 65.534 m.

    Codes of relative disparity, whose metres are not known, are counted as codes.
    """

    def __init__(self) -> None:
        self.millimetres = np.zeros(FARTHEST + 1, np.int64)
        """0 counts the unknown, the last the farther and the infinite."""
        self.codes = np.zeros(256, np.int64)
        """8-bit disparity between the nearest and the farthest of its picture."""

    def add(self, depth: npt.NDArray[np.uint16]) -> None:
        """Count depth in millimetres, (H, W)."""
        self.millimetres += np.bincount(depth.ravel(), minlength=FARTHEST + 1)

    def add_codes(
        self, codes: npt.NDArray[np.uint8], low: float | None, high: float | None
    ) -> None:
        """Count 8-bit disparity, (H, W): code c means `low + c / 255 * (high - low)`, in 1/m.

        None, None: their meaning is unknown.
        """
        count = np.bincount(codes.ravel(), minlength=256)
        self.codes += count
        if low is not None and high is not None:
            np.add.at(self.millimetres, _millimetres_of_codes(low, high), count)

    def merge(self, other: DepthHistogram) -> None:
        """Add the counts of `other`."""
        self.millimetres += other.millimetres
        self.codes += other.codes

    @property
    def known(self) -> int:
        """Number of pixels with a finite depth in metres."""
        return int(self.millimetres[1:FARTHEST].sum())

    def quantile(self, share: float) -> float | None:
        """Give the depth in metres that `share` of known pixels do not exceed; None if none."""
        if not self.known:
            return None
        running = np.cumsum(self.millimetres[1:FARTHEST])
        return float(np.searchsorted(running, max(1, share * running[-1])) + 1) / 1000

    def as_json(self) -> dict[str, Any]:
        """Give the range, quantiles and a histogram with logarithmic bins."""
        pixels = int(self.millimetres.sum())
        if not pixels:
            return {"codes": self.codes.tolist()}
        edges = histogram_edges()
        below = np.concatenate([[0], np.cumsum(self.millimetres)])
        inside = np.diff(below[edges]).tolist()
        keys = ("nearest_m", "p1_m", "median_m", "p99_m", "farthest_m")
        document: dict[str, Any] = dict(
            zip(keys, map(self.quantile, (0, 0.01, 0.5, 0.99, 1)), strict=True)
        )
        document |= {
            "unknown": int(self.millimetres[0]) / pixels,
            "infinite_or_beyond_65_m": int(self.millimetres[FARTHEST]) / pixels,
            "histogram": {"edges_m": (edges / 1000).tolist(), "pixels": inside},
        }
        return {**document, "codes": self.codes.tolist()} if self.codes.any() else document


def histogram_edges() -> npt.NDArray[np.int64]:
    """Edges of the depth histogram's bins in millimetres: from 1 mm, then 12 to a decade."""
    decades = np.rint(100 * 10 ** (np.arange(34) / 12)).astype(np.int64)
    return np.concatenate([[1], decades, [FARTHEST]])


def _millimetres_of_codes(low: float, high: float) -> npt.NDArray[np.int64]:
    disparity = low + np.arange(256) / 255 * (high - low)
    with np.errstate(divide="ignore"):
        depth = np.where(disparity > 0, 1000 / disparity, FARTHEST)
    return np.clip(np.rint(depth), 1, FARTHEST).astype(np.int64)
