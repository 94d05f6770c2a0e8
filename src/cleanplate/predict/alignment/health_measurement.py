"""Measurement of plate health on the thumbnails of plate and frame.

For each frame: the agreement of blocks, the exposure and the movement of some corners
(`agreement`, `exposure`, `movement`). Keypoints of the whole picture (`registration`), which cost
more, only where those leave it open whether both show one scene.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from cleanplate.arrays import Mask, Plane
from cleanplate.predict.alignment.agreement import Structure, agreement, block_means, structure
from cleanplate.predict.alignment.exposure import Exposure, match_exposure
from cleanplate.predict.alignment.health import ANOTHER_SCENE, Health
from cleanplate.predict.alignment.homography import Matrix, covered, scaled, warp
from cleanplate.predict.alignment.keypoints import Keypoints
from cleanplate.predict.alignment.movement import Movement, track_movement
from cleanplate.predict.alignment.registration import FEWEST_INLIERS, register
from cleanplate.predict.alignment.thumbnail import (
    MOST_KEYPOINTS,
    PlateThumbnail,
    Uint8Image,
    grey_of,
    span_of,
)
from cleanplate.predict.size import Size

OPPOSITE = 0.5
"""Red and blue are called exchanged if their ratio in plate and frame correlates below minus
this."""

FAR_STOPS = 2.0
"""A drift of exposure beyond this is accepted only where texture shows that the scene is the same:
two even walls, one white and one black, look like one wall in another exposure."""

BLANK = 2.0
"""A picture whose levels (of 255), its noise smoothed away, span less than this shows nothing."""

_SUPPORTED = 0.2
_UNLIKE = 0.8
_LIT = 12.0
_TINTED = 0.03


def measure_health(
    plate: PlateThumbnail, frame: Uint8Image, size: Size, blockiness: float = 1.0
) -> Health:
    """Measure how well `plate` fits `frame`, thumbnails of one size.

    Args:
        plate: of the plate.
        frame: (h, w, 3), from `thumbnail`.
        size: (height, width) of the full pictures.
        blockiness: of the frame.
    """
    for span, name in ((plate.span, "plate"), (span_of(frame), "frame")):
        if span < BLANK:
            nothing = f"the {name} is blank: it shows one even colour"
            return Health(
                size,
                Movement(why_not=nothing),
                Exposure(why_not=nothing),
                refusal=nothing,
                cure=f"give a {name} that shows the scene",
            )
    alike = structure(plate.pixels, frame)
    health, matched = _compared(plate.pixels, frame, size, alike)
    movement = track_movement(grey_of(matched), grey_of(frame), plate.corners, size)
    proven = movement.measured and health.agreeing >= ANOTHER_SCENE
    matrix: Matrix | None = None
    if not proven:
        movement, matrix = _by_features(plate, frame, size, movement)
    health = replace(health, movement=movement)
    if matrix is not None:
        there = measure_registered(health, plate, frame, matrix)
        if there.agreeing > health.agreeing:
            health = there
    health = replace(health, blockiness=max(plate.blockiness, blockiness))
    return _judged(health, swapped_channels(plate.pixels, frame, alike))


def measure_registered(
    health: Health, plate: PlateThumbnail, frame: Uint8Image, matrix: Matrix
) -> Health:
    """Measure again what depends on where the plate lies, with it moved by `matrix` (full size)."""
    coarse = scaled(matrix, plate.pixels.shape[1] / health.size[1])
    moved = np.asarray(warp(plate.pixels, coarse), np.uint8)
    usable = covered((moved.shape[0], moved.shape[1]), coarse)
    there, _ = _compared(moved, frame, health.size, structure(moved, frame), usable)
    return replace(
        there,
        movement=health.movement,
        refusal=health.refusal,
        cure=health.cure,
        blockiness=health.blockiness,
    )


def _compared(
    plate: Uint8Image, frame: Uint8Image, size: Size, alike: Structure, usable: Mask | None = None
) -> tuple[Health, Uint8Image]:
    """Compare two thumbnails as they are; also give the plate's in the frame's exposure."""
    # Blocks that cannot show the same tell nothing of exposure; but of a moved plate that may be
    # nearly all.
    weight = None
    if alike.unlike.mean() < _UNLIKE:
        weight = _over_blocks(~alike.unlike, plate.shape[:2])
    exposure = match_exposure(plate, frame, usable, weight)
    if abs(exposure.stops) > FAR_STOPS and alike.similar_share < _SUPPORTED:
        why = f"a change of {exposure.stops:+.1f} stops is not borne out by any texture"
        exposure = Exposure(agreeing=exposure.agreeing, why_not=why)
    matched = np.asarray(exposure.apply(plate), np.uint8)
    found = agreement(matched, frame, alike)
    health = Health(
        size,
        Movement(),
        exposure,
        agreeing=found.share,
        sharpness=found.sharpness,
        noise=found.noise,
        lost=exposure.lost(plate),
        blind=_blind(matched, frame),
        bright=float(np.percentile(grey_of(frame)[::4, ::4], 95)),
        agreed=found.blocks,
    )
    return health, matched


def _by_features(
    plate: PlateThumbnail, frame: Uint8Image, size: Size, movement: Movement
) -> tuple[Movement, Matrix | None]:
    """Find the movement by keypoints, where there are enough in the plate."""
    if len(plate.keypoints.points) < FEWEST_INLIERS:
        return movement, None
    found = register(plate.keypoints, Keypoints.of(frame, MOST_KEYPOINTS), size, refine=False)
    if not found.trusted:
        return Movement(why_not=found.why_not or movement.why_not), None
    by_features = Movement(found.moved, found.inliers, found.share, "features")
    return by_features, None if found.kind == "none" else found.matrix


def _judged(health: Health, swapped: bool) -> Health:
    """Add the refusal of a plate that is plainly wrong."""
    if swapped:
        return replace(
            health,
            refusal="red and blue of plate and frame go opposite ways: are the channels swapped?",
            cure="give both in RGB order; OpenCV reads BGR, and frame[..., ::-1] makes RGB of it",
        )
    if health.agreeing < ANOTHER_SCENE and not health.movement.measured:
        return replace(
            health,
            refusal=f"this is not the frame's plate: only {health.agreeing:.0%} of the picture "
            "agrees and no common view was found",
            cure="give the empty picture of the same scene, taken by the same camera from the "
            "same place",
        )
    return health


def swapped_channels(plate: Uint8Image, frame: Uint8Image, alike: Structure) -> bool:
    """Whether one thumbnail is RGB and the other BGR.

    The logarithm of red over blue, from block to block, then goes opposite ways in the two; a
    change of exposure or white balance only adds a constant to it. Most blocks must agree once red
    and blue are exchanged: a large subject can have the opposite colour of what it hides.
    """
    colours = [block_means(p.astype(np.float32)) for p in (plate, frame)]
    used = (np.minimum(*colours).min(axis=2) > _LIT) & ~alike.unlike
    tints = [np.log(c[used, 0] / c[used, 2]) for c in colours]
    # Cut off, so that a subject of strong colour weighs no more than others.
    tints = [np.clip(t - np.median(t), -0.7, 0.7) for t in tints if t.size >= 8]
    if len(tints) < 2 or min(float(t.std()) for t in tints) < _TINTED:
        return False
    one, other = tints
    opposite = float(np.corrcoef(one, other)[0, 1]) < -OPPOSITE
    return opposite and bool(np.median(np.abs(one + other)) < np.median(np.abs(one - other)))


def _blind(plate: Uint8Image, frame: Uint8Image) -> tuple[float, float]:
    """Shares of the picture that are clipped, and black, in both."""
    both = [np.ascontiguousarray(picture[::2, ::2]) for picture in (plate, frame)]
    white = cv2.inRange(cv2.min(*both), (250,) * 3, (255,) * 3)
    black = cv2.inRange(cv2.max(*both), (0,) * 3, (3,) * 3)
    return cv2.countNonZero(white) / white.size, cv2.countNonZero(black) / black.size


def _over_blocks(blocks: Mask, size: tuple[int, ...]) -> Plane:
    """Blocks as weights 0 and 1 of every pixel (h, w)."""
    large = cv2.resize(
        blocks.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_NEAREST
    )
    return np.asarray(large, np.float32)
