"""Clothing changes: part of a subject gets another pattern, or the colours of the plate behind it.

The pattern is shaded like the original cloth, so that folds remain. Where it has the plate's own
colours, comparing pixels cannot find the subject; its alpha stays unchanged.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Picture, Plane
from cleanplate.synthesis.compositor.layer import Layer
from cleanplate.synthesis.compositor.shadow import LUMINANCE
from cleanplate.synthesis.procedural.textures import muted_colour, sample_texture

_LETTERS = "ABCDEFGHKLMNPRSTUVXYZ0123456789"
_MIN_PIXELS = 24
"""Smallest cloth area in pixels that is changed."""


def replace_cloth(rng: np.random.Generator, layer: Layer, colour: Picture) -> Picture:
    """Cover part of the subject with another pattern. Linear light (h, w, 3) in and out."""
    part = _cloth_mask(rng, layer)
    if part is None:
        return colour
    return _apply_cover(rng, colour, part, _texture(rng, part.shape), folds=rng.uniform(0.5, 1.0))


def print_plate_colours(
    rng: np.random.Generator, layer: Layer, colour: Picture, behind: Picture
) -> Picture:
    """Give part of the subject the plate's own colours.

    `behind` (h, w, 3) is the plate under the subject in linear light: it replaces the colour of
    the whole part, or of one half of a pattern.
    """
    part = _cloth_mask(rng, layer)
    if part is None:
        return colour
    # The plate as it is, or blurred: cloth of the wall's colours without its edges.
    sigma = rng.uniform(0.02, 0.15) * max(part.shape)
    seen = behind if rng.random() < 0.3 else cv2.GaussianBlur(behind, (0, 0), sigma)
    near = np.asarray(seen, np.float32) * np.exp(rng.normal(0, 0.03, 3)).astype(np.float32)
    kind = rng.random()
    if kind < 0.35:  # the whole part
        return _apply_cover(rng, colour, part, near, folds=rng.uniform(0, 0.35))
    ink = _pattern(rng, part.shape)
    if kind < 0.7:  # a print on the cloth that is there
        return _apply_cover(rng, colour, part * ink, near, folds=rng.uniform(0, 0.35))
    other = np.broadcast_to(muted_colour(rng), near.shape).astype(np.float32)
    mixed = near + ink[..., None] * (other - near)
    return _apply_cover(rng, colour, part, mixed, folds=rng.uniform(0, 0.5))


def _cloth_mask(rng: np.random.Generator, layer: Layer) -> Plane | None:
    """Choose part of the subject: (h, w) in [0, 1]; None if it is too small.

    A range of its height, mostly limited to one colour, as of a shirt or a door.
    """
    solid = layer.alpha > 0.5
    _, top, _, bottom = layer.placement.rectangle
    cutout = layer.placement.cutout
    head = 0.32 if cutout.half else 0.15
    if cutout.kind == "person" and rng.random() < 0.5:  # a shirt; the head stays as it is
        ends = head + rng.uniform(0, 0.05), rng.uniform(0.45, 0.62) if head < 0.2 else 1.0
    elif cutout.kind == "person":
        ends = rng.uniform(head, 0.55), rng.uniform(0.85, 1.1)
    else:
        start = rng.uniform(-0.1, 0.5)
        ends = start, start + rng.uniform(0.3, 1.1)
    rows = np.arange(layer.rows.start, layer.rows.stop, dtype=np.float32) + np.float32(0.5)
    y = (rows - np.float32(top)) / np.float32(bottom - top)
    within = solid & ((y > ends[0]) & (y < ends[1]))[:, None]
    places = np.flatnonzero(within)
    if places.size < _MIN_PIXELS:
        return None
    if rng.random() < 0.75:
        smooth = np.asarray(cv2.blur(layer.colour, (3, 3)), np.float32)
        seed = smooth.reshape(-1, 3)[places[int(rng.integers(places.size))]]
        away = smooth - seed
        away -= np.float32(0.6) * away.mean(-1, keepdims=True)  # folds differ in light alone
        alike = within & ((away * away).sum(-1) < rng.uniform(24, 60) ** 2)
        alike = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3))) > 0
        if (alike & within).sum() > 0.25 * places.size:
            within &= alike
    part = cv2.GaussianBlur(within.astype(np.float32), (0, 0), 0.6)
    return np.asarray(part, np.float32)


def _apply_cover(
    rng: np.random.Generator, colour: Picture, part: Plane, cover: Picture, *, folds: float
) -> Picture:
    """Blend `cover` over `colour` by `part`, keeping the share `folds` of the shading."""
    light = np.asarray(cv2.transform(colour, LUMINANCE[None]), np.float32)
    mean = float(cv2.mean(light, (part > 0.5).astype(np.uint8))[0]) + 0.02
    shading = (light + np.float32(0.02)) / np.float32(mean)
    shading = np.clip(shading, 0.4, 1.8) ** np.float32(folds)
    target = np.minimum(cover * shading[..., None], 1)
    return np.asarray(colour + part[..., None] * (target - colour), np.float32)


def _texture(rng: np.random.Generator, shape: tuple[int, ...]) -> Picture:
    """Draw a cloth texture (h, w, 3), linear light."""
    height, width = shape
    if rng.random() < 0.5:
        tile = sample_texture(rng, "cloth" if rng.random() < 0.6 else "wall").levels[0]
        count = float(np.exp(rng.uniform(np.log(0.6), np.log(4.0))))
        side = max(4, round(max(height, width) / count))
        small = np.asarray(cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA))
        repeats = -(-height // side), -(-width // side), 1
        return np.asarray(np.tile(small, repeats)[:height, :width], np.float32)
    first, second = muted_colour(rng), muted_colour(rng)
    mix = _pattern(rng, shape)[..., None] if rng.random() < 0.8 else np.float32(0)
    return np.asarray(np.broadcast_to(first + mix * (second - first), (*shape, 3)), np.float32)


def _pattern(rng: np.random.Generator, shape: tuple[int, ...]) -> Plane:
    """Draw stripes, checks, spots, letters or a badge: (h, w) in [0, 1]."""
    height, width = shape
    kind = rng.random()
    if kind < 0.55:
        return _stripes(rng, shape, checks=kind > 0.42)
    ink = np.zeros((height, width), np.uint8)
    if kind < 0.85:
        _write_letters(rng, ink)
    else:
        for _ in range(int(rng.integers(1, 12))):
            centre = (int(rng.integers(width)), int(rng.integers(height)))
            axes = tuple(1 + int(rng.uniform(0.02, 0.22) * side) for side in (width, height))
            cv2.ellipse(ink, centre, axes, rng.uniform(0, 180), 0, 360, (255,), -1, cv2.LINE_AA)
    return np.multiply(ink, np.float32(1 / 255), dtype=np.float32)


def _stripes(rng: np.random.Generator, shape: tuple[int, ...], *, checks: bool) -> Plane:
    height, width = shape
    pitch = max(2.5, float(np.exp(rng.uniform(np.log(0.03), np.log(0.5)))) * min(height, width))
    turn = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.12)
    share = rng.uniform(0.25, 0.75)
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    bend = np.float32(rng.uniform(0, 0.25) * pitch)
    wave = bend * np.sin((x + y) * np.float32(2 * np.pi / max(height, width)))

    def lines(angle: float) -> npt.NDArray[np.float32]:
        at = (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) + wave) / pitch
        away = np.abs(at % 1 - np.float32(0.5)) * np.float32(2 * pitch)
        return np.asarray(np.clip(share * pitch - away + 0.5, 0, 1), np.float32)

    first = lines(turn)
    return np.abs(first - lines(turn + np.pi / 2)) if checks else first


def _write_letters(rng: np.random.Generator, ink: npt.NDArray[np.uint8]) -> None:
    height, width = ink.shape
    size = float(np.exp(rng.uniform(np.log(0.06), np.log(0.5)))) * min(height, width) / 22
    line = max(4, int(30 * size))
    thick = max(1, round(size * rng.uniform(1, 5)))
    for row in range(int(rng.integers(0, line)), height + line, line):
        letters = rng.choice(list(_LETTERS), int(rng.integers(1, 14)))
        text = "".join(letters.tolist())
        left = int(rng.integers(-width // 4, max(1, width // 2)))
        cv2.putText(
            ink, text, (left, row), int(rng.integers(0, 5)), max(size, 0.15), (255,), thick,
            cv2.LINE_AA,
        )  # fmt: skip
