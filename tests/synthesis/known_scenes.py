"""Plates and cutouts with every pixel known, without the package's own formulas."""

from __future__ import annotations

import math

import numpy as np

from cleanplate.depth import Intrinsics
from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.assets.plate import Camera, Plate

HEIGHT, WIDTH = 240, 320
FOCAL = 300.0
EYE = 1.5
"""Metres of the camera over the floor."""
PITCH = -0.2
WALL = 6.0
"""Metres from the camera to the wall, along the floor."""


def room(*, box: tuple[float, float, float] | None = None, grey: int = 128) -> Plate:
    """A floor and a wall; with `box` = (metres ahead, half width, height) a board stands there."""
    disparity = np.zeros((HEIGHT, WIDTH), np.float32)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            a = (column + 0.5 - WIDTH / 2) / FOCAL
            b = (row + 0.5 - HEIGHT / 2) / FOCAL
            up = math.sin(PITCH) - b * math.cos(PITCH)
            ahead = math.cos(PITCH) + b * math.sin(PITCH)
            t = WALL / ahead
            if up < 0:
                t = min(t, -EYE / up)
            if box is not None:
                s = box[0] / ahead
                if abs(a * s) <= box[1] and 0 <= EYE + up * s <= box[2]:
                    t = min(t, s)
            disparity[row, column] = 1 / t
    picture = np.full((HEIGHT, WIDTH, 3), grey, np.uint8)
    return Plate("room", picture, disparity, camera())


def camera() -> Camera:
    return Camera(Intrinsics(FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2), EYE, PITCH)


def board(
    metres: tuple[float, float] = (0.5, 1.8),
    density: float = 100.0,
    colour: tuple[int, int, int] = (255, 255, 255),
    alpha: int = 255,
    kind: str = "person",
) -> Cutout:
    """An upright, flat board of (width, height) metres, drawn at `density` pixels per metre."""
    w, h = round(metres[0] * density), round(metres[1] * density)
    return Cutout(
        name="board",
        kind=kind,
        colour=np.full((h, w, 3), colour, np.uint8),
        alpha=np.full((h, w), alpha, np.uint8),
        depth=np.zeros((h, w), np.float32),
        foot=(w / 2, float(h)),
        pixels_per_metre=density,
        size=(metres[0], 0.0, metres[1]),
        view_angle=math.atan2(EYE, 4.0),
    )


class One:
    """A collection of one plate or one cutout."""

    def __init__(self, asset):
        self.asset = asset

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int):
        return self.asset

    @property
    def kinds(self):
        half = "-half" if self.asset.half or self.asset.cut else ""
        return {self.asset.kind + half: [0]}
