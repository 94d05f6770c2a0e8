"""Samples for tests: a disc before a slope, sharp truth, made in a millisecond."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from cleanplate.training.networks import NetworkRecipe
from cleanplate.training.recipes import DataRecipe, Recipe, Stage


class Discs:
    """A `Source`: plates are wavy colours on a slope, the subject is a disc before it.

    Args:
        seed: draws everything together with the index.
        delay: seconds that each sample takes, so that a run can be caught in the middle.
    """

    def __init__(self, seed: int = 0, delay: float = 0.0):
        self.seed, self.delay = seed, delay

    def sample(self, index: int, size: tuple[int, int]) -> dict[str, Any]:
        time.sleep(self.delay)
        height, width = size
        draw = np.random.default_rng([self.seed, index])
        y, x = np.mgrid[:height, :width].astype(np.float32)
        waves = 30 * np.sin(x / width * 9 * draw.random() + y / height * 7 * draw.random())
        plate = (draw.uniform(40, 200, 3) + waves[..., None]).clip(0, 255).astype(np.uint8)
        row, column = draw.uniform(0.3, 0.7, 2) * (height, width)
        radius = draw.uniform(0.2, 0.35) * height
        alpha = np.clip(radius - np.hypot(y - row, x - column) + 0.5, 0, 1).astype(np.float32)
        colour = np.full((height, width, 3), draw.integers(0, 256, 3), np.uint8)
        mixed = alpha[..., None] * colour + (1 - alpha[..., None]) * plate
        slope = (0.1 + 0.4 * y / height).astype(np.float32)
        subject = np.where(alpha > 0, slope + np.float32(0.2), np.float32(np.nan))
        return {
            "plate": plate,
            "frame": mixed.astype(np.uint8),
            "foreground": colour,
            "alpha": alpha,
            "shadow": np.ones((height, width), np.float32),
            "plate_disparity": slope,
            "disparity": np.where(alpha >= 0.5, subject, slope),
            "subject_disparity": subject,
            "index": index,
        }


def tiny_recipe(**changes: Any) -> Recipe:
    """A run of 12 steps that takes a second or two."""
    fields: dict[str, Any] = {
        "name": "tiny",
        "network": NetworkRecipe(width=0.25),
        "data": DataRecipe(kind="procedural"),
        "stages": (Stage(32, 32, 4, 0.5), Stage(48, 36, 2, 0.5)),
        "steps": 12,
        "warm_up": 3,
        "ema_decay": 0.9,
        "precision": "32-true",
        "validation_every": 0,
        "validation_samples": 4,
    }
    return Recipe(**{**fields, **changes})
