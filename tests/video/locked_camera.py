"""Frames of a locked camera with known truth: a disc that crosses a textured plate."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cleanplate.matte import over
from cleanplate.video import ClipWriter, FrameLayers, output_of
from cleanplate.video.clip import ClipFacts, ClipFrame
from tests.predict.conftest import textured

HEIGHT, WIDTH = 120, 160
RATE = 25


def plate_picture() -> np.ndarray:
    return np.rint(textured(HEIGHT, WIDTH, 3) * 255).astype(np.uint8)


def disc(number: int, count: int) -> np.ndarray:
    """(H, W) alpha of a disc that walks from left to right."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    centre = WIDTH * (0.2 + 0.6 * number / max(1, count - 1))
    distance = np.hypot(y - 0.55 * HEIGHT, x - centre)
    return np.clip((0.2 * HEIGHT - distance) / 2 + 0.5, 0, 1).astype(np.float32)


def frames(
    count: int,
    *,
    gain: float | list[float] = 1.0,
    shift: dict[int, float] | None = None,
    noise: float = 1.0,
) -> Iterator[tuple[ClipFrame, np.ndarray]]:
    """Frames and their true alpha.

    gain: of linear light, for all frames or one for each.
    shift: from the frame of that number on, the camera stands so many pixels further left.
    noise: standard deviation in levels.
    """
    rng = np.random.default_rng(0)
    plate = plate_picture().astype(np.float32) / 255
    moved = 0.0
    for number in range(count):
        moved = (shift or {}).get(number, moved)
        alpha = disc(number, count)
        picture = over(np.full((HEIGHT, WIDTH, 3), (0.95, 0.9, 0.05), np.float32), alpha, plate)
        move = np.array([[1.0, 0, moved], [0, 1, 0]])
        picture, alpha = (
            cv2.warpAffine(p, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
            for p in (picture, alpha)
        )
        factor = gain[number] if isinstance(gain, list) else gain
        coded = 255 * picture * factor ** (1 / 2.2) + rng.normal(0, noise, picture.shape)
        rgb = np.clip(np.rint(coded), 0, 255).astype(np.uint8)
        yield ClipFrame(rgb, number, Fraction(number, RATE), Fraction(1, RATE)), alpha


def write_clip(path: Path, count: int = 12, **options) -> Path:
    """Write the frames as H.264."""
    facts = ClipFacts(path.name, WIDTH, HEIGHT, Fraction(RATE), time_base=Fraction(1, 12800))
    with ClipWriter([output_of(path, quality=4)], facts) as writer:
        for frame, _ in frames(count, **options):
            writer.write(FrameLayers(frame.index, frame.time, frame.duration, composite=frame.rgb))
    return path
