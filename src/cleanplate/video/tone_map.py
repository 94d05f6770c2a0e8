"""From HDR and wide gamuts to sRGB, in linear light and in float.

PQ: SMPTE ST 2084. HLG: ITU-R BT.2100, displayed at 1000 cd/m2 (system gamma 1.2). Diffuse white is
203 cd/m2 (ITU-R BT.2408) and becomes 1. The curve is that of J. Hable, "Uncharted 2: HDR lighting"
(GDC 2010), with his exposure bias of 2, scaled so that 1000 cd/m2 becomes 1; it is applied to the
largest of R, G and B, and the others keep their ratio to it, so that hues stay. The curve is the
same for every frame and every clip: plate and frame stay comparable.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Picture
from cleanplate.light import linear_to_srgb, srgb_to_linear

CURVES = ("hable",)
HDR = ("smpte2084", "arib-std-b67")
"""Transfer characteristics that need a curve: PQ and HLG."""
PEAK = 1000.0
"""cd/m2 that becomes 1."""
WHITE = 203.0
"""cd/m2 of diffuse white."""

_CHROMATICITIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "smpte432": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""x, y of red, green, blue; white is D65 (ITU-T H.273, table 2)."""
WIDE = tuple(name for name in _CHROMATICITIES if name != "bt709")
"""Primaries that are converted to those of BT.709."""


def hable(light: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compress linear light, 1 = diffuse white, to [0, 1]; `PEAK` becomes 1."""
    white = np.float32(_filmic(np.float32(2 * PEAK / WHITE)))
    return np.asarray(np.minimum(_filmic(2 * light) / white, 1), np.float32)


def to_display(rgb: npt.NDArray[np.uint16], transfer: str, primaries: str) -> Picture:
    """Bring HDR to display-coded sRGB.

    Args:
        rgb: (H, W, 3) R'G'B' over the full range of 16 bits.
        transfer: a name of `HDR`.
        primaries: "bt2020", "smpte432" or "bt709".

    Returns:
        (H, W, 3) float32 in [0, 1].
    """
    light = _table(transfer)[rgb]
    if transfer == "arib-std-b67":
        luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
        light *= np.maximum(luminance, np.float32(1e-6))[..., None] ** np.float32(0.2)
        light *= np.float32(PEAK / WHITE)
    light = np.maximum(_converted(light, primaries), 0)
    largest = light.max(axis=2, keepdims=True)
    light *= hable(largest) / np.maximum(largest, np.float32(1e-6))
    return linear_to_srgb(light)


def from_wide(rgb: Picture, primaries: str) -> Picture:
    """Bring display-coded values of wider primaries to sRGB; what lies outside is clipped.

    Args:
        rgb: (H, W, 3) in [0, 1].
        primaries: a name of `WIDE`.
    """
    return linear_to_srgb(np.clip(_converted(srgb_to_linear(rgb), primaries), 0, 1))


def _converted(light: npt.NDArray[np.float32], primaries: str) -> npt.NDArray[np.float32]:
    if primaries not in WIDE:
        return light
    matrix = np.linalg.inv(_to_xyz("bt709")) @ _to_xyz(primaries)
    return np.asarray(cv2.transform(light, matrix.astype(np.float32)), dtype=np.float32)


def _to_xyz(primaries: str) -> npt.NDArray[np.float64]:
    """Matrix from linear RGB to CIE XYZ (SMPTE RP 177)."""
    points = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _CHROMATICITIES[primaries]]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return np.asarray(points * np.linalg.solve(points, white))


def _filmic(x: npt.NDArray[np.float32] | np.float32) -> npt.NDArray[np.float32]:
    a, b, c, d, e, f = (np.float32(v) for v in (0.15, 0.50, 0.10, 0.20, 0.02, 0.30))
    return np.asarray((x * (a * x + c * b) + d * e) / (x * (a * x + b) + d * f) - e / f)


@cache
def _table(transfer: str) -> npt.NDArray[np.float32]:
    """Linear light of each 16-bit code: of PQ relative to `WHITE`, of HLG that of the scene."""
    coded = np.arange(65536) / 65535
    if transfer == "smpte2084":
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = coded ** (1 / m2)
        nits = 10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
        return np.asarray(nits / WHITE, np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    return np.asarray(scene, np.float32)
