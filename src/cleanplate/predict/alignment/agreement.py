"""Agreement: the blocks of the thumbnails in which plate and frame show the same."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Plane
from cleanplate.predict.alignment.thumbnail import Uint8Image, grey_of

BLOCK = 16
"""Side of a block in pixels of the thumbnail."""

TEXTURE = 3.0
"""A block whose softened brightness varies by more levels (standard deviation) has texture."""

SIMILAR = 0.7
"""Blocks with texture show the same if their brightness correlates by more than this."""

CLOSE = 10.0
"""Flat blocks show the same if their mean colours differ by fewer levels in every channel."""


class Structure(NamedTuple):
    """Comparison by texture, before the exposure is known; (rows, columns) of blocks each.

    textured: whether either picture has texture there.
    similar: whether their brightness correlates, which a change of exposure does not alter.
    """

    textured: Mask
    similar: Mask

    @property
    def similar_share(self) -> float:
        """Of the blocks with texture, how many are similar; 0 if there are fewer than four."""
        count = int(self.textured.sum())
        return float(self.similar[self.textured].mean()) if count >= 4 else 0.0

    @property
    def unlike(self) -> Mask:
        """Blocks that cannot show the same thing, whatever the exposure."""
        return np.asarray(self.textured & ~self.similar)


class Agreement(NamedTuple):
    """Comparison of a plate in the frame's exposure with the frame.

    blocks: (rows, columns), True where both show the same.
    sharpness: log2 of the frame's fine contrast over the plate's, there.
    noise: standard deviation of their difference within those blocks, in levels; the median.
    """

    blocks: Mask
    sharpness: float
    noise: float

    @property
    def share(self) -> float:
        """Of the picture, how much agrees."""
        return float(self.blocks.mean())


def structure(plate: Uint8Image, frame: Uint8Image) -> Structure:
    """Compare two thumbnails (h, w, 3) by their texture alone."""
    soft_plate, soft_frame = (
        np.asarray(cv2.GaussianBlur(grey_of(p), (0, 0), 1.2), np.float32) for p in (plate, frame)
    )
    mean_plate, mean_frame = block_means(soft_plate), block_means(soft_frame)
    var_plate = block_means(soft_plate * soft_plate) - mean_plate**2
    var_frame = block_means(soft_frame * soft_frame) - mean_frame**2
    both = block_means(soft_plate * soft_frame) - mean_plate * mean_frame
    scale = np.sqrt(np.maximum(var_plate, 1e-3) * np.maximum(var_frame, 1e-3))
    textured = np.maximum(var_plate, var_frame) > TEXTURE**2
    return Structure(np.asarray(textured), np.asarray(both > SIMILAR * scale))


def agreement(plate: Uint8Image, frame: Uint8Image, alike: Structure) -> Agreement:
    """Compare two thumbnails (h, w, 3), `plate` in the frame's exposure."""
    colours = [block_means(p.astype(np.float32)) for p in (plate, frame)]
    close = np.abs(colours[0] - colours[1]).max(axis=2) < CLOSE
    blocks = np.where(alike.textured, alike.similar, close)
    if not blocks.any():
        return Agreement(blocks, 0.0, 0.0)
    grey_plate, grey_frame = grey_of(plate), grey_of(frame)
    apart = np.asarray(cv2.subtract(grey_frame, grey_plate, dtype=cv2.CV_32F), np.float32)
    varied = block_means(apart * apart) - block_means(apart) ** 2
    noise = float(np.median(np.sqrt(np.maximum(varied[blocks], 0))))
    energy = []
    for grey in (grey_plate, grey_frame):
        fine = np.asarray(cv2.Laplacian(grey, cv2.CV_32F, ksize=1), np.float32)
        energy.append(float(block_means(fine * fine)[blocks].mean()))
    # A level's worth of quantisation noise is added, so that two flat pictures count as equal.
    sharpness = 0.5 * float(np.log2((energy[1] + 4) / (energy[0] + 4)))
    return Agreement(blocks, sharpness, noise)


def block_means(plane: Plane) -> npt.NDArray[np.float32]:
    """Means of (h, w[, C]) over whole blocks; a picture smaller than a block is one block."""
    rows, columns = (max(1, side // BLOCK) for side in plane.shape[:2])
    high, wide = min(plane.shape[0], rows * BLOCK), min(plane.shape[1], columns * BLOCK)
    means = cv2.resize(plane[:high, :wide], (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32).reshape(rows, columns, *plane.shape[2:])
