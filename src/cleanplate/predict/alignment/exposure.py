"""Exposure and white balance drift between plate and frame.

Cameras change exposure and white balance when somebody steps in. The drift is measured on pixels
that agree, as a factor per channel in linear light and, where the data ask for it, one exponent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.formats.pictures import resize, to_uint16
from cleanplate.light import linear_to_srgb, srgb_to_linear
from cleanplate.predict.size import Size, working_size

WIDEST = 4.6 * np.log(2.0)
"""Drift beyond this (natural logarithm of light; 4.6 stops either way) is not searched for."""

SIZE = 256
"""Long side at which the drift is measured."""

SMALLEST_SHARE = 0.2
"""Below this share of agreeing pixels among those well exposed in both, nothing was measured: in
pictures of different scenes about a tenth agree on some factor by chance."""

FEWEST = 0.01
"""Nor is it measured if less than this share of the picture is well exposed in both."""

STEP = 0.005
"""Factors are rounded to this (in natural logarithm), a quarter of an 8-bit level in mid-grey, so
that a steady camera gives one and the same exposure and the plate's features can be kept."""

NEGLIGIBLE = 0.012
"""Drift below this (in natural logarithm; about one 8-bit level) is not corrected."""

COARSE = 6.0
"""Where one 8-bit level of the plate becomes more than this many, its dark tones are lost."""

_CANDIDATES = 3
_CLEAR = 0.6
_SAMPLES = 8000
_DARK, _BRIGHT = 0.04, 0.96
_WHITE = 250
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Exposure:
    """The change from the plate's linear light to the frame's: `gain * light ** gamma`.

    gain: factor for red, green, blue in linear light.
    gamma: exponent in linear light, 1 = none.
    agreeing: share of the usable pixels that follow it.
    residual: median of what is left on them, in natural logarithm of light.
    why_not: why it could not be measured, or "". Then gain and gamma say "no change", because
        nothing is changed; not that there is none.

    Two are equal if gain and gamma are.
    """

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    agreeing: float = field(default=0.0, compare=False)
    residual: float = field(default=0.0, compare=False)
    why_not: str = field(default="", compare=False)

    @property
    def measured(self) -> bool:
        """Whether the drift is known; if not, `why_not` says why."""
        return not self.why_not

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

    def inverse(self) -> Exposure:
        """Give the change from the frame's light to the plate's."""
        red, green, blue = (float(one ** (-1 / self.gamma)) for one in self.gain)
        return Exposure((red, green, blue), 1 / self.gamma)

    def apply(self, plate: Coded | Picture) -> Coded | Picture:
        """Bring `plate` (..., 3) to the frame's exposure; same shape, dtype and coding."""
        if self.is_none:
            return plate
        if plate.dtype == np.uint8:
            return np.asarray(cv2.LUT(plate, _table(self, np.uint8)[None]), np.uint8)
        if plate.dtype == np.uint16:
            table = _table(self, np.uint16)
            return np.stack([table[plate[..., c], c] for c in range(3)], -1)
        return self.apply_float(plate)

    def apply_float(self, plate: npt.NDArray[Any]) -> Picture:
        """Bring a float picture, (..., 3) sRGB in [0, 1], to the frame's exposure."""
        if self.is_none:
            return plate.astype(np.float32, copy=False)
        light = srgb_to_linear(plate)
        if self.gamma != 1.0:
            light = np.power(light, np.float32(self.gamma))
        return linear_to_srgb(np.clip(light * np.array(self.gain, np.float32), 0, 1))

    def ramp(self, levels: int) -> Picture:
        """Give what becomes of each of so many levels of grey: (levels, 3) in [0, 1]."""
        grey = np.linspace(0, 1, levels, dtype=np.float32)
        return self.apply_float(np.repeat(grey[:, None], 3, axis=1))

    def lost(self, plate: npt.NDArray[np.uint8]) -> tuple[float, float]:
        """Shares of an 8-bit plate that no exposure brings back: clipped and crushed.

        Highlights count where the plate is darkened, blacks where it is brightened: there one of
        its levels becomes more than `COARSE` of the frame's.
        """
        if self.is_none:
            return 0.0, 0.0
        table = self.ramp(256) * 255
        levels = np.arange(256)
        white = (levels >= _WHITE) & (table.max(axis=1) < _WHITE)
        black = np.gradient(table.mean(axis=1)) > COARSE
        counts = np.bincount(cv2.cvtColor(plate, cv2.COLOR_RGB2GRAY).ravel(), minlength=256)
        shares = counts / max(1, counts.sum())
        return float(shares[white].sum()), float(shares[black].sum())

    def as_report(self) -> dict[str, Any]:
        """Plain numbers for the report; what was not measured is None."""
        known = self.measured
        return {
            "measured": known,
            **({} if known else {"why_not": self.why_not}),
            "gain": [round(g, 4) for g in self.gain],
            "gamma": round(self.gamma, 4),
            "stops": round(self.stops, 3) if known else None,
            "white_balance": round(self.white_balance, 4) if known else None,
            "agreeing": round(self.agreeing, 3),
            "residual": round(self.residual, 4) if known else None,
        }


