"""Lighting changes in the frame alone: shadows of objects out of view, lamps, patches of sun.

They do not belong to a subject, so alpha is unchanged. Darkening is part of the `shadow` ground
truth; brightening is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from cleanplate.arrays import Picture, Plane
from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.compositor.lights import Light
from cleanplate.synthesis.compositor.placement import Placement, project_row, scale_at
from cleanplate.synthesis.compositor.settings import CompositorSettings
from cleanplate.synthesis.compositor.shadow import LUMINANCE, cast_shadow
from cleanplate.synthesis.compositor.view import SceneView

_MAX_STRENGTH = 0.85
"""Share of light that the darkest shadow takes."""
_TRIES = 3


@dataclass(frozen=True)
class FrameLight:
    """Factors of light (H, W, 3) by which the frame differs from the plate.

    `shadow` in (0, 1] acts on the scene; `lamp` darkens or brightens scene and subjects.
    """

    shadow: Picture | None
    lamp: Picture | None

    def relit(self, background: Picture) -> Picture:
        """Apply the factors to the scene (H, W, 3); clipped at 1."""
        for factor in (self.shadow, self.lamp):
            if factor is not None:
                background = np.minimum(background * factor, 1)
        return background

    @property
    def darkening(self) -> Picture:
        """The darkening part of the factors: (H, W, 3) in (0, 1]."""
        both = [np.minimum(one, 1) for one in (self.shadow, self.lamp) if one is not None]
        return both[0] if len(both) == 1 else np.asarray(both[0] * both[1], np.float32)

    @property
    def shadow_luminance(self) -> Plane:
        """Luminance of `darkening`, (H, W)."""
        return np.asarray(cv2.transform(self.darkening, LUMINANCE[None]), np.float32)


def sample_frame_light(
    rng: np.random.Generator,
    view: SceneView,
    sample_cutout: Callable[[np.random.Generator], Cutout],
    settings: CompositorSettings,
) -> FrameLight | None:
    """Draw the lighting change of a frame; None = no change."""
    shadow, lamp = None, None
    if settings.foreign_shadow_share and rng.random() < settings.foreign_shadow_share:
        shadow = foreign_shadows(rng, view, sample_cutout)
    if settings.lamp_share and rng.random() < settings.lamp_share:
        lamp = lamp_light(rng, view.size)
    return None if shadow is None and lamp is None else FrameLight(shadow, lamp)


def foreign_shadows(
    rng: np.random.Generator,
    view: SceneView,
    sample_cutout: Callable[[np.random.Generator], Cutout],
) -> Picture:
    """Draw the shadows of one to three objects out of view, (H, W, 3) in (0, 1].

    Cast over the plate's depth where it has depth and camera, else as flat shapes from a border.
    """
    height, width = view.size
    total = np.ones((height, width, 3), np.float32)
    light = _sample_low_light(rng, float(rng.uniform(0, 2 * np.pi)))
    for _ in range(1 + int(rng.random() < 0.35) + int(rng.random() < 0.15)):
        small: Plane | None = None
        if view.disparity is not None and view.camera is not None and rng.random() < 0.75:
            small = _cast_into_view(rng, view, sample_cutout(rng), light)
        if small is None:
            small = _flat_silhouette(rng, sample_cutout(rng), (height, width))
        shade = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        share = np.asarray([light.strength * c for c in light.colour], np.float32)
        total *= 1 - np.asarray(shade, np.float32)[..., None] * np.minimum(share, 0.9)
    return total


def _sample_low_light(rng: np.random.Generator, azimuth: float) -> Light:
    """Draw a light of low elevation, for long shadows."""
    tint = 1 + rng.normal(0, 0.04, 3)
    return Light(
        azimuth,
        float(rng.uniform(0.2, 0.9)),
        float(rng.uniform(0.25, _MAX_STRENGTH)),
        float(np.exp(rng.uniform(np.log(0.008), np.log(0.3)))),
        (float(tint[0]), float(tint[1]), float(tint[2])),
    )


def _cast_into_view(
    rng: np.random.Generator, view: SceneView, cutout: Cutout, light: Light
) -> Plane | None:
    """Cast the shadow of an object beside or behind the camera; None if none reaches the view."""
    camera = view.camera
    assert camera is not None
    width = view.size[1]
    for _ in range(_TRIES):
        if rng.random() < 0.65:  # beside the view, at the depth of the scene
            z = rng.uniform(0.8, 4.5)
            scale = scale_at(cutout, camera, z)
            half = 0.5 * scale * cutout.alpha.shape[1]
            left = rng.random() < 0.5
            away = half + rng.uniform(2, 0.4 * width)
            x = -away if left else width + away
            # From the object's side, slightly from the front or back.
            azimuth = (-np.pi / 2 if left else np.pi / 2) + rng.normal(0, 0.5)
        else:
            z = -rng.uniform(0.2, 2.5)
            x = width * rng.uniform(-0.5, 1.5)
            scale = abs(scale_at(cutout, camera, z))
            azimuth = np.pi + rng.normal(0, 0.4)
        y = project_row(camera, z)
        put = Placement(
            cutout, bool(rng.random() < 0.5), scale, float(x), y, z, 0.0, 1.0, "foreign"
        )
        one = replace(light, azimuth=float(azimuth))
        shade = np.nan_to_num(cast_shadow(view, put, one))
        if float((shade > 0.3).mean()) > 0.004:
            return shade
    return None


def _flat_silhouette(rng: np.random.Generator, cutout: Cutout, size: tuple[int, int]) -> Plane:
    """Lay a silhouette over the picture from one of its borders: rotated, stretched, blurred."""
    height, width = size
    level, _, _ = cutout.level(64 / max(cutout.alpha.shape))
    alpha = np.asarray(cv2.extractChannel(level.rgba, 3))
    h, w = alpha.shape
    tall = rng.uniform(0.4, 1.3) * max(height, width) / 2
    turn = rng.uniform(0, 2 * np.pi)
    squeeze = rng.uniform(0.4, 1.2)
    cos, sin = np.cos(turn), np.sin(turn)
    # The foot lies on an ellipse around the picture; the body points roughly inwards.
    foot = np.array([width / 4 * (1 + 1.3 * sin), height / 4 * (1 - 1.3 * cos)])
    lean = turn + rng.normal(0, 0.35)
    along = np.array([np.sin(lean), -np.cos(lean)]) * (-tall / h)
    across = np.array([np.cos(lean), np.sin(lean)]) * (squeeze * tall / h)
    matrix = np.array(
        [
            [across[0], -along[0], foot[0] - across[0] * w / 2 + along[0] * h],
            [across[1], -along[1], foot[1] - across[1] * w / 2 + along[1] * h],
        ]
    )
    shape = ((width + 1) // 2, (height + 1) // 2)
    laid = cv2.warpAffine(alpha.astype(np.float32), matrix, shape, flags=cv2.INTER_LINEAR)
    sigma = float(np.exp(rng.uniform(np.log(0.5), np.log(0.05 * max(shape) + 0.6))))
    return np.asarray(cv2.GaussianBlur(laid, (0, 0), sigma), np.float32) * np.float32(1 / 255)


def lamp_light(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """Draw one to three lamps switched on or off, or patches of sun: factors (H, W, 3).

    A lamp switched off darkens to no less than a third.
    """
    height, width = size
    total = np.ones((height, width, 3), np.float32)
    for _ in range(1 + int(rng.random() < 0.35) + int(rng.random() < 0.15)):
        strength = rng.uniform(0.15, 1.1)
        if rng.random() < 0.3:  # sun appears; sun that disappears would have to be in the plate
            pool = _sun_patch(rng, size)
        else:
            pool, strength = _lamp_falloff(rng, size), strength * rng.choice([-0.95, 1, 1])
        tint = np.exp(rng.normal(0, 0.1, 3) * abs(strength))
        total *= np.exp(pool[..., None] * np.float32(strength)) ** tint.astype(np.float32)
    return np.clip(total, 0.34, 3.0)


def _lamp_falloff(rng: np.random.Generator, size: tuple[int, int]) -> Plane:
    """Light of a lamp near a wall: falls off with the distance from a point."""
    height, width = size
    y, x = np.ogrid[:height, :width]
    cx, cy = rng.uniform(-0.1, 1.1) * width, rng.uniform(-0.2, 1.1) * height
    reach = rng.uniform(0.12, 0.7) * max(size)
    flat = rng.uniform(0.5, 1.6)
    square = ((x - cx) ** 2 + ((y - cy) * flat) ** 2) / reach**2
    return np.asarray((1 + square) ** -1.5, np.float32)


def _sun_patch(rng: np.random.Generator, size: tuple[int, int]) -> Plane:
    """Draw a patch of sun: a slanted quadrangle with soft borders, at times with bars."""
    height, width = size
    centre = np.array([rng.uniform(0, 1) * width, rng.uniform(0, 1) * height])
    wide, tall = rng.uniform(0.1, 0.6, 2) * max(size)
    slant = rng.uniform(-0.8, 0.8)
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    corners += rng.normal(0, 0.05, corners.shape)
    corners = corners * (wide, tall) + np.stack([corners[:, 1] * slant * tall, np.zeros(4)], -1)
    ink = np.zeros(size, np.uint8)
    cv2.fillPoly(ink, [np.rint((centre + corners) * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    if rng.random() < 0.4:
        thick = max(1, round(0.03 * max(size)))
        low, high = corners[3] + centre, corners[1] + centre
        middle = (corners.mean(0) + centre).astype(int)
        cv2.line(ink, (int(low[0]), middle[1]), (int(high[0]), middle[1]), (0,), thick)
        cv2.line(ink, (middle[0], int(low[1])), (middle[0], int(high[1])), (0,), thick)
    soft = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.5, 0.03 * max(size) + 0.6))
    return np.multiply(soft, np.float32(1 / 255), dtype=np.float32)
