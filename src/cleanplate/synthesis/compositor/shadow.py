"""Shadows that subjects cast on the plate: contact shadow, and cast shadow by light.

A subject is a billboard at its foot point. A point of the plate is in shadow where the ray from
it to the light meets the opaque part of the billboard. The plate's depth gives each pixel's
position, so shadows follow floors, steps and walls.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Picture, Plane
from cleanplate.synthesis.assets.cutout import BORDER
from cleanplate.synthesis.compositor.layer import Layer, level_and_affine
from cleanplate.synthesis.compositor.lights import (
    ContactShadow,
    Light,
    sample_contact_shadow,
    sample_lights,
    sample_strong_lights,
)
from cleanplate.synthesis.compositor.placement import Placement
from cleanplate.synthesis.compositor.view import SceneView

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of linear red, green and blue (ITU-R BT.709)."""
_MIN_FACTOR = np.float32(0.02)


def cast_shadow(view: SceneView, placement: Placement, light: Light) -> Plane:
    """Give the share of `light` that the subject blocks at each second pixel of the view, 0 to 1.

    Needs the view's depth and camera and the placement's depth.
    """
    # A soft shadow needs no fine grid.
    skip = 2 if light.softness > 0.12 else 1
    right, height, ahead = (plane[::skip, ::skip] for plane in view.world)
    foot = _foot_in_world(view, placement)
    toward = (
        np.sin(light.azimuth) * np.cos(light.elevation),
        np.sin(light.elevation),
        np.cos(light.azimuth) * np.cos(light.elevation),
    )
    # The billboard turns halfway from the camera to the light, so that light from the side
    # still finds a silhouette.
    half = 0.5 * np.arctan2(np.sin(light.azimuth), abs(np.cos(light.azimuth)))
    if np.cos(light.azimuth) < 0:
        half = -half
    nx, nz = np.sin(half), np.cos(half)
    facing = toward[0] * nx + toward[2] * nz
    facing = np.copysign(max(abs(facing), 0.05), facing)
    dx, dz = right - np.float32(foot[0]), ahead - np.float32(foot[2])
    distance = (dx * np.float32(nx) + dz * np.float32(nz)) * np.float32(-1 / facing)
    across = dx * np.float32(nz) - dz * np.float32(nx)
    across += distance * np.float32(toward[0] * nz - toward[2] * nx)
    up = height - np.float32(foot[1]) + distance * np.float32(toward[1])
    # To the cutout's pixels, of a level no finer than the grid.
    cutout = placement.cutout
    density = cutout.pixels_per_metre / placement.metres
    level, lx, ly = cutout.level(placement.scale / 2 / skip)
    sign = -1.0 if placement.mirrored else 1.0
    columns = across * np.float32(sign * density * lx)
    columns += np.float32(cutout.foot[0] * lx + BORDER - 0.5)
    rows = up * np.float32(-density * ly)
    rows += np.float32(cutout.foot[1] * ly + BORDER - 0.5)
    # Nothing hit, or on the side away from the light: outside of the cutout.
    lit = ~(distance > 0.005)
    columns[lit] = -1e4
    rows[lit] = -1e4
    alpha = np.asarray(cv2.extractChannel(level.rgba, 3), np.uint8)
    blur = light.softness * density * lx * 0.5 * cutout.size[2] * placement.metres
    spread = light.softness * density * lx
    shade = _soft_lookup(alpha, columns, rows, distance, spread=spread, typical=blur)
    if skip > 1:
        size = view.world[0].shape[::-1]
        shade = np.asarray(cv2.resize(shade, size, interpolation=cv2.INTER_LINEAR), np.float32)
    return shade


