"""Registration of the plate to the frame: a homography, and whether it can be trusted.

SIFT keypoints on the whole picture, a homography by random consensus (MAGSAC++) with the subject
as outliers, a second pass without the parts that changed, then refinement by ECC (Evangelidis and
Psarakis 2008). A registration that cannot be trusted is not used; `why_not` names the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Plane
from cleanplate.errors import CleanplateError
from cleanplate.predict.alignment.homography import (
    Matrix,
    corner_movement,
    corners,
    covered,
    inverse,
    transform,
    warp,
)
from cleanplate.predict.alignment.keypoints import Keypoints, Points, matches, spread
from cleanplate.predict.size import Size

Align = Literal["auto", "on", "off"]
"""When the plate is registered: where plate health measures movement, for every frame, never."""

REGISTRATION_SIZE = 1024
"""Long side at which features are found when registering for use."""

FEWEST_INLIERS = 16
SMALLEST_SHARE = 0.2
"""Below either, the matches do not prove that one view is the other."""

SMALLEST_SPREAD = 0.12
"""Inliers must lie in at least this share of the picture's 6 x 6 cells."""

WIDE_SPREAD = 0.3
"""In fewer cells than this, a perspective would be guessed at the far corners, so only shift, turn
and scale are estimated."""

SLACK = 0.02
"""A registration is dropped if plate and frame then differ by this share more than without it."""

WIDEST_MOVE = 0.25
"""A corner that moves by more than this share of the long side is not a knocked tripod."""

_TOLERANCE = 2.5


@dataclass(frozen=True)
class Registration:
    """Position of the plate in the frame, at full size.

    matrix: plate pixels to frame pixels, (3, 3) float64; the identity if not trusted.
    trusted: whether the evidence is good enough to use it.
    inliers, share: matches that follow the matrix, and their share of all matches.
    residual: their median distance after it, in full-size pixels.
    moved: largest displacement of a corner, in full-size pixels.
    why_not: what is missing if it is not trusted.
    """

    matrix: Matrix = field(default_factory=lambda: np.eye(3))
    trusted: bool = False
    inliers: int = 0
    share: float = 0.0
    residual: float = float("nan")
    moved: float = 0.0
    kind: str = "none"
    why_not: str = ""

    @property
    def moves(self) -> bool:
        """Whether the plate must be resampled: it can be trusted, and it is a movement."""
        return self.trusted and self.kind != "none"

    def as_report(self) -> dict[str, Any]:
        """Plain numbers for the report."""
        return {
            "trusted": self.trusted,
            "kind": self.kind,
            "inliers": self.inliers,
            "inlier_share": round(self.share, 3),
            "residual_px": None if np.isnan(self.residual) else round(self.residual, 2),
            "moved_px": round(self.moved, 2),
            "matrix": [[float(f"{v:.8g}") for v in row] for row in self.matrix],
            **({"why_not": self.why_not} if self.why_not else {}),
        }


