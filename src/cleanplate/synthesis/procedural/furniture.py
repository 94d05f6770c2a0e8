"""Furniture and objects as lists of solids in their own frame: y up, front towards -z.

Each maker takes a generator and a `MaterialSampler`, and gives solids around the origin on the
floor. `transformed` moves them into a scene.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from cleanplate.synthesis.procedural.solids import Solid

Solids = list[Solid]


class MaterialSampler(Protocol):
    """Draws materials by use; each call adds a new one to the scene."""

    def __call__(self, use: str) -> int:
        """Draw a material for a use; returns its index."""
        ...


FurnitureMaker = Callable[[np.random.Generator, MaterialSampler], Solids]


def block(
    x: tuple[float, float],
    y: tuple[float, float],
    z: tuple[float, float],
    material: int,
    top: int | None = None,
) -> Solid:
    """Make a box from its ends."""
    ends = (x, y, z)
    centre = tuple((a + b) / 2 for a, b in ends)
    half = tuple(max(abs(b - a) / 2, 1e-3) for a, b in ends)
    return Solid("box", centre, half, 0.0, material, top)  # type: ignore[arg-type]


def rod(x: float, z: float, y: tuple[float, float], radius: float, material: int) -> Solid:
    """Make an upright cylinder."""
    half = (radius, (y[1] - y[0]) / 2, radius)
    return Solid("cylinder", (x, (y[0] + y[1]) / 2, z), half, 0.0, material)


def ball(x: float, y: float, z: float, radius: float, material: int) -> Solid:
    """Make a sphere."""
    return Solid("sphere", (x, y, z), (radius, radius, radius), 0.0, material)


def transformed(solids: Solids, x: float, z: float, yaw: float, y: float = 0.0) -> Solids:
    """Rotate solids by `yaw` about the origin, then move them to (x, y, z)."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    out = []
    for s in solids:
        cx, cy, cz = s.centre
        ahead = float(z - cx * sin + cz * cos)
        centre = (float(x + cx * cos + cz * sin), float(y + cy), ahead)
        out.append(replace(s, centre=centre, yaw=s.yaw + yaw))
    return out


def bounds(solids: Solids) -> tuple[float, float, float]:
    """Half width, height and half depth of solids around the origin, in metres."""
    half = [
        max(abs(s.centre[i]) + max(s.half[i], s.half[2 - i] if s.yaw else 0) for s in solids)
        for i in (0, 2)
    ]
    return half[0], max(s.centre[1] + s.half[1] for s in solids), half[1]


