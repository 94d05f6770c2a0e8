"""The subjects of a matte: its connected regions, and geometric quantities of each."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Plane

MEASURING_SIZE = 256
"""Long side, in pixels, at which subjects are measured."""
SOLID = 0.9
"""Alpha from which a pixel surely hides the plate."""
SMALLEST = 4e-4
"""Least share of the picture that a subject of its own covers."""
NEAREST = 0.995
"""The bound is this quantile of the plate's disparity that the subject hides."""
FARTHEST = 0.005
"""Disparity below it (200 m) counts as this much, so that ratios exist."""
STEP = 1.1
"""A plate part is in front of another one if its disparity is larger by this factor."""
BANDS = 8
"""Rows of the outline's profile."""

_HIDDEN = (0.98, 0.95, 0.75, 0.5, 0.25)

SHAPES = (
    "log_area",
    "height",
    "width",
    "top",
    "bottom",
    "aside",
    "fill",
    "aspect",
    "cut_left",
    "cut_right",
    "cut_top",
    "cut_bottom",
    *(f"profile_{band}" for band in range(BANDS)),
)
RATIOS = (
    *(f"hidden_{round(100 * share)}" for share in _HIDDEN),
    "under_median",
    "under_nearest",
    "contact",
    "slope",
    "around",
    "scene_nearest",
)
HIDING = ("hidden_share", "hidden_below", "hidden_by")
SIZES = (
    "metres_bound",
    "metres_height",
    "metres_width",
    "metres_root_area",
    "metres_head",
    "metres_over_axis",
    "metres_under_axis",
    "focal",
)
"""The quantities of a subject, in four groups; `SIZES` need metres."""


class Subject(NamedTuple):
    """A connected part of a matte.

    box: top, left, bottom, right in pixels of the matte, the last two exclusive.
    mask: (bottom - top, right - left), its pixels.
    """

    box: tuple[int, int, int, int]
    mask: Mask

    @property
    def inside(self) -> tuple[slice, slice]:
        """Index of the box in a picture."""
        top, left, bottom, right = self.box
        return slice(top, bottom), slice(left, right)


class Measured(NamedTuple):
    """Geometric quantities of a subject.

    bound: nearest plate disparity that it hides.
    quantities: float32, in the order of `names`.
    stands: its lower edge is seen, and the plate goes on beneath it without a step.
    """

    bound: float
    quantities: npt.NDArray[np.float32]
    stands: bool


def names(*, metric: bool) -> tuple[str, ...]:
    """Name the quantities of `measure`, in order."""
    return (*SHAPES, *RATIOS, *HIDING, *(SIZES if metric else ()))


