"""Whether the plate fits the frame, measured before anything is predicted, and told afterwards.

Per frame only what is cheap: the agreement of blocks, the light, the paths of some corners
(`agreement`, `exposure`, `movement`). Features of the whole picture (`registration`) are looked
for only where those leave in doubt whether both show one scene.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from cleanplate.arrays import Mask, Plane
from cleanplate.errors import CleanplateError
from cleanplate.predict.agreement import Structure, agreement, block_means, structure
from cleanplate.predict.exposure import Exposure, match_exposure
from cleanplate.predict.landmarks import Landmarks
from cleanplate.predict.movement import Movement, follow
from cleanplate.predict.registration import (
    FEWEST_INLIERS,
    Matrix,
    covered,
    register,
    scaled,
    warp,
)
from cleanplate.predict.size import Size
from cleanplate.predict.thumbnail import FEATURES, Eight, PlateThumbnail, grey_of, span_of

BLANK = 2.0
"""A picture whose levels (of 255), its noise smoothed away, span less than this shows nothing."""

ANOTHER_SCENE = 0.22
"""Refused if a smaller share of the picture agrees and no common view is found either."""

DOUBTFUL = 0.45
"""Warned of below this share without a common view."""

MOVED, MOVED_LEAST = 0.0015, 0.75
"""A movement of more than this share of the long side (and so many pixels) is registered, or
warned of: three quarters of a pixel of what the network sees."""

DRIFT_STOPS = 0.5
DRIFT_WHITE = 0.15
SOFTER = 1.0
"""Drift of light in stops, of white balance as a share, of sharpness as log2, that is reported."""

LOST = 0.05
"""Warned of if more than this share of the plate is clipped or crushed so that no exposure brings
it back."""

BLIND = 0.2
"""Warned of if more than this share of the picture is clipped, or black, in plate and frame."""

DARK = 64
"""Warned of if nineteen of twenty pixels of the frame are below this level."""

NOISY = 12.0
"""Warned of above this standard deviation, in levels, of what differs where both show the same."""

OPPOSITE = 0.5
"""Red and blue are called exchanged if their ratio in plate and frame correlates below minus this."""

FAR_STOPS = 2.0
"""A drift of light beyond this is believed only where texture shows that the scene is the same:
two even walls, one white and one black, look like one wall in another light."""

CONTRADICTED, CONTRADICTED_MATTE = 0.02, 0.2
"""Warned of if the matte covers more than this share of the picture where plate and frame show the
same, and that is more than this share of the matte. (Even parts of a subject before an even wall of
its colour are no contradiction.)"""

BLOCKY = 1.8
"""Warned of if levels step so many times more at the borders of JPEG's blocks than within them."""

_SURE_BLOCKS = 0.2
_LIT = 12.0
_TINTED = 0.03


