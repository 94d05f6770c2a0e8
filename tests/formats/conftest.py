"""Pictures that several tests look at."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def rgb() -> np.ndarray:
    """A smooth picture with a bright corner, not square: a wrong turn or flip shows."""
    y, x = np.mgrid[:23, :37]
    picture = np.stack([x * 6, y * 9, 255 - x * 3 - y * 2], axis=2).astype(np.uint8)
    picture[:5, :7] = (255, 250, 10)
    return picture


@pytest.fixture
def deep() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 65536, (9, 14, 3), dtype=np.uint16)