def table(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make a table with four legs or one, with objects on it."""
    w, d = rng.uniform(0.3, 1.0), rng.uniform(0.25, 0.5)
    h = rng.choice([rng.uniform(0.68, 0.8), rng.uniform(0.35, 0.5)])
    top, leg, thick = material_for("furniture"), material_for("furniture"), rng.uniform(0.02, 0.06)
    out = [block((-w, w), (h - thick, h), (-d, d), top)]
    if rng.random() < 0.7:
        t = rng.uniform(0.015, 0.045)
        for sx in (-1, 1):
            for sz in (-1, 1):
                x, z = sx * (w - 2 * t), sz * (d - 2 * t)
                out.append(block((x - t, x + t), (0, h - thick), (z - t, z + t), leg))
    else:
        out += [rod(0, 0, (0.02, h - thick), 0.05, leg), rod(0, 0, (0, 0.03), 0.28, leg)]
    return out + _things_on(rng, material_for, (w, d), h)


def _things_on(
    rng: np.random.Generator, material_for: MaterialSampler, half: tuple[float, float], y: float
) -> Solids:
    out: Solids = []
    for _ in range(int(rng.integers(0, 6))):
        x, z = rng.uniform(-0.85, 0.85) * half[0], rng.uniform(-0.8, 0.8) * half[1]
        kind, m = rng.random(), material_for("furniture")
        if kind < 0.4:
            a, b, c = rng.uniform(0.02, 0.14, 3)
            s = block((-a, a), (0, b * 1.5), (-c, c), m)
            out += transformed([s], x, z, rng.uniform(0, 3), y)
        elif kind < 0.8:
            r, h = rng.uniform(0.025, 0.08), rng.uniform(0.05, 0.3)
            out += transformed([rod(0, 0, (0, h), r, m)], x, z, 0, y)
        else:
            r = rng.uniform(0.03, 0.1)
            out += transformed([ball(0, r, 0, r, m)], x, z, 0, y)
    return out


def chair(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make a chair, or a stool."""
    m, cloth = material_for("furniture"), material_for("cloth")
    w, h, t = rng.uniform(0.18, 0.26), rng.uniform(0.4, 0.5), rng.uniform(0.012, 0.025)
    out = [block((-w, w), (h - 0.05, h), (-w, w), cloth)]
    for sx in (-1, 1):
        for sz in (-1, 1):
            x, z = sx * (w - t), sz * (w - t)
            high = h + 0.45 if sz > 0 and rng.random() < 0.8 else h - 0.05
            out.append(block((x - t, x + t), (0, high), (z - t, z + t), m))
    if rng.random() < 0.85:
        low = h + rng.uniform(0.02, 0.25)
        out.append(block((-w, w), (low, h + 0.45), (w - 0.03, w), cloth))
    return out


def sofa(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make a sofa or an armchair."""
    m, pad = material_for("cloth"), material_for("cloth")
    w, d, h = rng.uniform(0.4, 1.2), rng.uniform(0.38, 0.5), rng.uniform(0.35, 0.45)
    back, arm = rng.uniform(0.7, 0.95), rng.uniform(0.1, 0.22)
    out = [
        block((-w, w), (0.06, h), (-d, d), m),
        block((-w, w), (h, back), (d - 0.2, d), m),
        block((-w - arm, -w), (0.04, h + 0.18), (-d, d), m),
        block((w, w + arm), (0.04, h + 0.18), (-d, d), m),
    ]
    for k in range(int(rng.integers(0, 4))):
        x = rng.uniform(-w, w) * 0.8
        s = block((-0.2, 0.2), (0, 0.35), (-0.06, 0.06), pad if k % 2 else material_for("cloth"))
        out += transformed([s], x, d - 0.28, rng.normal(0, 0.2), h)
    return out


def bed(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make a bed with its head towards the wall."""
    m, sheet, cover = material_for("furniture"), material_for("cloth"), material_for("cloth")
    w = rng.uniform(0.45, 0.95)
    out = [
        block((-w, w), (0.1, 0.32), (-1.0, 1.0), m),
        block((-w, w), (0.32, 0.5), (-1.0, 1.0), sheet),
        block((-w - 0.01, w + 0.01), (0.3, 0.53), (-1.01, rng.uniform(0.0, 0.5)), cover),
        block((-w, w), (0, rng.uniform(0.7, 1.2)), (1.0, 1.06), m),
    ]
    out.append(block((-w * 0.8, w * 0.8), (0.5, 0.64), (0.6, 0.95), sheet))
    return out


def cabinet(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make a chest, wardrobe or kitchen row, with fronts and handles."""
    body, front, handle = (
        material_for("furniture"),
        material_for("furniture"),
        material_for("furniture"),
    )
    tall = rng.random() < 0.35
    w, d = rng.uniform(0.3, 1.4), rng.uniform(0.18, 0.32)
    h = rng.uniform(1.6, 2.2) if tall else rng.uniform(0.4, 1.0)
    out = [block((-w, w), (rng.choice([0.0, 0.08]), h), (-d, d), body, material_for("furniture"))]
    columns = max(1, round(2 * w / rng.uniform(0.35, 0.6)))
    rows = 1 if tall or rng.random() < 0.4 else int(rng.integers(1, 4))
    gap = 0.012
    for i in range(columns):
        for j in range(rows):
            x = (-w + 2 * w * i / columns + gap, -w + 2 * w * (i + 1) / columns - gap)
            y = (0.1 + (h - 0.12) * j / rows + gap, 0.1 + (h - 0.12) * (j + 1) / rows - gap)
            out.append(block(x, y, (-d - 0.018, -d), front))
            cx, cy = (x[0] + x[1]) / 2, (y[0] + y[1]) / 2
            out.append(block((cx - 0.06, cx + 0.06), (cy, cy + 0.015), (-d - 0.04, -d), handle))
    return out if tall else out + _things_on(rng, material_for, (w, d), h)


def shelf(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make shelves with books and boxes; at times without a back."""
    m = material_for("furniture")
    w, d, h = rng.uniform(0.35, 0.9), rng.uniform(0.12, 0.25), rng.uniform(0.9, 2.2)
    boards, t = int(rng.integers(3, 6)), 0.012
    out = [
        block((-w - t, -w + t), (0, h), (-d, d), m),
        block((w - t, w + t), (0, h), (-d, d), m),
    ]
    if rng.random() < 0.7:
        out.append(block((-w, w), (0, h), (d - 0.01, d), m))
    books = [material_for("furniture") for _ in range(5)]
    for k in range(boards):
        y = 0.05 + (h - 0.07) * k / (boards - 1)
        out.append(block((-w, w), (y - t, y + t), (-d, d), m))
        x = -w + 0.03
        while k < boards - 1 and x < w - 0.1 and rng.random() < 0.93:
            wide = rng.uniform(0.02, 0.06) if rng.random() < 0.7 else rng.uniform(0.1, 0.3)
            high = rng.uniform(0.5, 0.9) * (h - 0.07) / (boards - 1)
            if rng.random() < 0.8 and x + wide < w:
                b = books[int(rng.integers(5))]
                out.append(block((x, x + wide), (y + t, y + high), (-d * 0.7, d * 0.8), b))
            x += wide + rng.choice([0.003, 0.003, 0.1])
    return out


def lamp(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make a floor lamp."""
    m, h = material_for("furniture"), rng.uniform(1.2, 1.8)
    shade = material_for("lamp") if rng.random() < 0.6 else material_for("cloth")
    top: Solid = (
        rod(0, 0, (h - 0.15, h + 0.15), rng.uniform(0.12, 0.25), shade)
        if rng.random() < 0.7
        else ball(0, h, 0, rng.uniform(0.1, 0.2), shade)
    )
    return [rod(0, 0, (0, 0.03), 0.16, m), rod(0, 0, (0, h), 0.015, m), top]


def plant(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make a pot with leaves; each leaf is a thin turned box."""
    pot, leaf, r = material_for("furniture"), material_for("leaf"), rng.uniform(0.1, 0.22)
    h, reach = rng.uniform(0.2, 0.45), rng.uniform(0.3, 0.9)
    out = [rod(0, 0, (0, h), r, pot)]
    for _ in range(int(rng.integers(8, 22))):
        a, y = rng.uniform(0, 2 * np.pi), h + rng.uniform(0.05, 1) * reach
        far, wide = rng.uniform(0.02, 0.4) * reach, rng.uniform(0.02, 0.1)
        centre = (far * np.sin(a), y, far * np.cos(a))
        half = (wide, rng.uniform(0.02, 0.15), 0.004)
        out.append(Solid("box", centre, half, a, leaf))
        twig = (far * np.sin(a) / 2, y, far * np.cos(a) / 2)
        out.append(Solid("box", twig, (0.005, 0.005, far / 2), a, leaf))
    return [*out, rod(0, 0, (h, h + reach), 0.012, leaf)]


def carton(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make a stack of boxes."""
    out: Solids = []
    y, w = 0.0, rng.uniform(0.15, 0.5)
    m = material_for("furniture")
    for _ in range(int(rng.integers(1, 5))):
        h, d = rng.uniform(0.1, 0.5), w * rng.uniform(0.6, 1)
        s = block((-w, w), (0, h), (-d, d), m if rng.random() < 0.6 else material_for("furniture"))
        out += transformed([s], rng.normal(0, 0.03), rng.normal(0, 0.03), rng.normal(0, 0.2), y)
        y, w = y + h, w * rng.uniform(0.6, 1)
    return out


def drum(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make a drum, bin, bollard or column."""
    r, h = rng.uniform(0.08, 0.4), rng.uniform(0.3, 1.3)
    m = material_for("furniture")
    out = [rod(0, 0, (0, h), r, m)]
    if rng.random() < 0.4:
        out.append(rod(0, 0, (h * 0.45, h * 0.55), r * 1.02, material_for("furniture")))
    return out


def stairs(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make a flight of steps that rises to the wall."""
    m, w = material_for("furniture"), rng.uniform(0.4, 0.8)
    rise, tread = rng.uniform(0.15, 0.19), rng.uniform(0.22, 0.32)
    count = int(rng.integers(4, 12))
    solid = rng.random() < 0.6
    return [
        block(
            (-w, w),
            (0 if solid else (k + 1) * rise - 0.05, (k + 1) * rise),
            ((k - count / 2) * tread, (k + 1 - count / 2) * tread),
            m,
        )
        for k in range(count)
    ]


def toys(rng: np.random.Generator, material_for: MaterialSampler) -> Solids:
    """Make small objects on the floor."""
    return _things_on(rng, material_for, (0.5, 0.5), 0.0) + _things_on(
        rng, material_for, (0.3, 0.3), 0.0
    )


BY_WALL: tuple[FurnitureMaker, ...] = (
    cabinet, cabinet, shelf, sofa, bed, lamp, plant, carton, table, chair, stairs,
)  # fmt: skip
FREE_STANDING: tuple[FurnitureMaker, ...] = (
    table,
    table,
    chair,
    chair,
    carton,
    plant,
    drum,
    toys,
    sofa,
    lamp,
)
OUTDOORS: tuple[FurnitureMaker, ...] = (carton, drum, table, chair, plant, toys, stairs, cabinet)