@dataclass(frozen=True)
class Health:
    """What was measured, and what it means.

    size: (height, width) of the full pictures; movements are in their pixels.
    movement: of the camera.
    exposure: drift of light from plate to frame.
    agreeing: share of the picture, in blocks, where frame and plate show the same.
    sharpness: log2 of the frame's fine contrast over the plate's, where both show the same.
    noise: standard deviation of what differs there, in levels.
    lost: shares of the plate that are clipped and crushed beyond what exposure brings back.
    blind: shares of the picture that are clipped, and black, in both.
    bright: level below which nineteen of twenty pixels of the frame lie.
    blockiness: of the plate or the frame, whichever is more; see `thumbnail.blockiness`.
    contradicted: share of the picture where both show the same and the matte says subject; None
        before there is a matte.
    matte: share of the picture that the matte covers.
    refusal: why the plate is plainly wrong, or "".
    aligned: whether the plate was registered to the frame, so that movement does no harm.
    """

    size: Size
    movement: Movement
    exposure: Exposure
    agreeing: float = 0.0
    sharpness: float = 0.0
    noise: float = 0.0
    lost: tuple[float, float] = (0.0, 0.0)
    blind: tuple[float, float] = (0.0, 0.0)
    bright: float = 255.0
    blockiness: float = 1.0
    contradicted: float | None = None
    matte: float = 0.0
    refusal: str = ""
    cure: str = ""
    aligned: bool = False
    agreed: Mask = field(default_factory=lambda: np.zeros((1, 1), bool), repr=False, compare=False)

    @property
    def changed(self) -> float:
        """Share of the picture that is not what the plate shows."""
        return 1 - self.agreeing

    @property
    def moved(self) -> bool:
        """Whether a movement was measured that matters."""
        return self.movement.measured and self.movement.pixels > smallest_movement(self.size)

    @property
    def warnings(self) -> list[str]:
        """What is not good, in plain words; empty if all is well."""
        found = []
        if not self.refusal and self.agreeing < DOUBTFUL and not self.movement.measured:
            found.append(
                f"only {self.agreeing:.0%} of the picture agrees with the plate: "
                "make sure that it shows this scene"
            )
        return found + self._of_the_camera() + self._of_the_light() + self._of_the_matte()

    def _of_the_camera(self) -> list[str]:
        found = []
        if self.moved and not self.aligned:
            found.append(
                f"the camera moved: the plate lies up to {self.movement.pixels:.0f} px off; "
                "use --align auto"
            )
        if not self.movement.measured and self.changed > _SURE_BLOCKS and not self.aligned:
            found.append(f"whether the camera moved could not be measured: {self.movement.why_not}")
        if abs(self.sharpness) > SOFTER:
            found.append(f"the {'plate' if self.sharpness > 0 else 'frame'} is clearly softer")
        if self.noise > NOISY:
            found.append(
                f"plate and frame differ by noise of {self.noise:.0f} levels where they show the "
                "same: use more light or lower gain"
            )
        if self.blockiness > BLOCKY:
            found.append("the picture is heavily compressed: use a higher quality")
        return found

    def _of_the_light(self) -> list[str]:
        found = []
        if not self.exposure.measured:
            found.append(
                f"the exposure could not be compared: {self.exposure.why_not}; "
                "take plate and frame with one fixed exposure"
            )
        elif abs(self.exposure.stops) > DRIFT_STOPS:
            found.append(f"the exposure differs by {self.exposure.stops:+.1f} stops")
        if self.exposure.white_balance > DRIFT_WHITE:
            found.append(f"the white balance differs by {self.exposure.white_balance:.0%}")
        for share, what in zip(self.lost, ("clipped highlights", "crushed blacks"), strict=True):
            if share > LOST:
                found.append(
                    f"{share:.0%} of the plate are {what}, which cannot be brought to the "
                    "frame's exposure: take the plate again with the frame's exposure"
                )
        for share, what in zip(self.blind, ("clipped white", "black"), strict=True):
            if share > BLIND:
                found.append(
                    f"{share:.0%} of the picture are {what} in plate and frame: nothing "
                    "can be told apart there"
                )
        if self.bright < DARK:
            found.append("the frame is dark: little can be told apart; use more light")
        return found

    def _of_the_matte(self) -> list[str]:
        least = max(CONTRADICTED, CONTRADICTED_MATTE * self.matte)
        if self.contradicted is None or self.contradicted <= least:
            return []
        return [
            f"the matte covers {self.contradicted:.0%} of the picture where plate and frame show "
            "the same: look at it"
        ]

    @property
    def verdict(self) -> str:
        """One of "good", "usable", "wrong"."""
        if self.refusal:
            return "wrong"
        return "usable" if self.warnings else "good"

    def with_matte(self, alpha: Plane) -> Health:
        """Add what the matte (h, w), at any size of this shape, says against the measurements."""
        rows, columns = self.agreed.shape
        covers = cv2.resize(alpha, (columns, rows), interpolation=cv2.INTER_AREA)
        subject = covers > 0.5
        return replace(
            self,
            contradicted=float((subject & self.agreed).mean()),
            matte=float(subject.mean()),
        )

    def as_report(self) -> dict[str, Any]:
        """Plain numbers and words for the report; what was not measured is None."""
        return {
            "verdict": self.verdict,
            "refusal": self.refusal or None,
            "warnings": self.warnings,
            "moved_px": round(self.movement.pixels, 2) if self.movement.measured else None,
            "movement": self.movement.as_report(),
            "agreeing_share": round(self.agreeing, 3),
            "changed_share": round(self.changed, 3),
            "exposure": self.exposure.as_report(),
            "sharpness_log2": round(self.sharpness, 3),
            "noise_levels": round(self.noise, 2),
            "blockiness": round(self.blockiness, 2),
            "plate_clipped_share": round(self.lost[0], 3),
            "plate_crushed_share": round(self.lost[1], 3),
            "both_clipped_share": round(self.blind[0], 3),
            "both_black_share": round(self.blind[1], 3),
            "contradicted_share": (
                None if self.contradicted is None else round(self.contradicted, 4)
            ),
        }

    def raise_if_unusable(self) -> None:
        """Raise a `CleanplateError` if the plate is plainly wrong."""
        if self.refusal:
            raise CleanplateError(
                self.refusal, cure=f"{self.cure} (--force, in Python force=True, goes on anyway)"
            )


