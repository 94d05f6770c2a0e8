"""`synth cutouts` and `synth depth` killed again and again: the same command resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cleanplate.formats.pictures import write_image
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from tests.depth.test_depth_estimators import mean_colour
from tests.synthesis.ingest.test_cutout_extraction import figure, stripes

COUNT = 24

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")


def call(arguments: Sequence[object], out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cleanplate", "synth", *map(str, arguments), "-o", str(out)]
    return subprocess.Popen([*command, "--quiet"])


def contents(folder: Path) -> dict[str, bytes]:
    """What is there by name, without what a killed run left half written (hidden names)."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def cutouts(folder: Path) -> list[object]:
    for number in range(COUNT):
        rgba = np.dstack([stripes((120, 60), number), (figure() * 255).astype(np.uint8)])
        write_image(folder / f"{number:02}.png", rgba)
    return ["cutouts", folder, "--license", "CC0-1.0", "--source", "a drawer", "--height", 1.8]


def depth(folder: Path) -> list[object]:
    for number in range(COUNT):
        write_image(folder / f"{number:02}.png", stripes((120, 160), number))
    model = mean_colour(folder.parent / "m.onnx", convention="disparity", colours="unit", side="96")
    return ["depth", folder, "--model", model]


@pytest.mark.parametrize(("make", "last"), [(cutouts, ".png"), (depth, "_depth.png")])
def test_killed_at_any_moment(tmp_path: Path, make, last: str):
    source = tmp_path / "in"
    source.mkdir()
    arguments = make(source)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert call(arguments, whole).wait() == 0
    kills = 0
    for wanted in (1, 7, 13):
        process = call(arguments, broken)
        while process.poll() is None:
            done = list(broken.glob(f"[0-9][0-9]{last}")) if broken.is_dir() else []
            if len(done) >= wanted:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.001)
        process.wait()
        for name, data in (contents(broken) if broken.is_dir() else {}).items():
            assert data == contents(whole)[name], "whole, or not there"
    assert kills >= 1, "it was too quick to be killed even once"
    assert call(arguments, broken).wait() == 0
    assert contents(broken) == contents(whole)
    catalogue = CutoutFolder if make is cutouts else PlateFolder
    assert len(catalogue.open(broken)) == COUNT
