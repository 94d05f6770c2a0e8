"""Small assets on disk, sets built of them, and the command in a subprocess."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.formats.pictures import write_image
from cleanplate.synthesis.building.build_request import BuildRequest

ROOT = Path(__file__).resolve().parents[2]
HEIGHT, WIDTH = 90, 120
LICENCE = {"license": "CC0-1.0", "source": "drawn by a test"}


def write_assets_folder(
    folder: Path, plates: int = 3, cutouts: int = 2, *, depth: bool = True
) -> Path:
    """Write `plates/` and `cutouts/`: noise over a slope, and blobs of one colour each."""
    rng = np.random.default_rng(5)
    (folder / "plates").mkdir(parents=True)
    (folder / "cutouts").mkdir()
    for number in range(plates):
        file = folder / "plates" / f"room{number}.png"
        noise = rng.integers(0, 60, (HEIGHT // 6, WIDTH // 6, 3), np.uint8)
        picture = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        write_image(file, picture + np.uint8(40 * (number % 4) + 30))
        if depth:
            metres = np.linspace(6, 1.5 + number, HEIGHT)[:, None] * np.ones(WIDTH)
            write_image(
                file.with_name(f"room{number}_depth.png"), (metres * 1000).astype(np.uint16)
            )
        metadata = {"fx": 100.0, "fy": 100.0, "cx": WIDTH / 2, "cy": HEIGHT / 2, **LICENCE}
        file.with_suffix(".json").write_text(
            json.dumps({**metadata, "camera_height": 1.4, "pitch": -0.15}), encoding="utf-8"
        )
    for number in range(cutouts):
        file = folder / "cutouts" / f"blob{number}.png"
        rgba = np.zeros((60, 40, 4), np.uint8)
        rgba[..., :3] = rng.integers(80, 255, 3)
        alpha = np.zeros((60, 40), np.uint8)
        cv2.ellipse(alpha, (20, 30), (12 + 3 * number, 25), 0, 0, 360, 255, -1, cv2.LINE_AA)
        rgba[..., 3] = alpha
        write_image(file, rgba)
        metadata = {**LICENCE, "kind": "person", "size_m": [0.6, 0.3, 1.7]}
        metadata |= {"focal_px": 60.0, "distance_m": 2.0, "foot_xy": [20.0, 55.0]}
        file.with_suffix(".json").write_text(json.dumps(metadata), encoding="utf-8")
    return folder


def small_request(
    asset_folder: Path, out: Path, preset: str = "realistic", **changes: Any
) -> BuildRequest:
    """A build request for a set of few and small samples."""
    few: dict[str, Any] = {"count": 12, "shard_size": 5}
    if preset == "assignment":
        few = {"placements": 2, "shard_size": 5}
    given = {
        "plates": (asset_folder / "plates",),
        "cutouts": (asset_folder / "cutouts",),
        "size": (48, 64),
    }
    return BuildRequest(out, preset, **{**given, **few, **changes})


def digests(out: Path) -> dict[str, str]:
    """The sha256 of every file of a set but its lock."""
    return {
        str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(out.rglob("*"))
        if file.is_file() and file.name != ".lock"
    }


def unfinished(out: Path) -> list[str]:
    """Names of temporary files."""
    return [f.name for f in out.rglob(".*") if f.name != ".lock"]


def command(asset_folder: Path, out: Path, *more: str) -> list[str]:
    """The real command, on the asset_folder's folders."""
    own = ["--plates", str(asset_folder / "plates"), "--cutouts", str(asset_folder / "cutouts")]
    return [sys.executable, "-m", "cleanplate", "synth", "build", "-o", str(out), *own, *more]


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def run(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=environment(),
        timeout=400,
        **options,
    )