def align_mode(value: bool | str) -> Align:
    """Check a choice of `Align`; True is "on" and False "off".

    Raises:
        CleanplateError: another word.
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    for mode in get_args(Align):
        if value == mode:
            return mode  # type: ignore[no-any-return]
    raise CleanplateError(
        f"align cannot be {value!r}", cure=f"choose of: {', '.join(get_args(Align))}"
    )


def register(
    plate: Keypoints, frame: Keypoints, size: Size, *, refine: bool = True
) -> Registration:
    """Estimate the position of the plate in the frame.

    Args:
        plate: of the plate at a moderate size.
        frame: of the frame at the same size.
        size: (height, width) of the full pictures, in whose pixels the answer is given.
        refine: whether to improve the answer by ECC.
    """
    height, width = plate.grey.shape
    to_full = np.diag([size[1] / width, size[0] / height, 1.0])
    grey_plate, grey_frame = plate.grey, frame.grey
    points_plate, points_frame = matches(plate, frame)
    found = _fit(points_plate, points_frame, (height, width))
    if found.trusted:
        # Second pass: what still differs after the first is the subject; leave it out.
        unchanged = ~changed_area(grey_plate, grey_frame, found.matrix)
        keep = _at(unchanged, points_frame)
        again = _fit(points_plate[keep], points_frame[keep], (height, width))
        if again.trusted:
            # The first pass's share stands: it counts the subject's matches too.
            found = replace(again, share=found.share)
        if refine:
            found = _refined(found, grey_plate, grey_frame, unchanged, (points_plate, points_frame))
        if found.moves:
            found = _if_better(found, grey_plate, grey_frame)
    full = to_full @ found.matrix @ np.linalg.inv(to_full)
    return replace(
        found,
        matrix=full / full[2, 2],
        residual=found.residual * float(to_full[0, 0]),
        moved=corner_movement(full, size),
    )


def changed_area(plate: npt.NDArray[np.uint8], frame: npt.NDArray[np.uint8], m: Matrix) -> Mask:
    """(h, w), True where grey `frame` clearly differs from the registered grey `plate`."""
    difference = _difference(plate, frame, m)
    spread = 1.4826 * float(np.median(np.abs(difference)))
    changed = np.abs(difference) > max(12.0, 4 * spread)
    return cv2.dilate(changed.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0


def _difference(plate: npt.NDArray[np.uint8], frame: npt.NDArray[np.uint8], m: Matrix) -> Plane:
    """Subtract the registered plate from the frame, blurred, less the median of the difference."""
    soft = [cv2.GaussianBlur(p, (0, 0), 2).astype(np.float32) for p in (warp(plate, m), frame)]
    difference = soft[1] - soft[0]
    return np.asarray(difference - np.median(difference), np.float32)


def _fit(plate: Points, frame: Points, size: Size) -> Registration:
    count = len(plate)
    if count < FEWEST_INLIERS:
        return Registration(inliers=0, why_not=f"only {count} features match")
    homography, mask = cv2.findHomography(
        plate, frame, cv2.USAC_MAGSAC, _TOLERANCE, maxIters=5000, confidence=0.9999
    )
    if homography is None:
        return Registration(why_not="no common view among the matches")
    inside = mask.ravel() > 0
    matrix, kind, inside = _simplest(np.asarray(homography, np.float64), plate, frame, inside, size)
    inliers = int(inside.sum())
    share = inliers / count
    covers = spread(frame[inside], size)
    distance = np.linalg.norm(transform(matrix, plate[inside]) - frame[inside], axis=1)
    why = ""
    if inliers < FEWEST_INLIERS:
        why = f"only {inliers} matches agree on one movement"
    elif share < SMALLEST_SHARE:
        why = f"only {share:.0%} of the matches agree on one movement"
    elif covers < SMALLEST_SPREAD:
        why = "the agreeing matches lie in one small part of the picture"
    elif not _plausible(matrix, size):
        why = "the movement found is larger than a moved camera explains"
    if why:
        return Registration(inliers=inliers, share=share, why_not=why)
    return Registration(
        matrix / matrix[2, 2], True, inliers, share, float(np.median(distance)), 0.0, kind
    )


def _simplest(
    homography: Matrix, plate: Points, frame: Points, inside: Mask, size: Size
) -> tuple[Matrix, str, Mask]:
    """Find the simplest movement that explains the matches as well as the homography does.

    Fewer degrees of freedom stray less where there are no matches, and a camera that stood still
    should not cost the plate a resampling.
    """
    candidates: list[tuple[str, Matrix]] = [("none", np.eye(3))]
    shift = np.eye(3)
    shift[:2, 2] = np.median(frame[inside] - plate[inside], axis=0)
    candidates.append(("shift", shift))
    similarity, _ = cv2.estimateAffinePartial2D(
        plate[inside], frame[inside], ransacReprojThreshold=_TOLERANCE
    )
    if similarity is not None:
        candidates.append(("similarity", np.vstack([similarity, [0, 0, 1]]).astype(np.float64)))
    best = np.linalg.norm(transform(homography, plate) - frame, axis=1)
    for kind, matrix in candidates:
        distance = np.linalg.norm(transform(matrix, plate) - frame, axis=1)
        close = distance < _TOLERANCE
        narrow = kind == "similarity" and spread(frame[inside], size) < WIDE_SPREAD
        if close.sum() >= 0.9 * inside.sum() and (
            narrow or np.median(distance[inside]) <= 1.3 * np.median(best[inside]) + 0.1
        ):
            return matrix, kind, close
    return homography / homography[2, 2], "homography", inside


def _refined(
    found: Registration,
    plate: npt.NDArray[np.uint8],
    frame: npt.NDArray[np.uint8],
    unchanged: Mask,
    points: tuple[Points, Points],
) -> Registration:
    """`found` improved by ECC on unchanged pixels, if the matches do not contradict it."""
    if found.kind != "homography":
        return found
    start = inverse(found.matrix).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-5)
    # The mask belongs to the picture that ECC warps, which is the plate.
    allowed = warp(unchanged.astype(np.uint8), inverse(found.matrix), nearest=True)
    try:
        _, inverted = cv2.findTransformECC(
            frame, plate, start, cv2.MOTION_HOMOGRAPHY, criteria, allowed, 5
        )
    except cv2.error:  # it did not converge
        return found
    matrix = inverse(np.asarray(inverted, np.float64))
    before = np.linalg.norm(transform(found.matrix, points[0]) - points[1], axis=1)
    after = np.linalg.norm(transform(matrix, points[0]) - points[1], axis=1)
    inside = before < _TOLERANCE
    residual = float(np.median(after[inside]))
    if not np.isfinite(residual) or residual > max(0.5, 1.2 * found.residual):
        return found
    return replace(found, matrix=matrix, residual=residual, kind=found.kind + " + ECC")


def _if_better(
    found: Registration, plate: npt.NDArray[np.uint8], frame: npt.NDArray[np.uint8]
) -> Registration:
    """`found`, unless the picture as a whole agrees better with the plate left as it is."""
    inside = covered((plate.shape[0], plate.shape[1]), found.matrix)
    # Cut off, so that the subject weighs the same with and without.
    with_it, without = (
        np.minimum(np.abs(_difference(plate, frame, m)), 30)[inside].mean()
        for m in (found.matrix, np.eye(3))
    )
    if with_it <= (1 + SLACK) * without:
        return found
    why = "the picture as a whole agrees better without the movement that the matches suggest"
    return Registration(inliers=found.inliers, share=found.share, why_not=why)


def _plausible(matrix: Matrix, size: Size) -> bool:
    ends = corners(size)
    moved = transform(matrix, ends)
    if not np.isfinite(moved).all():
        return False
    if np.linalg.norm(moved - ends, axis=1).max() > WIDEST_MOVE * max(size):
        return False
    return bool(cv2.isContourConvex(moved.astype(np.float32).reshape(-1, 1, 2)))


def _at(mask: Mask, points: Points) -> npt.NDArray[np.bool_]:
    x = np.clip(points[:, 0].astype(int), 0, mask.shape[1] - 1)
    y = np.clip(points[:, 1].astype(int), 0, mask.shape[0] - 1)
    return np.asarray(mask[y, x])
