"""Small sets for tests, made by `cleanplate synth build`'s own functions from tiny assets."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np

from cleanplate.depth import write_depth
from cleanplate.formats.pictures import write_image
from cleanplate.synthesis.building.build import build
from cleanplate.synthesis.building.build_request import BuildRequest
from cleanplate.synthesis.building.local_engine import run_here

LICENCE = json.dumps({"license": "CC0-1.0", "source": "made for tests"})


def write_assets(folder: Path, count: int) -> tuple[Path, Path]:
    """`count` plates (a wall 4 m away over a floor) and as many cutouts (a coloured bar)."""
    plates, cutouts = folder / "plates", folder / "cutouts"
    for kind in (plates, cutouts):
        kind.mkdir(parents=True)
        (kind / "catalogue.json").write_text(LICENCE, encoding="utf-8")
    draw = np.random.default_rng(0)
    depth = np.full((48, 48), 4, np.float32)
    depth[24:] = 30.0 / (np.arange(24) + 7.5)[:, None]
    camera = {"width": 48, "height": 48, "fx": 40.0, "fy": 40.0, "cx": 24.0, "cy": 24.0}
    for number in range(count):
        picture = np.full((48, 48, 3), draw.integers(30, 220, 3), np.uint8)
        picture[::7] //= 2
        write_image(plates / f"p{number:02}.png", picture)
        write_depth(plates / f"p{number:02}_depth.png", depth)
        facts = {**camera, "camera_height": 1.4, "pitch": 0.0}
        (plates / f"p{number:02}.json").write_text(json.dumps(facts), encoding="utf-8")
        bar = np.zeros((32, 14, 4), np.uint8)
        bar[2:30, 2:12] = [*draw.integers(0, 255, 3), 255]
        write_image(cutouts / f"c{number:02}.png", bar)
        (cutouts / f"c{number:02}.json").write_text(
            json.dumps({"kind": "object"}), encoding="utf-8"
        )
    return plates, cutouts


def build_set(out: Path, assets: tuple[Path, Path], preset: str, **asked: object) -> Path:
    """Build a set in this process, 32 x 32 pixels."""
    plates, cutouts = assets
    order = partial(BuildRequest, out, preset, (plates,), (cutouts,), size=(32, 32), seed=3)
    build(order(**asked), run_here)  # type: ignore[arg-type]
    return out
