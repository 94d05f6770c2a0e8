"""A small folder of pairs with exact truth, written in the form that `find_pairs` reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from cleanplate.arrays import Picture, Plane
from cleanplate.depth.depth_files import write_depth
from cleanplate.formats.pictures import write_alpha, write_image
from cleanplate.matte import over

HEIGHT, WIDTH = 72, 96


def texture(seed: int, low: float, high: float) -> Picture:
    """A smooth random picture with values from `low` to `high`."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(HEIGHT, WIDTH, 3)), (3, 3, 0))
    noise = (noise - noise.min()) / (noise.max() - noise.min())
    return (low + noise * (high - low)).astype(np.float32)


def truth(index: int) -> tuple[Plane, Plane, Plane]:
    """Alpha of a soft-edged box, depth of frame and plate (a floor, and nothing above it)."""
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    alpha[16:64, 20 + 8 * index : 48 + 8 * index] = 1
    alpha = np.rint(ndimage.uniform_filter(alpha, 3) * 255).astype(np.float32) / np.float32(255)
    plate_depth = np.repeat(np.linspace(9, 2, HEIGHT)[:, None], WIDTH, axis=1)
    plate_depth = np.rint(plate_depth.astype(np.float32) * 1000) / np.float32(1000)
    plate_depth[:6] = np.inf
    depth = np.where(alpha >= 0.5, np.float32(1.5 + 0.25 * index), plate_depth)
    return alpha, depth.astype(np.float32), plate_depth.astype(np.float32)


def write_pair(folder: Path, name: str, index: int, *, camera: bool = True) -> None:
    """Write one pair with all its files."""
    alpha, depth, plate_depth = truth(index)
    plate, subject = texture(index, 0.1, 0.5), texture(100 + index, 0.7, 1.0)
    frame = over(subject, alpha, plate)
    for kind, picture in (("plate", plate), ("frame", frame)):
        write_image(folder / f"{name}_{kind}.png", picture)
        if camera:
            rng = np.random.default_rng([index, kind == "plate"])
            noisy = np.clip(picture + rng.normal(0, 0.01, picture.shape), 0, 1)
            write_image(folder / f"{name}_{kind}.camera.jpg", noisy.astype(np.float32))
    write_image(folder / f"{name}_foreground.png", subject)
    write_alpha(folder / f"{name}_alpha.png", alpha)
    write_depth(folder / f"{name}_depth.png", depth)
    write_depth(folder / f"{name}_plate_depth.png", plate_depth)
    (folder / f"{name}.json").write_text(json.dumps({"world": "boxes"}), encoding="utf-8")


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pairs; the last has no `camera` variant. Not to be changed by tests."""
    folder = tmp_path_factory.mktemp("pairs")
    for index in range(3):
        write_pair(folder, f"{index:05d}", index, camera=index < 2)
    return folder
