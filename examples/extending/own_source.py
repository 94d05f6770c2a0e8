"""Train on samples that are not made by Cleanplate.

    python examples/extending/own_source.py RUN

A source has one method, `sample(index, (height, width))`, which returns the same sample each time
it is called with the same index. Workers call it in any order.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.training.fit import fit
from cleanplate.training.recipes import RECIPES


class Discs:
    """A disc of one colour before a sloping ground of another."""

    def __init__(self, seed: int):
        self.seed = seed

    def sample(self, index: int, size: tuple[int, int]) -> dict[str, Any]:
        """Pictures are (H, W, 3) uint8, planes (H, W) float32, disparity in 1/m, nan = unknown."""
        rng = np.random.default_rng([self.seed, index])  # never a global state
        height, width = size
        y, x = np.mgrid[:height, :width].astype(np.float32)
        distance = np.hypot(y - height * rng.uniform(0.3, 0.7), x - width * rng.uniform(0.3, 0.7))
        alpha = np.clip(height * 0.25 - distance + 0.5, 0, 1).astype(np.float32)
        noise = rng.normal(0, 8, (height, width, 3))
        plate = np.clip(rng.uniform(60, 200, 3) + noise, 0, 255).astype(np.uint8)
        foreground = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
        mixed = alpha[..., None] * foreground + (1 - alpha[..., None]) * plate
        ground = (0.1 + 0.4 * y / height).astype(np.float32)
        subject = np.where(alpha > 0, ground.max() + np.float32(0.1), np.float32(np.nan))
        return {
            "plate": plate,
            "frame": mixed.astype(np.uint8),
            "foreground": foreground,
            "alpha": alpha,
            "shadow": np.ones(size, np.float32),  # 1 = the disc casts none
            "plate_disparity": ground,
            "subject_disparity": subject,
            "disparity": np.where(alpha >= 0.5, subject, ground),
        }


SHORT = replace(RECIPES["compact-smoke"], steps=4, warm_up=1, validation_every=0)


def main(run: Path) -> None:
    outcome = fit(SHORT, run, sources=(Discs(seed=0), Discs(seed=1)))
    print(f"{outcome.status} at step {outcome.step}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