def match_exposure(
    plate: Coded | Picture,
    frame: Coded | Picture,
    usable: Mask | None = None,
    weight: Plane | None = None,
) -> Exposure:
    """Measure the exposure drift from `plate` to `frame`, registered pictures of one size.

    Both are shrunk to at most `SIZE` a side, which quietens noise and small misregistration. The
    most frequent ratios of brightness are candidates for the scene's, since the subject's pixels
    scatter; each is refined by channel medians over the pixels that follow it, three times over
    with a tolerance that tightens to what they scatter. The one that most pixels follow is taken.

    Args:
        plate: (h, w, 3), any dtype.
        frame: (h, w, 3), the same size.
        usable: (h, w), False where the plate shows nothing (outside after registration).
        weight: of any size and the same shape, how likely a pixel is to show the scene.

    Returns:
        the drift; or no change and `why_not`, where too few pixels are well exposed in both, or
        fewer than `SMALLEST_SHARE` of them agree.
    """
    size = working_size((plate.shape[0], plate.shape[1]), SIZE)
    soft_plate, soft_frame = (_softened(p, size) for p in (plate, frame))
    good = _well_exposed(soft_plate) & _well_exposed(soft_frame)
    if usable is not None:
        good &= resize(usable.astype(np.float32), size) > 0.99
    weights = _flatness(soft_plate)
    if weight is not None:
        weights *= cv2.resize(weight, size[::-1], interpolation=cv2.INTER_NEAREST)
    good &= weights > 0
    indices = np.flatnonzero(good)
    if len(indices) < max(16, FEWEST * good.size):
        return Exposure(why_not="almost nothing is well exposed in both pictures")
    indices = indices[:: -(-len(indices) // _SAMPLES)]
    # Channel by channel: medians and maxima over channels take a third of the time so.
    log_plate, log_frame = (
        _log_table()[np.take(p.reshape(-1, 3), indices, axis=0).T.copy()]
        for p in (soft_plate, soft_frame)
    )
    ratio = log_frame - log_plate
    luma_ratio = np.asarray(_LUMA @ ratio, np.float32)
    best: tuple[float, npt.NDArray[Any], Mask, float] | None = None
    most = 0.0
    for centre in _modes(luma_ratio, weights.ravel()[indices]):
        log_gain, agree, residual = _followed(ratio, luma_ratio, centre)
        share = float(agree.mean())
        most = max(most, share)
        # Of two that as many follow, the smaller change.
        score = share * (1 - 0.2 * abs(centre) / WIDEST)
        if share >= SMALLEST_SHARE and agree.sum() >= 16 and (best is None or score > best[0]):
            best = score, log_gain, agree, residual
        if share > _CLEAR:
            break
    if best is None:
        return Exposure(agreeing=most, why_not="no one change of light explains enough pixels")
    _, log_gain, agree, residual = best
    gamma, log_gain = _exponent(log_plate, log_frame, agree, log_gain)
    log_gain = np.round(log_gain / STEP) * STEP
    if gamma == 1.0 and np.abs(log_gain).max() < NEGLIGIBLE:
        log_gain = np.zeros(3)
    gain = np.exp(log_gain)
    return Exposure(
        (float(gain[0]), float(gain[1]), float(gain[2])), gamma, float(agree.mean()), residual
    )


def _followed(
    ratio: Picture, luma_ratio: npt.NDArray[np.float32], centre: float
) -> tuple[npt.NDArray[np.floating[Any]], Mask, float]:
    """Refine one candidate: its logarithm per channel, who follows it, and what is left on them.

    Args:
        ratio: (3, n) logarithm of the frame's light over the plate's.
        luma_ratio: (n) the same of grey.
        centre: the candidate's.
    """
    agree = np.abs(luma_ratio - centre) < 0.15
    log_gain: npt.NDArray[np.floating[Any]] = np.full(3, centre)
    residual = 0.0
    for _ in range(3):
        if agree.sum() < 16:
            return log_gain, np.zeros_like(agree), 0.0
        log_gain = np.median(ratio[:, agree], axis=1)
        error = np.abs(ratio - log_gain[:, None]).max(axis=0)
        residual = float(np.median(error[agree]))
        agree = error < np.clip(4 * residual, 0.06, 0.25)
    return log_gain, agree, residual


def _exponent(
    log_plate: Picture, log_frame: Picture, agree: Mask, log_gain: npt.NDArray[np.floating[Any]]
) -> tuple[float, npt.NDArray[np.floating[Any]]]:
    """One exponent for all channels, if it explains clearly more than factors alone.

    Straight line through the agreeing pixels in logarithms, slope by least squares.
    """
    x, y = log_plate[:, agree], log_frame[:, agree]
    dx, dy = (one - np.median(one, axis=1, keepdims=True) for one in (x, y))
    spread = float((dx**2).mean())
    if spread < 0.03 or x.shape[1] < 500:
        return 1.0, log_gain
    gamma = float((dx * dy).mean()) / spread
    gamma = round(gamma / 0.01) * 0.01
    before = float(np.median(np.abs(y - x - log_gain[:, None])))
    bent = np.median(y - gamma * x, axis=1)
    after = float(np.median(np.abs(y - gamma * x - bent[:, None])))
    if not 0.8 <= gamma <= 1.25 or after > 0.85 * before:
        return 1.0, log_gain
    return gamma, bent


def _well_exposed(picture: npt.NDArray[np.uint16]) -> Mask:
    low, high = (np.full(3, share * 65535) for share in (_DARK, _BRIGHT))
    return np.asarray(cv2.inRange(picture, low, high)) > 0


def _softened(picture: Coded | Picture, size: Size) -> npt.NDArray[np.uint16]:
    """Shrink and blur to 16 bits, so that averaging adds levels between those of 8 bits."""
    small = resize(picture, size)
    wide = small.astype(np.uint16) * np.uint16(257) if small.dtype == np.uint8 else small
    wide = wide if wide.dtype == np.uint16 else to_uint16(wide)
    return np.asarray(cv2.blur(wide, (3, 3)), np.uint16)


def _flatness(picture: npt.NDArray[np.uint16]) -> Plane:
    """Weight per pixel: high where a small shift would not change the brightness."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return np.asarray(1 / (1 + (slope * np.float32(1 / (8 * 65535 * 0.02))) ** 2), np.float32)


def _modes(values: npt.NDArray[np.float32], weight: npt.NDArray[np.float32]) -> list[float]:
    """Find the most frequent values, with a mild preference for no drift (sigma three stops)."""
    counts, edges = np.histogram(values, 320, (-WIDEST, WIDEST), weights=weight)
    centres = (edges[1:] + edges[:-1]) / 2
    smooth = cv2.GaussianBlur(counts.astype(np.float32).reshape(1, -1), (0, 0), 2)[0]
    height = smooth * np.exp(-0.5 * (centres / (3 * np.log(2))) ** 2)
    found: list[float] = []
    while len(found) < _CANDIDATES and height.max() > 0:
        top = int(np.argmax(height))
        found.append(float(centres[top]))
        height[np.abs(centres - centres[top]) < 0.2] = 0
    return found


@lru_cache(maxsize=4)
def _table(exposure: Exposure, dtype: type[np.uint8 | np.uint16]) -> npt.NDArray[Any]:
    """Tabulate what becomes of each level of `dtype`: (levels, 3); parts of a picture share it."""
    top = np.iinfo(dtype).max
    return np.rint(exposure.ramp(top + 1) * top).astype(dtype)


@cache
def _log_table() -> npt.NDArray[np.float32]:
    """Natural logarithm of the light of each 16-bit level."""
    levels = np.maximum(np.arange(65536, dtype=np.float32), 1) / np.float32(65535)
    return np.asarray(np.log(srgb_to_linear(levels)), np.float32)
