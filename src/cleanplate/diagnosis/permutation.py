"""Whether things belong together: the score of pairs against the score of permuted pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Maps = npt.NDArray[np.float32]

_DRAWS = 200


@dataclass(frozen=True)
class Match:
    """How N things match N others.

    Args:
        count: pairs whose second is not flat; with fewer than 4 all figures are 0.
        own: mean correlation of pair i with i.
        others: mean correlation over random permutations.
        z: (own - others) / standard deviation over the permutations.
        offset: k for which i matches i + k best (circular), 0 if that is i itself.
        offset_z: z of that offset.
    """

    count: int
    own: float
    others: float
    z: float
    offset: int
    offset_z: float


def match(one: Maps, other: Maps, *, seed: int = 0) -> Match:
    """Compare own pairs with permuted ones; what all pictures have in common is taken out first.

    Args:
        one: (N, H, W); NaN is unknown.
        other: (N, H, W).
        seed: of the permutations.
    """
    rows_of = [normal(residual(maps)) for maps in (one, other)]
    judged = rows_of[1].any(1)
    first, second = (rows[judged] for rows in rows_of)
    count = int(judged.sum())
    if count < 4:
        return Match(count, 0.0, 0.0, 0.0, 0, 0.0)
    table = first @ second.T
    rng = np.random.default_rng(seed)
    rows = np.arange(count)
    draws = np.array([table[rows, rng.permutation(count)].mean() for _ in range(_DRAWS)])
    by_offset = np.array([table[rows, (rows + k) % count].mean() for k in range(count)])
    spread = float(draws.std())
    best = int(by_offset.argmax())
    z = (by_offset - draws.mean()) / max(spread, 1e-12)
    shown = best if best <= count // 2 else best - count
    return Match(
        count, float(by_offset[0]), float(draws.mean()), float(z[0]), shown, float(z[best])
    )


def residual(maps: Maps) -> npt.NDArray[np.float64]:
    """Take the mean over pictures out of (N, H, W): what is left is a picture's own."""
    values = maps.astype(np.float64)
    known = np.isfinite(values)
    filled = np.where(known, values, 0)
    mean = filled.sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known, values - mean, np.nan)


def normal(maps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Make rows (N, H * W) of mean 0 and length 1, so that products are correlations.

    Unknown pixels become 0; a map that is flat (to 1e-6 of its size) becomes a row of zeros.
    """
    rows = maps.reshape(len(maps), -1)
    known = np.isfinite(rows)
    filled = np.where(known, rows, 0)
    mean = filled.sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
    centred = np.where(known, filled - mean, 0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    flat = length <= 1e-6 * np.maximum(np.linalg.norm(filled, axis=1, keepdims=True), 1e-12)
    return np.where(flat, 0, centred / np.where(flat, 1, length))


def edges(maps: Maps) -> Maps:
    """Strength of the change to the next pixel, (N, H, W); the root tames the strongest."""
    across = np.diff(maps, axis=2, append=maps[:, :, -1:])
    down = np.diff(maps, axis=1, append=maps[:, -1:])
    strength: Maps = np.sqrt(np.abs(across) + np.abs(down)).astype(np.float32)
    return strength


def correlations(one: Maps, other: Maps) -> npt.NDArray[np.float64]:
    """Correlate (N, H, W) maps pair by pair over their pixels, (N,); 0 where one is flat."""
    first, second = (normal(maps.astype(np.float64)) for maps in (one, other))
    return np.asarray((first * second).sum(1))


def spread_ratios(prediction: Maps, target: Maps) -> list[float]:
    """Divide standard deviations within each picture by its target's; flat targets are left out."""
    known = np.isfinite(target) & np.isfinite(prediction)
    found = []
    for p, t, k in zip(prediction, target, known, strict=True):
        wanted = float(t[k].std(dtype=np.float64)) if k.any() else 0.0
        if wanted > 1e-3 * max(1e-6, float(np.abs(t[k]).max(initial=0))):
            found.append(float(p[k].std(dtype=np.float64)) / wanted)
    return found


def common_share(prediction: Maps) -> float:
    """Give the share of the variance within pictures that all of them have in common."""
    values = prediction.astype(np.float64)
    values = values - np.nanmean(values, (1, 2), keepdims=True)
    total = float(np.nanmean(np.square(values)))
    return float(np.nanmean(np.square(np.nanmean(values, 0)))) / total if total > 0 else 1.0


def mean_row(maps: Maps) -> npt.NDArray[np.float64]:
    """Give the mean of (N, H, W) as one row of mean 0 and length 1."""
    known = np.isfinite(maps)
    total = np.where(known, maps, 0).sum(0, dtype=np.float64)
    return np.asarray(normal((total / np.maximum(known.sum(0), 1))[None])[0])