def connected(alpha: Plane) -> tuple[list[Subject], npt.NDArray[np.int32]]:
    """Find the connected subjects of a matte.

    Parts that lie within two pixels of each other are one subject. Specks below `SMALLEST` of the
    picture belong to the nearest subject, unless there is nothing else.

    Args:
        alpha: (h, w) in [0, 1].

    Returns:
        the subjects, largest first, and (h, w) int32: for every pixel the number of its nearest
        subject, -1 where there are none at all.
    """
    solid = (alpha >= 0.5).astype(np.uint8)
    joined = np.asarray(cv2.dilate(solid, np.ones((3, 3), np.uint8)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    labels = np.where(solid > 0, labels, 0).astype(np.int32)
    areas = np.bincount(labels.ravel(), minlength=count)
    areas[0] = 0
    least = SMALLEST * alpha.size
    kept = [int(i) for i in np.argsort(-areas, kind="stable") if areas[i] >= least]
    kept = kept or [int(areas.argmax())] * bool(areas.any())
    number = np.full(count, -1, np.int32)
    number[kept] = np.arange(len(kept))
    own = number[labels]
    subjects = []
    for label in kept:
        left, top, width, height, _ = (int(value) for value in stats[label])
        found = labels[top : top + height, left : left + width] == label
        rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        box = (top + int(y0), left + int(x0), top + int(y1), left + int(x1))
        subjects.append(Subject(box, found[y0:y1, x0:x1]))
    return subjects, _everywhere(own, len(subjects))


def _everywhere(own: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int32]:
    if count < 2:
        return np.full(own.shape, count - 1, np.int32)
    free = (own < 0).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(
        free, cv2.DIST_L2, cv2.DIST_MASK_3, labelType=cv2.DIST_LABEL_PIXEL
    )
    numbers = np.zeros(int(nearest.max()) + 1, np.int32)
    numbers[nearest[free == 0]] = own[free == 0]
    return np.asarray(numbers[nearest], np.int32)


def measure(
    subject: Subject, alpha: Plane, disparity: Plane, focal: tuple[float, bool] | None
) -> Measured | None:
    """Measure a subject against the plate; None where it hides nothing of known disparity.

    Args:
        subject: one of `connected(alpha)`.
        alpha: (h, w).
        disparity: (h, w) of the plate, at least 0, 1/m or relative; nan where unknown.
        focal: focal length in pixels of this size, and whether it is known or only assumed;
            None where disparity is relative.
    """
    height, width = alpha.shape
    top, left, bottom, right = subject.box
    behind = disparity[subject.inside]
    core = subject.mask & (alpha[subject.inside] >= SOLID)
    hidden = behind[core]
    hidden = hidden[np.isfinite(hidden)]
    if hidden.size < 8:
        hidden = behind[subject.mask]
        hidden = hidden[np.isfinite(hidden)]
        if not hidden.size:
            return None
    hidden = np.maximum(np.sort(hidden), np.float32(FARTHEST))
    bound = _quantile(hidden, NEAREST)
    rows, columns, mask = bottom - top, right - left, subject.mask
    area, long = float(np.count_nonzero(mask)), max(height, width)
    widths = mask.sum(1, dtype=np.float32)
    profile = [float(part.mean()) / columns for part in np.array_split(_stretched(widths), BANDS)]
    cuts = (
        float(mask[:, 0].mean()) if left <= 1 else 0.0,
        float(mask[:, -1].mean()) if right >= width - 1 else 0.0,
        float(mask[0].mean()) if top <= 1 else 0.0,
        float(mask[-1].mean()) if bottom >= height - 1 else 0.0,
    )
    shapes = (
        0.5 * np.log(area / alpha.size),
        rows / long,
        columns / long,
        top / height,
        bottom / height,
        abs((left + right) / (2 * width) - 0.5),
        area / (rows * columns),
        np.log(rows / columns),
        *cuts,
        *profile,
    )
    under, contact, slope, stepped = _underneath(subject, disparity)
    ring = _ring(subject, disparity)
    before = ring[ring > bound * STEP]
    whole = disparity[::4, ::4]
    whole = np.sort(whole[np.isfinite(whole)])
    log = np.log
    ratios = (
        *(log(bound / _quantile(hidden, share)) for share in _HIDDEN),
        log(bound / _quantile(under, 0.5)) if under.size else 0.0,
        log(bound / _quantile(under, 0.95)) if under.size else 0.0,
        log(bound / contact) if under.size else 0.0,
        slope,
        log(bound / _quantile(ring, 0.5)) if ring.size else 0.0,
        log(bound / max(_quantile(whole, 0.98), FARTHEST)) if whole.size else 0.0,
    )
    hiding = (
        before.size / max(ring.size, 1),
        stepped,
        log(_quantile(before, 0.5) / bound) if before.size > 0.02 * ring.size else 0.0,
    )
    sizes: tuple[float, ...] = ()
    if focal is not None:
        pixel = 1 / (focal[0] * bound)
        head = float(np.median(widths[: max(1, round(0.35 * min(rows, columns)))]))
        sizes = (
            log(1 / bound),
            log(rows * pixel),
            log(columns * pixel),
            log(np.sqrt(area) * pixel),
            log(max(head, 0.5) * pixel),
            float(np.clip((height / 2 - top) * pixel, -4, 4)),
            float(np.clip((bottom - height / 2) * pixel, -4, 4)),
            log(focal[0] / long) * focal[1],
        )
    values = np.array([*shapes, *ratios, *hiding, *sizes], np.float32)
    return Measured(bound, np.clip(values, -6, 6), cuts[3] == 0 and stepped < 0.3)


def _quantile(ordered: npt.NDArray[np.float32], share: float) -> float:
    return float(ordered[int(share * (ordered.size - 1) + 0.5)])


def _stretched(widths: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Repeat rows so that there are enough for the profile."""
    return np.repeat(widths, -(-BANDS // widths.size)) if widths.size < BANDS else widths


def _underneath(
    subject: Subject, disparity: Plane
) -> tuple[npt.NDArray[np.float32], float, float, float]:
    """Look at the plate along the subject's lower edge.

    Returns:
        its disparity there, sorted; its disparity where the edge touches it, carried on over the
        last one and a half rows, of the nearest tenth; its growth from row to row, as a share;
        and the share of the edge with a step: the plate two pixels below the subject is in front
        of the plate that it hides there.
    """
    top, left = subject.box[:2]
    height = disparity.shape[0]
    rows = subject.mask.shape[0]
    lowest = rows - 1 - np.argmax(subject.mask[::-1], axis=0)
    # Only what belongs to the lower part: arms held out say nothing about the feet.
    low = lowest >= rows - 1 - max(1, round(0.12 * rows))
    columns = left + np.flatnonzero(low)
    row = top + lowest[low]
    edge = disparity[np.maximum(row - 1, 0), columns]
    above = disparity[np.maximum(row - 4, 0), columns]
    below = disparity[np.minimum(row + 2, height - 1), columns]
    known = np.isfinite(edge)
    # The floor comes nearer row by row: only what comes faster is a step.
    slope = np.nan_to_num(np.maximum(edge - above, 0))
    with np.errstate(invalid="ignore"):
        rises = below - edge > 2 * slope + (STEP - 1) * np.maximum(edge, FARTHEST)
    steps = known & (row + 2 < height) & rises
    stepped = float(steps.sum() / max(1, steps.size))
    found = np.maximum(edge[known], np.float32(FARTHEST))
    if not found.size:
        return found, FARTHEST, 0.0, stepped
    # A wall's foot or a table's edge is no slope.
    gentle = np.minimum(slope[known], np.float32(0.5) * found)
    contact = np.sort(found + np.float32(0.5) * gentle)
    growth = float(np.median(gentle / found)) / 3
    return np.sort(found), _quantile(contact, 0.9), growth, stepped


def _ring(subject: Subject, disparity: Plane) -> npt.NDArray[np.float32]:
    """Give the plate's disparity two to three pixels outside of the subject, sorted."""
    top, left, bottom, right = subject.box
    height, width = disparity.shape
    y0, x0, y1, x1 = (
        max(0, top - 3),
        max(0, left - 3),
        min(height, bottom + 3),
        min(width, right + 3),
    )
    near = np.zeros((y1 - y0, x1 - x0), np.uint8)
    near[top - y0 : bottom - y0, left - x0 : right - x0] = subject.mask
    inner = cv2.dilate(near, np.ones((3, 3), np.uint8))
    outer = cv2.dilate(inner, np.ones((5, 5), np.uint8))
    values = disparity[y0:y1, x0:x1][outer > inner]
    return np.maximum(np.sort(values[np.isfinite(values)]), np.float32(FARTHEST))
