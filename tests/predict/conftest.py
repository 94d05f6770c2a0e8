"""A model, scenes and pairs with known truth for the tests of prediction."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from cleanplate.arrays import Picture, Plane
from cleanplate.formats.pictures import write_image
from cleanplate.matte import over
from cleanplate.predict.predictor import Predictor
from tests.predict.tiny_model import write_model


class Pair(NamedTuple):
    plate: Picture
    frame: Picture
    foreground: Picture
    alpha: Plane


def textured(height: int, width: int, seed: int) -> Picture:
    """A picture with detail at many scales, all values well inside [0, 1]."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for cell in (2, 5, 12, 40):
        small = rng.random((height // cell + 2, width // cell + 2, 3), np.float32)
        picture += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    picture -= picture.min()
    return 0.15 + 0.45 * picture / picture.max()


def bright_subject(height: int, width: int) -> tuple[Picture, Plane]:
    """A soft-edged disc in a colour that differs from every plate here by far."""
    y, x = np.mgrid[:height, :width] + 0.5
    radius = 0.28 * min(height, width)
    distance = np.hypot(y - 0.55 * height, x - 0.5 * width)
    alpha = np.clip((radius - distance) / 2 + 0.5, 0, 1).astype(np.float32)
    return np.full((height, width, 3), (0.95, 0.9, 0.05), np.float32), alpha


def make_pair(height: int, width: int, seed: int = 0) -> Pair:
    plate = textured(height, width, seed)
    foreground, alpha = bright_subject(height, width)
    return Pair(plate, over(foreground, alpha, plate), foreground, alpha)


def to_eight(picture: Picture) -> np.ndarray:
    return np.rint(picture * 255).astype(np.uint8)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the hand-built model."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def predictor(tiny: Path) -> Predictor:
    return Predictor(tiny, threads=1)


@pytest.fixture(scope="session")
def pair() -> Pair:
    return make_pair(120, 160)


@pytest.fixture
def files(tmp_path: Path, pair: Pair) -> Path:
    """A folder with `plate.png` and `frames/` of two frames."""
    (tmp_path / "frames").mkdir()
    write_image(tmp_path / "plate.png", pair.plate)
    write_image(tmp_path / "frames" / "one.png", pair.frame)
    elsewhere = np.roll(pair.alpha, 25, axis=1)
    write_image(tmp_path / "frames" / "two.png", over(pair.foreground, elsewhere, pair.plate))
    return tmp_path
