"""Plate health: whether the plate fits the frame, with verdict, warnings and refusal.

`health_measurement` measures it before prediction; `Health.with_matte` adds the matte afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from cleanplate.arrays import Mask, Plane
from cleanplate.errors import CleanplateError
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.alignment.movement import Movement
from cleanplate.predict.size import Size

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
"""Warned of beyond this drift: exposure in stops, white balance as a share, sharpness as log2."""

LOST = 0.05
"""Warned of if more than this share of the plate is clipped or crushed so that no exposure brings
it back."""

BLIND = 0.2
"""Warned of if more than this share of the picture is clipped, or black, in plate and frame."""

DARK = 64
"""Warned of if nineteen of twenty pixels of the frame are below this level."""

NOISY = 12.0
"""Warned of above this standard deviation, in levels, of what differs where both show the same."""

CONTRADICTED, CONTRADICTED_MATTE = 0.02, 0.2
"""Warned of if the matte covers more than this share of the picture where plate and frame show the
same, and that is more than this share of the matte. (Even parts of a subject before an even wall of
its colour are no contradiction.)"""

BLOCKY = 2.2
"""Warned of if levels step so many times more at the borders of JPEG's blocks than within them."""

_UNCERTAIN = 0.2


@dataclass(frozen=True)
class Health:
    """What was measured of plate and frame.

    size: (height, width) of the full pictures; movements are in their pixels.
    movement: of the camera.
    exposure: drift of exposure from plate to frame.
    agreeing: share of the picture, in blocks, where frame and plate show the same.
    sharpness: log2 of the frame's fine contrast over the plate's, where both show the same.
    noise: standard deviation of what differs there, in levels.
    lost: shares of the plate that are clipped and crushed beyond what exposure brings back.
    blind: shares of the picture that are clipped, and black, in both.
    bright: level below which nineteen of twenty pixels of the frame lie.
    blockiness: of the plate or the frame, whichever is more; see `thumbnail.blockiness`.
    contradicted: share of the picture where both show the same and the matte covers; None
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
        """Warnings as sentences; empty if there are none."""
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
        if not self.movement.measured and self.changed > _UNCERTAIN and not self.aligned:
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
        """Add where the matte, (h, w) of any size, covers what plate and frame show alike."""
        rows, columns = self.agreed.shape
        covers = cv2.resize(alpha, (columns, rows), interpolation=cv2.INTER_AREA)
        subject = covers > 0.5
        return replace(
            self,
            contradicted=float((subject & self.agreed).mean()),
            matte=float(subject.mean()),
        )

    def as_report(self) -> dict[str, Any]:
        """Give plain numbers and words for the report; what was not measured is None."""
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