def smallest_movement(size: Size) -> float:
    """Give the movement in pixels of a picture of `size` from which it matters."""
    return max(MOVED * max(size), MOVED_LEAST)


def examine(plate: PlateThumbnail, frame: Eight, size: Size, blockiness: float = 1.0) -> Health:
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
    movement = follow(grey_of(matched), grey_of(frame), plate.corners, size)
    proven = movement.measured and health.agreeing >= ANOTHER_SCENE
    matrix: Matrix | None = None
    if not proven:
        movement, matrix = _by_features(plate, frame, size, movement)
    health = replace(health, movement=movement)
    if matrix is not None:
        there = moved_plate(health, plate, frame, matrix)
        if there.agreeing > health.agreeing:
            health = there
    health = replace(health, blockiness=max(plate.blockiness, blockiness))
    return _judged(health, swapped_channels(plate.pixels, frame, alike))


def moved_plate(health: Health, plate: PlateThumbnail, frame: Eight, matrix: Matrix) -> Health:
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
    plate: Eight, frame: Eight, size: Size, alike: Structure, usable: Mask | None = None
) -> tuple[Health, Eight]:
    """Compare two thumbnails as they lie; also give the plate's in the frame's light."""
    # What cannot be the same thing says nothing about the light; but of a moved plate that may be
    # nearly all.
    weight = None
    if alike.unlike.mean() < 0.8:
        weight = _over_blocks(~alike.unlike, plate.shape[:2])
    exposure = match_exposure(plate, frame, usable, weight)
    if abs(exposure.stops) > FAR_STOPS and alike.similar_share < _SURE_BLOCKS:
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
    plate: PlateThumbnail, frame: Eight, size: Size, movement: Movement
) -> tuple[Movement, Matrix | None]:
    """Find the movement by features, where there are enough in the plate."""
    if len(plate.landmarks.points) < FEWEST_INLIERS:
        return movement, None
    found = register(plate.landmarks, Landmarks.of(frame, FEATURES), size, refine=False)
    if not found.trusted:
        return Movement(why_not=found.why_not or movement.why_not), None
    by_features = Movement(found.moved, found.inliers, found.share, "features")
    return by_features, None if found.kind == "none" else found.matrix


def _judged(health: Health, swapped: bool) -> Health:
    """Refuse what is plainly wrong."""
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


def swapped_channels(plate: Eight, frame: Eight, alike: Structure) -> bool:
    """Whether one thumbnail is RGB and the other BGR.

    The logarithm of red over blue, from block to block, then goes opposite ways in the two; a
    change of exposure or white balance only adds a constant to it.
    """
    colours = [block_means(p.astype(np.float32)) for p in (plate, frame)]
    used = (np.minimum(*colours).min(axis=2) > _LIT) & ~alike.unlike
    tints = [np.log(c[used, 0] / c[used, 2]) for c in colours]
    # Cut off, so that a subject of strong colour weighs no more than others.
    tints = [np.clip(t - np.median(t), -0.7, 0.7) for t in tints if t.size >= 8]
    if len(tints) < 2 or min(float(t.std()) for t in tints) < _TINTED:
        return False
    return float(np.corrcoef(*tints)[0, 1]) < -OPPOSITE


def _blind(plate: Eight, frame: Eight) -> tuple[float, float]:
    """Shares of the picture that are clipped, and black, in both."""
    both = plate[::2, ::2].reshape(-1, 3), frame[::2, ::2].reshape(-1, 3)
    white = np.minimum(*both).min(axis=1) >= 250
    black = np.maximum(*both).max(axis=1) <= 3
    return float(white.mean()), float(black.mean())


def _over_blocks(blocks: Mask, size: tuple[int, ...]) -> Plane:
    """Blocks as weights 0 and 1 of every pixel (h, w)."""
    large = cv2.resize(
        blocks.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_NEAREST
    )
    return np.asarray(large, np.float32)
