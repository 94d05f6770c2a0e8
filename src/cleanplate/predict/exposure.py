"""How much brighter and how differently coloured the frame is than its plate.

Cameras change exposure and white balance when somebody steps in. The drift is measured on pixels
that agree, as a factor per channel in linear light and, where the data ask for it, one exponent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.light import linear_to_srgb, srgb_to_linear
from cleanplate.pictures import resize, to_float
from cleanplate.predict.size import Size, working_size

WIDEST = np.log(4.0)
"""Drift beyond two stops either way is not looked for."""

SIZE = 256
"""Long side at which the drift is measured."""

SMALLEST_SHARE = 0.05
"""Below this share of agreeing pixels, the exposure is left as it is."""

STEP = 0.005
"""Factors are rounded to this (in natural logarithm), a quarter of an 8-bit level in mid-grey, so
that a steady camera gives one and the same exposure and the plate's features can be kept."""

NEGLIGIBLE = 0.012
"""Drift below this (in natural logarithm; about one 8-bit level) is not corrected."""

_DARK, _BRIGHT = 0.04, 0.96
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Exposure:
    """The change that turns the plate's light into the frame's: `gain * light ** gamma`.

    gain: factor for red, green, blue in linear light.
    gamma: exponent in linear light, 1 = none.
    agreeing: share of the usable pixels that follow it.
    residual: median of what is left on them, in natural logarithm of light.

    Two are equal if gain and gamma are.
    """

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    agreeing: float = field(default=0.0, compare=False)
    residual: float = field(default=0.0, compare=False)

    @property
    def stops(self) -> float:
        """Brightness drift in stops (powers of two) of mid-grey; above 0 the frame is brighter."""
        return float(np.log2(self.luma_gain * 0.18 ** (self.gamma - 1)))

    @property
    def luma_gain(self) -> float:
        """The factor for grey."""
        return float(np.dot(_LUMA, self.gain))

    @property
    def white_balance(self) -> float:
        """Largest difference between two channels' factors, as a share: 0.05 = 5 %."""
        return float(max(self.gain) / min(self.gain) - 1)

    @property
    def is_none(self) -> bool:
        """Whether nothing has to be done."""
        return self.gain == (1.0, 1.0, 1.0) and self.gamma == 1.0

    def apply(self, plate: Coded | Picture) -> Coded | Picture:
        """Bring `plate` to the frame's light; same shape, dtype and coding."""
        if self.is_none:
            return plate
        if plate.dtype == np.uint8:
            table = np.rint(self._table(256) * 255).astype(np.uint8)
            return np.asarray(cv2.LUT(plate, table.reshape(1, 256, 3)), np.uint8)
        if plate.dtype == np.uint16:
            table16 = np.rint(self._table(65536) * 65535).astype(np.uint16)
            return np.stack([table16[plate[..., c], c] for c in range(3)], -1)
        return self.apply_float(plate)

    def apply_float(self, plate: npt.NDArray[Any]) -> Picture:
        """Bring a float picture, (..., 3) sRGB in [0, 1], to the frame's light."""
        if self.is_none:
            return plate.astype(np.float32, copy=False)
        light = srgb_to_linear(plate)
        if self.gamma != 1.0:
            light = np.power(light, np.float32(self.gamma))
        return linear_to_srgb(np.clip(light * np.array(self.gain, np.float32), 0, 1))

    def _table(self, levels: int) -> Picture:
        """Tabulate what becomes of each level: (levels, 3)."""
        ramp = np.linspace(0, 1, levels, dtype=np.float32)
        return self.apply_float(np.repeat(ramp[:, None], 3, axis=1))

    def as_report(self) -> dict[str, Any]:
        """Plain numbers for the report."""
        return {
            "gain": [round(g, 4) for g in self.gain],
            "gamma": round(self.gamma, 4),
            "stops": round(self.stops, 3),
            "white_balance": round(self.white_balance, 4),
            "agreeing": round(self.agreeing, 3),
            "residual": round(self.residual, 4),
        }