def _soft_lookup(
    alpha: npt.NDArray[np.uint8],
    columns: Plane,
    rows: Plane,
    distance: Plane,
    *,
    spread: float,
    typical: float,
) -> Plane:
    """Sample alpha at positions of a cutout, blurred by `spread` pixels per metre of distance."""
    sharp = _lookup(alpha.astype(np.float32), columns, rows)
    if typical < 0.7:
        return sharp
    sigma = min(2.0 * typical, 0.25 * max(alpha.shape))
    # A transparent margin for the blur.
    margin = int(2 * sigma) + 1
    wide = cv2.copyMakeBorder(alpha, *(margin,) * 4, cv2.BORDER_CONSTANT, value=(0,))
    shrink = max(1, int(sigma / 3))
    if shrink > 1:
        size = (max(2, wide.shape[1] // shrink), max(2, wide.shape[0] // shrink))
        small = cv2.resize(wide, size, interpolation=cv2.INTER_AREA)
    else:
        small = wide
    kx, ky = small.shape[1] / wide.shape[1], small.shape[0] / wide.shape[0]
    # In floats, because OpenCV blurs bytes ten times as slowly.
    small = cv2.GaussianBlur(small.astype(np.float32), (0, 0), sigma * kx)
    far = (columns + np.float32(margin + 0.5)) * np.float32(kx) - np.float32(0.5)
    low = (rows + np.float32(margin + 0.5)) * np.float32(ky) - np.float32(0.5)
    blurred = _lookup(np.asarray(small, np.float32), far, low)
    # fmax and fmin, because distance is NaN where nothing is hit.
    weight = np.fmin(np.fmax(distance * np.float32(spread / sigma), 0), 1)
    return np.asarray(sharp + (blurred - sharp) * weight, np.float32)


def _lookup(alpha: Plane, columns: Plane, rows: Plane) -> Plane:
    """Sample alpha in [0, 255] at positions of a cutout, as [0, 1]; 0 outside of it."""
    found = cv2.remap(
        alpha, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0,)
    )
    return np.asarray(np.multiply(found, np.float32(1 / 255), out=np.asarray(found)), np.float32)


def contact_shadow(view: SceneView, placement: Placement, contact: ContactShadow) -> Plane:
    """Give the share of light blocked around the subject's feet, 0 to 1, at each second pixel.

    It decreases with the distance from the footprint, sideways, along the view and upwards; its
    width scales with the subject's size.
    """
    right, height, ahead = (plane[::2, ::2] for plane in view.world)
    foot = _foot_in_world(view, placement)
    under, size = placement.cutout.footprint, placement.cutout.size
    m = placement.metres
    reach = np.float32(contact.radius * 0.22 * m * min(max(size[0], size[1]), size[2], 1.2))
    reach = max(reach, np.float32(1e-3))
    across = under.across * np.float32(m)
    cover = under.cover
    if placement.mirrored:
        across, cover = -across[::-1], cover[::-1]
    spread = max(float(reach) * 0.5 / max(float(across[-1] - across[0]), 1e-6) * cover.size, 0.3)
    room = int(2 * spread) + 1
    profile = np.zeros((1, cover.size + 2 * room + 2), np.float32)
    within = profile[:, 1:-1]
    within[0, room:-room] = cover
    step = (across[-1] - across[0]) / max(across.size - 1, 1)
    sigma = min(spread, 200.0)
    # Along the profile alone, with the width that OpenCV would take.
    within[:] = cv2.GaussianBlur(within, (round(8 * sigma + 1) | 1, 1), sigma)
    # The profile is looked up by position; outside it there is none: a clear end on either side.
    position = (right - np.float32(foot[0] + across[0] - (room + 1) * step)) / np.float32(step)
    index = np.fmin(np.fmax(position, 0), profile.size - 1).astype(np.intp)
    beside = profile.take(index)
    dz = ahead - np.float32(foot[2])
    gap = np.maximum(np.float32(under.near * m) - dz, dz - np.float32(under.far * m))
    gap = np.maximum(gap, 0) / reach
    rise = np.maximum(np.abs(height - np.float32(foot[1])) - np.float32(0.02), 0) / reach
    shade = beside * np.exp(-0.5 * gap * gap - 1.5 * rise)
    cv2.patchNaNs(shade, 0)
    whole = view.world[0].shape[::-1]
    return np.asarray(cv2.resize(shade, whole, interpolation=cv2.INTER_LINEAR), np.float32)


def _foot_in_world(view: SceneView, placement: Placement) -> tuple[float, float, float]:
    """Give the foot point in metres: right of the camera, over the floor, ahead."""
    camera = view.camera
    assert camera is not None
    assert placement.z is not None
    z = placement.z
    right = (placement.x - camera.intrinsics.cx) / camera.intrinsics.fx * z
    down = (placement.y - camera.intrinsics.cy) / camera.intrinsics.fy
    cos, sin = np.cos(camera.pitch), np.sin(camera.pitch)
    return right, camera.height + z * (sin - cos * down), z * (cos + sin * down)


def flat_shadow(rng: np.random.Generator, layer: Layer, size: tuple[int, int]) -> Plane:
    """Give a shadow without depth: alpha, shifted as on a wall or sheared as on a floor.

    At each second pixel of a picture of `size` (H, W); 0 to 1.
    """
    placement = layer.placement
    height, width = size
    level, matrix = level_and_affine(placement, step=2.0)
    _, top, _, bottom = placement.rectangle
    tall = bottom - top
    if rng.random() < 0.5:  # on a wall behind
        dx, dy = rng.normal(0, 0.12, 2) * tall
        bend = np.array([[1, 0, dx / 2], [0, 1, abs(dy) / 2]])
    else:  # on the ground: sheared and squashed about the foot
        shear, squash = rng.uniform(-1.5, 1.5), rng.uniform(0.12, 0.6) * rng.choice([-1, 1])
        y = placement.y / 2
        bend = np.array([[1, shear * squash, -shear * squash * y], [0, squash, y - squash * y]])
    back = cv2.invertAffineTransform(bend)
    whole = matrix[:, :2] @ back
    whole[:, 2] += matrix[:, 2]
    shape = ((width + 1) // 2, (height + 1) // 2)
    alpha = cv2.warpAffine(
        cv2.extractChannel(level.rgba, 3).astype(np.float32),
        whole,
        shape,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    sigma = float(np.exp(rng.uniform(np.log(0.4), np.log(max(0.06 * tall, 0.5)))))
    alpha = cv2.GaussianBlur(alpha, (0, 0), sigma / 2 + 0.3)
    return np.multiply(alpha, np.float32(1 / 255), dtype=np.float32)


def shadow_factors(
    rng: np.random.Generator,
    view: SceneView,
    layers: list[Layer],
    share: float,
    *,
    strong: bool = False,
) -> tuple[Picture, Plane] | None:
    """Draw lights and give the scene's factors of light under all subjects' shadows.

    Args:
        rng: drawn from.
        view: the plate's crop.
        layers: the subjects.
        share: probability that a subject casts shadows.
        strong: draw one strong light or several.

    Returns:
        (H, W, 3) per channel and (H, W) luminance, both in (0, 1]; None without shadows.
    """
    height, width = view.size
    shape = ((height + 1) // 2, (width + 1) // 2)
    lights = sample_strong_lights(rng) if strong else sample_lights(rng)
    contact = sample_contact_shadow(rng)
    ambient = rng.uniform(0, 0.18) if rng.random() < 0.35 else 0.0
    kept: list[Plane] | None = None
    # Shadows of one light do not add up where two subjects stand in it.
    blocked: list[Plane | None] = [None] * len(lights)
    for layer in layers:
        if rng.random() >= share:
            continue
        spatial = (
            view.disparity is not None and view.camera is not None and layer.disparity is not None
        )
        if kept is None:
            kept = [np.ones(shape, np.float32) for _ in range(3)]
        if spatial:
            near = contact_shadow(view, layer.placement, contact) * np.float32(contact.strength)
            _darken(kept, near)
        for k, light in enumerate(lights[: None if spatial else 1]):
            if spatial:
                block = cast_shadow(view, layer.placement, light)
            else:
                block = flat_shadow(rng, layer, view.size)
            before = blocked[k]
            blocked[k] = block if before is None else np.maximum(before, block)
        if ambient:
            _darken(kept, np.float32(ambient) * _ambient_shadow(layer, shape))
    if kept is None:
        return None
    for light, shade in zip(lights, blocked, strict=True):
        if shade is not None:
            for c in range(3):
                kept[c] *= 1 - shade * np.float32(min(light.strength * light.colour[c], 0.97))
    small = cv2.merge([np.clip(plane, _MIN_FACTOR, 1) for plane in kept])
    full = np.asarray(
        cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32
    )
    return full, np.asarray(cv2.transform(full, LUMINANCE[None]), np.float32)


def _darken(kept: list[Plane], share: Plane) -> None:
    rest = 1 - share
    for c, plane in enumerate(kept):
        kept[c] = plane * rest


def _ambient_shadow(layer: Layer, shape: tuple[int, int]) -> Plane:
    """Give a wide, faint patch around a subject that blocks ambient light."""
    left, top, right, bottom = layer.placement.rectangle
    y = (np.arange(shape[0], dtype=np.float32) * 2 + 1 - (top + 2 * bottom) / 3) / (bottom - top)
    x = (np.arange(shape[1], dtype=np.float32) * 2 + 1 - (left + right) / 2) / (
        right - left + 0.3 * (bottom - top)
    )
    return np.asarray(np.exp(-2 * y * y)[:, None] * np.exp(-2 * x * x)[None, :], np.float32)
