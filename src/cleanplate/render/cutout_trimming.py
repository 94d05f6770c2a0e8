"""Rendered subject to cutout: exposure, straight colour, trimming, rejection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays import Mask, Picture, Plane
from cleanplate.depth.foot_depth import encode_foot_depth
from cleanplate.formats.pictures import to_uint8
from cleanplate.matte.fill import fill_outside
from cleanplate.render.rendered_items import png

_SOLID_ALPHA = 0.9
"""Alpha from which a pixel's colour is taken as the subject's alone."""
_MIN_PIXELS = 1200
"""Pixels that a subject must cover."""
_NEAREST, _FARTHEST = -4.9, 1.55
"""Metres about the foot point that the depth file can hold."""


@dataclass(frozen=True)
class TrimmedCutout:
    """A cutout.

    Args:
        rgba: (h, w, 4) float32, straight sRGB-coded colour, defined under alpha 0 too.
        depth: (h, w) float32 metres from the foot point, +inf where there is no surface.
        corner: row and column of (0, 0) before trimming.
        sides: which borders cut the subject: left, right, bottom, top.
    """

    rgba: Picture
    depth: Plane
    corner: tuple[int, int]
    sides: Mapping[str, bool]


def exposure_gain(light: Picture, alpha: Plane, strength: float, stops: float) -> float:
    """Give the gain for linear light from incident and reflected light, highlights unclipped.

    Args:
        light: (H, W, 3) straight linear light.
        alpha: (H, W).
        strength: mean radiance of the surroundings, as of a grey card.
        stops: exposure compensation.
    """
    grey = light.mean(-1)[alpha > _SOLID_ALPHA]
    if not grey.size:
        return 1.0
    middle, bright = np.percentile(grey, (55, 97))
    seen, falling = 0.19 / max(float(middle), 1e-6), 0.9 / max(strength, 1e-6)
    gain = seen**0.55 * falling**0.45 * 2.0**stops
    return float(min(gain, 1.3 / max(float(bright), 1e-6)))


def unpremultiply(colour: Picture, own: Plane, alpha: Plane) -> Picture:
    """Give straight linear light (H, W, 3), extended outwards over the edge.

    A denoised colour and its alpha do not agree exactly where alpha is small, so their quotient
    would leave a fringe; there the nearest inner colour is used.

    Args:
        colour: (H, W, 3) premultiplied linear light.
        own: (H, W), the alpha that came with it.
        alpha: (H, W), the exact one.
    """
    light = colour / np.maximum(own, 1e-3)[..., None]
    inner = (own > _SOLID_ALPHA) & (alpha > _SOLID_ALPHA)
    if not inner.any():
        inner = alpha >= alpha.max()
    carried = fill_outside(light, inner)
    share = np.clip((np.minimum(own, alpha) - 0.4) / (_SOLID_ALPHA - 0.4), 0, 1)[..., None]
    return np.asarray(light * share + carried * (1 - share), np.float32)


def trim(coded: Picture, alpha: Plane, depth: Plane) -> TrimmedCutout:
    """Trim a rendered subject to its visible part.

    Args:
        coded: (H, W, 3) straight sRGB-coded colour.
        alpha: (H, W).
        depth: (H, W) metres from the foot point, +inf where there is no surface.
    """
    seen = np.argwhere(alpha > 1 / 255)
    (top, left), (bottom, right) = seen.min(0), seen.max(0) + 1
    height, width = alpha.shape
    sides = {
        "left": bool(left == 0 and (alpha[:, 0] > 0.5).any()),
        "right": bool(right == width and (alpha[:, -1] > 0.5).any()),
        "bottom": bool(bottom == height and (alpha[-1] > 0.5).any()),
        "top": bool(top == 0 and (alpha[0] > 0.5).any()),
    }
    box = np.s_[top:bottom, left:right]
    rgba = np.dstack([coded, alpha])[box].astype(np.float32)
    return TrimmedCutout(rgba, depth[box], (int(top), int(left)), sides)


def rejection_reason(cutout: TrimmedCutout, framing: str) -> str | None:
    """Give the reason to reject a cutout, or None.

    Args:
        cutout: the trimmed cutout.
        framing: full, half or reach.
    """
    solid = cutout.rgba[..., 3] > 0.5
    if solid.sum() < _MIN_PIXELS or min(solid.shape) < 24:
        return "too small"
    return _shape_reason(cutout, solid, framing) or _light_reason(cutout.rgba[..., :3][solid])


def _shape_reason(cutout: TrimmedCutout, solid: Mask, framing: str) -> str | None:
    sides = cutout.sides
    if framing == "full" and any(sides.values()):
        return "cut by mistake"
    if framing == "half" and (not sides["bottom"] or sides["top"]):
        return "not cut at the waist"
    if framing == "reach" and not any(sides.values()):
        return "wrist in the picture"
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8))
    if stats[1:, cv2.CC_STAT_AREA].max() < 0.93 * solid.sum():
        return "in pieces"
    depth = cutout.depth[np.isfinite(cutout.depth)]
    if not depth.size or depth.min() < _NEAREST or depth.max() > _FARTHEST:
        return "too deep"
    return None


def _light_reason(colour: Plane) -> str | None:
    """Judge the solid pixels' colour, (n, 3)."""
    grey = colour.mean(-1)
    black = (colour.max(-1) < 0.03).mean()  # a side without any light
    if grey.mean() < 0.09 or np.percentile(grey, 90) < 0.16 or black > 0.15:
        return "too dark"
    if grey.mean() > 0.9 or (colour.min(-1) > 0.985).mean() > 0.12:
        return "too bright"
    return "plain" if grey.std() < 0.015 else None


def encode_files(cutout: TrimmedCutout) -> dict[str, bytes]:
    """Encode a cutout: ending of the file's name -> bytes."""
    depth = encode_foot_depth(cutout.depth, np.isfinite(cutout.depth))
    return {".png": png(to_uint8(cutout.rgba)), "_depth.png": png(depth)}