def match_exposure(
    plate: Coded | Picture, frame: Coded | Picture, usable: Mask | None = None
) -> Exposure:
    """Measure the exposure drift from `plate` to `frame`, registered pictures of one size.

    Both are shrunk to at most `SIZE` a side, which quietens noise and small misregistration. The
    most frequent ratio of brightness is taken for the scene's, since the subject's pixels scatter;
    then channel medians over the pixels that follow it, three times over with a tolerance that
    tightens to what they scatter.

    Args:
        plate: (h, w, 3), any dtype.
        frame: (h, w, 3), the same size.
        usable: (h, w), False where the plate shows nothing (outside after registration).

    Returns:
        the drift, or no change where fewer than `SMALLEST_SHARE` of the usable pixels agree.
    """
    size = working_size((plate.shape[0], plate.shape[1]), SIZE)
    soft_plate, soft_frame = (_softened(p, size) for p in (plate, frame))
    good = _well_exposed(soft_plate) & _well_exposed(soft_frame)
    usable = good if usable is None else good & (resize(usable.astype(np.float32), size) > 0.99)
    total = int(usable.sum())
    if total < 16:
        return Exposure()
    log_plate = np.log(srgb_to_linear(soft_plate[usable]))
    log_frame = np.log(srgb_to_linear(soft_frame[usable]))
    ratio = log_frame - log_plate
    weight = _flatness(soft_plate)[usable]
    luma_ratio = ratio @ _LUMA
    centre = _mode(luma_ratio, weight)
    agree = np.abs(luma_ratio - centre) < 0.15
    log_gain = np.full(3, centre)
    residual = 0.0
    for _ in range(3):
        if agree.sum() < max(16, SMALLEST_SHARE * total):
            return Exposure(agreeing=float(agree.sum() / total))
        log_gain = np.median(ratio[agree], axis=0)
        error = np.abs(ratio - log_gain).max(axis=1)
        residual = float(np.median(error[agree]))
        agree = error < np.clip(4 * residual, 0.06, 0.25)
    gamma, log_gain = _exponent(log_plate, log_frame, agree, log_gain)
    log_gain = np.round(log_gain / STEP) * STEP
    if gamma == 1.0 and np.abs(log_gain).max() < NEGLIGIBLE:
        log_gain = np.zeros(3)
    gain = np.exp(log_gain)
    return Exposure(
        (float(gain[0]), float(gain[1]), float(gain[2])),
        gamma,
        float(agree.sum() / total),
        residual,
    )


def _exponent(
    log_plate: Picture, log_frame: Picture, agree: Mask, log_gain: npt.NDArray[np.floating[Any]]
) -> tuple[float, npt.NDArray[np.floating[Any]]]:
    """One exponent for all channels, if it explains clearly more than factors alone.

    Straight line through the agreeing pixels in logarithms, slope by least squares.
    """
    x, y = log_plate[agree], log_frame[agree]
    middle_x, middle_y = np.median(x, axis=0), np.median(y, axis=0)
    dx, dy = x - middle_x, y - middle_y
    spread = float((dx**2).mean())
    if spread < 0.03 or len(x) < 500:
        return 1.0, log_gain
    gamma = float((dx * dy).mean()) / spread
    gamma = round(gamma / 0.01) * 0.01
    before = float(np.median(np.abs(y - x - log_gain)))
    bent = np.median(y - gamma * x, axis=0)
    after = float(np.median(np.abs(y - gamma * x - bent)))
    if not 0.8 <= gamma <= 1.25 or after > 0.85 * before:
        return 1.0, log_gain
    return gamma, bent


def _well_exposed(picture: Picture) -> Mask:
    good = np.ones(picture.shape[:2], bool)
    for channel in range(3):  # several times quicker than a minimum over the last axis
        good &= (picture[..., channel] > _DARK) & (picture[..., channel] < _BRIGHT)
    return good


def _softened(picture: Coded | Picture, size: Size) -> Picture:
    return np.asarray(cv2.blur(to_float(resize(picture, size)), (3, 3)), np.float32)


def _flatness(picture: Picture) -> Plane:
    """Weight per pixel: high where a small shift would not change the brightness."""
    grey = picture @ _LUMA
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)) / 8
    return (1 / (1 + (slope / 0.02) ** 2)).astype(np.float32)


def _mode(values: npt.NDArray[np.float32], weight: npt.NDArray[np.float32]) -> float:
    """Find the most frequent value, with a mild preference for no drift (sigma one stop)."""
    counts, edges = np.histogram(values, 140, (-WIDEST, WIDEST), weights=weight)
    centres = (edges[1:] + edges[:-1]) / 2
    smooth = cv2.GaussianBlur(counts.astype(np.float32).reshape(1, -1), (0, 0), 2)[0]
    return float(centres[np.argmax(smooth * np.exp(-0.5 * (centres / np.log(2)) ** 2))])
