"""Depth that contradicts alpha or the plate's depth is found."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cleanplate.synthesis.inspection.check import check_set
from cleanplate.synthesis.inspection.sample_checks import depth_faults
from tests.synthesis.inspection.checking import decoded, png, rewrite


def test_depth_behind_the_plate_is_found(copied: Callable[[str], Path]) -> None:
    """In one pixel, where plate and frame are seen by one camera."""
    folder = copied("still")
    with tarfile.open(folder / "000000.tar") as tar:
        alphas = {
            member.name[:9]: decoded(tar.extractfile(member).read())
            for member in tar
            if member.name.endswith("alpha.png")
        }
    solid = next(name for name, alpha in alphas.items() if (alpha == 255).any())
    clear = next(name for name in alphas if name != solid)

    def change(parts: dict[str, bytes]) -> None:
        for name, value in ((solid, 255), (clear, 0)):
            depth = decoded(parts[f"{name}.depth.png"])
            plate = decoded(parts[f"{name}.plate_depth.png"])
            row, column = np.argwhere(alphas[name] == value)[0]
            depth[row, column] = plate[row, column] + 250
            parts[f"{name}.depth.png"] = png(depth)

    rewrite(folder, "000000", change)
    assert sorted(map(str, check_set(folder).faults)) == sorted(
        [
            f"{solid} depth: lies behind the plate at 1 pixels where alpha is 1, by up to 0.25 m",
            f"{clear} depth: is not the plate's at 1 pixels where alpha is 0",
        ]
    )


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Alpha, depth and plate's depth of a subject before a slope with a step."""
    plate = (np.linspace(5000, 2000, 64)[:, None] * np.ones(64)).astype(np.uint16)
    plate[20:40, 40:] = 1500
    alpha = np.zeros((64, 64), np.uint8)
    alpha[16:48, 20:36] = 255
    depth = np.where(alpha == 255, np.uint16(1400), plate)
    return alpha, depth, plate


def test_depth_rules_hold_for_rounding_and_the_unknown() -> None:
    alpha, depth, plate = scene()
    assert list(depth_faults(alpha, depth, plate, moved=False)) == []
    touching = depth.copy()
    touching[30, 22] = plate[30, 22] + 1  # rounded apart
    touching[5, 5] += 1
    touching[6, 6] = 0  # not known
    assert list(depth_faults(alpha, touching, plate, moved=False)) == []
    unknown = plate.copy()
    unknown[30, 22] = 0
    depth[30, 22] = 60000
    assert list(depth_faults(alpha, depth, unknown, moved=False)) == []
    assert len(list(depth_faults(alpha, depth, plate, moved=False))) == 1


def test_infinity_behind_the_plate_is_found() -> None:
    alpha, depth, plate = scene()
    depth[30, 22] = 65535
    [what] = depth_faults(alpha, depth, plate, moved=False)
    assert "1 pixels where alpha is 1" in what


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (0, -2), (-1, 1)])
def test_a_moved_plate_is_no_fault_but_a_wrong_depth_is(shift: tuple[int, int]) -> None:
    alpha, depth, plate = scene()
    plate = np.roll(plate, shift, (0, 1))
    assert list(depth_faults(alpha, depth, plate, moved=True)) == []
    behind = np.where(alpha == 255, np.uint16(9000), depth)
    assert "behind the plate" in next(depth_faults(alpha, behind, plate, moved=True))
    strays = np.where(alpha == 0, depth * np.uint16(2), depth)
    assert "alpha is 0" in next(depth_faults(alpha, strays, plate, moved=True))
