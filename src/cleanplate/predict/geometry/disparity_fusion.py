"""Disparity of the frame: the plate's, given or estimated, fused with the subjects'."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from cleanplate.arrays import Mask, Plane
from cleanplate.bands import bands
from cleanplate.bilinear import Enlarged
from cleanplate.depth import Normalisation
from cleanplate.depth.depth_codec import doubts, median_depth
from cleanplate.formats.pictures import resize
from cleanplate.predict.size import Size
from cleanplate.predict.upsample import fill_outside

Holes: TypeAlias = Literal["fill", "keep"]
"""Pixels that a given plate depth does not know: filled by the network's estimate, or nan."""

HOLES: tuple[Holes, ...] = ("fill", "keep")

NEARER = 0.002
"""An opaque subject hides the plate, so it is nearer: its metric disparity is at least the plate's
times 1 + NEARER (6 mm at 3 m), so that a depth test shows the subject and not the floor."""


def at_size(disparity: Plane, size: Size) -> Plane:
    """Disparity with nan where unknown, at another size, by the nearest pixel.

    Nothing is averaged, so no depth comes up that was not measured.
    """
    if disparity.shape == size:
        return disparity
    rows = ((np.arange(size[0]) + 0.5) * disparity.shape[0] / size[0]).astype(np.intp)
    columns = ((np.arange(size[1]) + 0.5) * disparity.shape[1] / size[1]).astype(np.intp)
    return np.asarray(disparity[rows[:, None], columns])


def for_network(disparity: Plane, normalisation: Normalisation, size: Size) -> tuple[Plane, Mask]:
    """Relative disparity for the network at working size, and where it is known.

    The mean over the known pixels of each cell; known where at least half of the cell is.
    """
    known = np.isfinite(disparity)
    relative = np.where(known, normalisation.apply(disparity), np.float32(0))
    share = resize(known.astype(np.float32), size)
    total = resize(relative.astype(np.float32), size)
    valid = share >= 0.5
    return np.divide(total, share, out=np.zeros_like(total), where=valid), valid


def subject_everywhere(subject: Plane, alpha: Plane) -> Plane:
    """Carry the subject's disparity (h, w) beyond its edge, so that the plate's never mixes in.

    Weight rises from nothing at alpha 0.3 to full at alpha 0.9.
    """
    weight = np.clip((alpha - 0.3) / 0.6, 0, 1).astype(np.float32)
    return fill_outside(subject, weight)


def frame_disparity(
    alpha: Plane,
    subject: Plane,
    plate: Plane,
    given: Plane | None = None,
    normalisation: Normalisation | None = None,
    *,
    holes: Holes = "fill",
) -> Plane:
    """Fuse the frame's disparity: the subject's where alpha >= 0.5, else the plate's.

    Args:
        alpha: (H, W), the matte.
        subject: (h, w) relative disparity of the subject, carried beyond its edge.
        plate: (h, w) relative disparity of the plate, the network's estimate.
        given: (H, W) disparity of the plate in 1/m, nan where unknown; None = none was given.
        normalisation: what turns relative disparity into 1/m; goes with `given`.
        holes: what becomes of the plate's pixels that `given` does not know.

    Returns:
        (H, W) float32; 1/m and at least 0 if `given`, else relative. nan in holes that are kept.
    """
    size: Size = (alpha.shape[0], alpha.shape[1])
    result = np.empty(size, np.float32)
    large_subject, large_plate = Enlarged(subject, size), Enlarged(plate, size)
    for rows in bands(size):
        behind, before = large_plate.rows(rows), large_subject.rows(rows)
        if given is not None and normalisation is not None:
            behind = np.maximum(normalisation.invert(behind), 0)
            known = np.isfinite(given[rows])
            behind = np.where(known, given[rows], behind)
            before = np.maximum(normalisation.invert(before), behind * np.float32(1 + NEARER))
            if holes == "keep":
                behind = np.where(known, behind, np.float32(np.nan))
        else:
            before = np.maximum(before, behind)
        result[rows] = np.where(alpha[rows] >= 0.5, before, behind)
    return result


def measured(alpha: Plane, given: Plane | None) -> Mask:
    """Give where the frame's depth was measured: the plate is visible and its depth given.

    Elsewhere it is estimated: on the subject, and where the plate's depth is unknown.

    Args:
        alpha: (H, W).
        given: (H, W) the plate's disparity, registered, nan where unknown; None = not given.

    Returns:
        (H, W) bool.
    """
    if given is None:
        return np.zeros(alpha.shape, np.bool_)
    return np.asarray(np.isfinite(given) & (alpha < 0.5))


def depth_report(disparity: Plane) -> dict[str, Any]:
    """Summarise a given plate depth: shares of its pixels, median in metres, doubts."""
    known = np.isfinite(disparity)
    median = median_depth(disparity)
    return {
        "known": round(float(known.mean()), 4),
        "nothing_hit": round(float((known & (disparity == 0)).mean()), 4),
        "median_m": None if median is None else float(f"{median:.4g}"),
        "warnings": doubts(disparity),
    }


def shadow_behind(shadow: Plane, alpha: Plane) -> Plane:
    """Extrapolate the scene's shadow smoothly from around the subject to behind it.

    No loss ever held the network's shadow where the subject is opaque. Weight falls
    from full at alpha 0.3 to nothing at alpha 0.9.

    Args:
        shadow: (h, w) in (0, 1], the network's estimate.
        alpha: (h, w).

    Returns:
        (h, w) float32 in (0, 1]; 1 if there is nothing around the subject.
    """
    weight = np.clip((0.9 - alpha) / 0.6, 0, 1).astype(np.float32)
    if not weight.any():
        return np.ones_like(shadow, dtype=np.float32)
    return np.clip(fill_outside(shadow, weight), np.float32(1e-3), np.float32(1))


def shadow_seen(shadow: Plane, alpha: Plane) -> Plane:
    """Give the shadow on the visible part of the scene: 1 where the subject hides it.

    `shadow` itself up to alpha 0.9, from there on it goes over to 1, which it is from alpha 0.98
    on: networks rarely give 1 itself.

    Args:
        shadow: (H, W) in (0, 1].
        alpha: (H, W).
    """
    result = np.empty(alpha.shape, np.float32)
    for rows in bands(alpha.shape):
        seen = np.clip((np.float32(0.98) - alpha[rows]) / np.float32(0.08), 0, 1)
        result[rows] = 1 - (1 - shadow[rows]) * seen
    return result
