"""Small seamless textures with mipmaps, drawn from a seed, and lookups in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Picture, Plane
from cleanplate.files.listing import find_pictures
from cleanplate.formats.pictures import read_image, resize, to_float
from cleanplate.light import srgb_to_linear

SIDE = 256
"""Pixels of a texture's side."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Texture:
    """A seamless texture: mipmaps of linear colour (SIDE, SIDE, 3), and its size in metres."""

    levels: tuple[Picture, ...]
    metres: float


def with_mipmaps(colour: Floats, metres: float) -> Texture:
    """Build a texture of (SIDE, SIDE, 3) linear colour with its mipmaps."""
    levels = [np.clip(colour, 0.003, 0.95).astype(np.float32)]
    while levels[-1].shape[0] > 4:
        half = levels[-1].shape[0] // 2
        levels.append(
            np.asarray(cv2.resize(levels[-1], (half, half), interpolation=cv2.INTER_AREA))
        )
    return Texture(tuple(levels), metres)


@cache
def _fractal(seed: int) -> Plane:
    """Seamless fractal noise (SIDE, SIDE) in about [0, 1]."""
    rng = np.random.default_rng([0x7E, seed])
    total, weight = np.zeros((SIDE, SIDE), np.float32), 0.0
    slope = rng.uniform(0.45, 0.8)
    for octave in range(1, 8):
        cells = 2**octave
        grain = rng.random((cells, cells), np.float32)
        wide = np.pad(grain, 2, mode="wrap")
        scale = SIDE // cells
        big = cv2.resize(wide, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        total += np.asarray(big)[2 * scale :, 2 * scale :][:SIDE, :SIDE] * slope**octave
        weight += slope**octave
    total = (total - total.mean()) / total.std()
    return np.asarray(np.clip(0.5 + 0.22 * total, 0, 1), np.float32)


def fractal_noise(rng: np.random.Generator) -> Plane:
    """Draw one of 24 noises, shifted and transposed at random."""
    noise = np.roll(_fractal(int(rng.integers(24))), rng.integers(SIDE, size=2), (0, 1))
    return noise.T if rng.random() < 0.5 else noise


def muted_colour(rng: np.random.Generator, *, bright: float | None = None) -> Floats:
    """Draw a colour of paint, wood, stone or cloth, linear light (3,)."""
    hue, value = rng.random(), rng.uniform(0.15, 0.95) if bright is None else bright
    rich = rng.beta(1.2, 3.8) if rng.random() < 0.88 else rng.uniform(0.4, 0.95)
    if rng.random() < 0.45:  # warm, as most interiors are
        hue = rng.normal(0.09, 0.03) % 1
    turn = np.abs((hue + np.array([0, 2 / 3, 1 / 3])) % 1 * 6 - 3) - 1
    coded = value * (1 - rich * (1 - np.clip(turn, 0, 1)))
    return srgb_to_linear(np.asarray(coded, np.float32))


def _grid(
    count: int, aspect: float, gap: float, bond: float
) -> tuple[Plane, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Joints (1 on the tile, 0 in the joint) and each pixel's tile row and column."""
    rows = max(1, round(count * aspect))
    at = (np.arange(SIDE, dtype=np.float32) + np.float32(0.5)) / np.float32(SIDE)
    y, x = (at * rows)[:, None], (at * count)[None]
    row = np.floor(y).astype(np.intp)
    shifted = (x + (bond * (row % 2)).astype(np.float32)) % np.float32(count)
    column = np.floor(shifted).astype(np.intp)
    part = shifted - column
    edge = np.minimum(
        np.minimum(part, 1 - part) / np.float32(count),
        np.minimum(y - row, 1 - y + row) / np.float32(rows),
    )
    return np.clip((edge - np.float32(gap)) * SIDE + np.float32(0.5), 0, 1), row, column


def _tiles(rng: np.random.Generator) -> Texture:
    count = int(rng.integers(2, 9))
    rows = rng.choice([1.0, 1.0, 2.0, 0.5])
    joint, row, column = _grid(count, rows, rng.uniform(0.002, 0.012), rng.choice([0.0, 0.5]))
    base, other, mortar = muted_colour(rng), muted_colour(rng), muted_colour(rng)
    share = (rng.random((64, 64)) * rng.uniform(0, 0.4)).astype(np.float32)
    if rng.random() < 0.25:
        share += (np.add.outer(np.arange(64), np.arange(64)) % 2) * 0.9
    mix = np.clip(share[row, column], 0, 1)[..., None]
    colour = base * (1 - mix) + other * mix
    colour = colour * (0.85 + 0.3 * fractal_noise(rng)[..., None])
    colour = mortar + joint[..., None] * (colour - mortar)
    return with_mipmaps(colour.astype(np.float32), count * float(rng.choice([0.1, 0.2, 0.33])))


def _planks(rng: np.random.Generator) -> Texture:
    count = int(rng.integers(3, 11))
    joint, row, column = _grid(1, float(count), rng.uniform(0.001, 0.004), 0.5)
    base = muted_colour(rng) if rng.random() < 0.3 else _wood_colour(rng)
    tone = np.exp(rng.normal(0, 0.16, (64, 64))).astype(np.float32)[row, column]
    grain = cv2.resize(
        fractal_noise(rng)[:, ::8].copy(), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR
    )
    grain = 1 + rng.uniform(0.2, 0.9) * (np.asarray(grain) - 0.5)
    colour = base * (tone * grain * (0.35 + 0.65 * joint))[..., None]
    return with_mipmaps(colour.astype(np.float32), rng.uniform(0.8, 2.0))


def _wood_colour(rng: np.random.Generator) -> Floats:
    dark, light = (
        np.asarray([0.06, 0.025, 0.012], np.float32),
        np.asarray([0.62, 0.42, 0.24], np.float32),
    )
    share = rng.random()
    return np.asarray(dark ** (1 - share) * light**share, np.float32)


def _plaster(rng: np.random.Generator) -> Texture:
    base = muted_colour(rng, bright=rng.uniform(0.35, 0.95))
    colour = base * (1 + rng.uniform(0.02, 0.3) * (fractal_noise(rng) - 0.5))[..., None]
    return with_mipmaps(colour.astype(np.float32), rng.uniform(0.6, 3))


def _plain(rng: np.random.Generator) -> Texture:
    base = muted_colour(rng)
    return with_mipmaps(np.broadcast_to(base, (SIDE, SIDE, 3)).astype(np.float32), 1.0)


def _stone(rng: np.random.Generator) -> Texture:
    a, b = muted_colour(rng), muted_colour(rng)
    mix = np.clip((fractal_noise(rng) - 0.5) * rng.uniform(1, 4) + 0.5, 0, 1)
    if rng.random() < 0.5:  # veins
        mix = np.abs(2 * mix - 1) ** rng.uniform(0.3, 1.5)
    colour = a + mix[..., None] * (b - a)
    return with_mipmaps(colour.astype(np.float32), rng.uniform(0.4, 3))


def _stripes(rng: np.random.Generator) -> Texture:
    a, b = muted_colour(rng), muted_colour(rng)
    count = int(rng.integers(2, 20))
    x = (np.arange(SIDE) + 0.5) / SIDE * count
    wave = np.clip((np.abs(x % 1 - 0.5) - rng.uniform(0.08, 0.4)) * SIDE / count + 0.5, 0, 1)
    mix = np.broadcast_to(wave[None], (SIDE, SIDE))
    if rng.random() < 0.35:
        mix = (mix + mix.T) / 2
    elif rng.random() < 0.5:
        mix = mix.T
    colour = (a + mix[..., None] * (b - a)) * (0.9 + 0.2 * fractal_noise(rng)[..., None])
    return with_mipmaps(colour.astype(np.float32), count * rng.uniform(0.03, 0.15))


def _pattern(rng: np.random.Generator) -> Texture:
    """Wallpaper, carpet or cloth: one motif again and again."""
    cells = int(rng.choice([4, 8, 16]))
    side = SIDE // cells
    motif = np.zeros((side, side), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre = tuple(int(v) for v in rng.integers(side // 4, 3 * side // 4 + 1, 2))
        axes = tuple(int(v) for v in rng.integers(1, max(2, side // 3), 2))
        thick = -1 if rng.random() < 0.6 else 1
        cv2.ellipse(motif, centre, axes, rng.uniform(0, 180), 0, 360, (255,), thick, cv2.LINE_AA)
    motif = np.maximum(motif, motif[:, ::-1])
    mix = np.tile(motif, (cells, cells)).astype(np.float32)[..., None] / 255
    a, b = muted_colour(rng), muted_colour(rng)
    colour = (a + mix * rng.uniform(0.2, 1) * (b - a)) * (0.9 + 0.2 * fractal_noise(rng)[..., None])
    return with_mipmaps(colour.astype(np.float32), cells * rng.uniform(0.06, 0.3))


def _grass(rng: np.random.Generator) -> Texture:
    base = np.asarray([0.10, 0.16, 0.04], np.float32) * np.exp(rng.normal(0, 0.3, 3)).astype(
        np.float32
    )
    fine = rng.random((SIDE, SIDE), np.float32)
    colour = base * (0.4 + 0.9 * fractal_noise(rng) + 0.5 * fine)[..., None]
    return with_mipmaps(colour.astype(np.float32), rng.uniform(0.8, 3))


_MAKERS: dict[str, Callable[[np.random.Generator], Texture]] = {
    "plaster": _plaster,
    "plain": _plain,
    "planks": _planks,
    "tiles": _tiles,
    "stone": _stone,
    "stripes": _stripes,
    "pattern": _pattern,
    "grass": _grass,
}

_TEXTURES_BY_USE: dict[str, tuple[str, ...]] = {
    "floor": ("planks", "planks", "tiles", "stone", "pattern", "plaster"),
    "wall": ("plaster", "plaster", "plaster", "plain", "tiles", "stripes", "pattern", "planks"),
    "ceiling": ("plaster", "plain", "plaster", "planks", "tiles"),
    "furniture": ("plain", "planks", "planks", "plaster", "stone", "stripes"),
    "cloth": ("plaster", "pattern", "stripes", "plain", "stone"),
    "ground": ("grass", "stone", "tiles", "plaster"),
}


def sample_texture(rng: np.random.Generator, use: str, folder: Path | None = None) -> Texture:
    """Draw a texture for floor, wall, ceiling, furniture, cloth or ground.

    With a folder, about half of those of large surfaces are its pictures, tinted.
    """
    if folder is not None and rng.random() < (0.6 if use != "furniture" else 0.35):
        files = texture_files(folder)
        image = _texture_image(files[int(rng.integers(len(files)))])
        tint = np.exp(rng.normal(0, 0.12, 3) + rng.normal(0, 0.25)).astype(np.float32)
        return with_mipmaps(image * tint, rng.uniform(0.6, 2.5))
    makers = _TEXTURES_BY_USE[use]
    return _MAKERS[makers[int(rng.integers(len(makers)))]](rng)


@cache
def texture_files(folder: Path) -> tuple[Path, ...]:
    """List the pictures of a folder that are colour textures, no normal or roughness maps."""
    skip = ("normal", "roughness", "displacement", "height", "metal")
    files = [f for f in find_pictures(folder) if not any(s in f.stem.lower() for s in skip)]
    return tuple(files)


@cache
def _texture_image(path: Path) -> Picture:
    picture = read_image(path)
    side = min(picture.shape[:2])
    small = resize(np.ascontiguousarray(picture[:side, :side]), (SIDE, SIDE))
    return srgb_to_linear(to_float(small))


def look_up_texture(texture: Texture, u: Floats, v: Floats, footprint: Floats) -> Floats:
    """Give colours (n, 3) at u, v in metres (n,); `footprint` is a pixel's size there in metres.

    Bilinear within the mipmap level whose texels are as large as the pixel.
    """
    lod = np.log2(np.maximum(footprint * np.float32(SIDE / texture.metres), 1e-6))
    level = np.clip(np.rint(lod), 0, len(texture.levels) - 1).astype(np.int8)
    out = np.empty((u.size, 3), np.float32)
    for k in np.unique(level):
        at = np.flatnonzero(level == k)
        grid = texture.levels[k]
        side = grid.shape[0]
        x = u[at] * np.float32(side / texture.metres) - np.float32(0.5)
        y = v[at] * np.float32(side / texture.metres) - np.float32(0.5)
        x0, y0 = np.floor(x), np.floor(y)
        fx, fy = (x - x0)[:, None], (y - y0)[:, None]
        i, j = x0.astype(np.int64) % side, y0.astype(np.int64) % side
        i1, j1 = (i + 1) % side, (j + 1) % side
        upper = grid[j, i] * (1 - fx) + grid[j, i1] * fx
        lower = grid[j1, i] * (1 - fx) + grid[j1, i1] * fx
        out[at] = upper * (1 - fy) + lower * fy
    return out
