"""Stored samples as an endless source: shuffled each epoch by a seed, resized, split in two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import resize, to_uint8

_HELD_OUT = 20
"""One sample in so many is for validation, where a set has no split by assets."""


class Collection(Protocol):
    """Stored samples by number, such as `Shards` and `Folders`."""

    def __len__(self) -> int: ...

    def read(self, number: int) -> dict[str, Any]:
        """Read sample `number` at its stored size; pictures may be uint16."""
        ...


class StoredSource:
    """A collection as an endless source: each sample once per epoch, each epoch in another order.

    Which sample has index i is a function of the seed. Ranks and workers, which get different
    indices, therefore get different samples, a resumed run continues in the middle of an epoch,
    and the number of files does not matter.

    Args:
        collection: what to read.
        seed: decides the order.
        numbers: the part of the collection to use; None = all.
    """

    def __init__(
        self,
        collection: Collection,
        seed: int,
        numbers: Sequence[int] | npt.NDArray[np.int64] | None = None,
    ):
        self.collection, self.seed = collection, seed
        self.numbers = np.arange(len(collection)) if numbers is None else np.asarray(numbers)
        self._epoch = -1
        self._order: npt.NDArray[np.intp] = np.empty(0, np.intp)

    def number(self, index: int) -> int:
        """Return the number in the collection of the run's sample `index`."""
        epoch, position = divmod(index, len(self.numbers))
        if epoch != self._epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._order, self._epoch = generator.permutation(len(self.numbers)), epoch
        return int(self.numbers[self._order[position]])

    def sample(self, index: int, size: tuple[int, int]) -> dict[str, Any]:
        """Read the sample, resized to cover `size` = (H, W) and centre-cropped to it."""
        stored = self.collection.read(self.number(index))
        flags = {key: stored[key] for key in ("depth_given",) if key in stored}
        return {**resize_to_cover(stored, size), **flags, "index": index}


def split_collection(collection: Collection, seed: int) -> tuple[StoredSource, StoredSource | None]:
    """Split a collection into training and validation samples.

    The two parts share no asset where the collection knows the assets of its samples (its method
    `asset_split`); else one sample in twenty is for validation.

    Args:
        collection: what to split.
        seed: of the order and, without assets, of the split.

    Returns:
        Training and validation; no validation for a collection of one sample.

    Raises:
        CleanplateError: if the collection is empty.
    """
    count = len(collection)
    if count == 0:
        raise CleanplateError("there are no samples")
    if count == 1:
        return StoredSource(collection, seed), None
    parts = getattr(collection, "asset_split", lambda: None)()
    if parts is None:
        order = np.random.default_rng([seed, count]).permutation(count)
        held = max(1, count // _HELD_OUT)
        parts = order[held:], order[:held]
    return StoredSource(collection, seed, parts[0]), StoredSource(collection, seed, parts[1])


def resize_to_cover(sample: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """Resize every plane and picture of a sample to cover `size`, then centre-crop.

    Colours, alpha and shadow are averaged. Disparity takes the nearest pixel, because the mean of
    two depths is a depth at which there is nothing.

    Args:
        sample: arrays (H, W) or (H, W, 3) by name; other values are dropped.
        size: (height, width) in pixels.

    Returns:
        The arrays at `size`; uint16 pictures as uint8.

    Raises:
        CleanplateError: if the parts differ in size.
    """
    height, width = sample["frame"].shape[:2]
    for name, part in sample.items():
        if isinstance(part, np.ndarray) and part.shape[:2] != (height, width):
            raise CleanplateError(
                f"{name} is {part.shape[1]} x {part.shape[0]}, the frame {width} x {height}",
                file=sample.get("source"),
                cure="All parts of a sample have one size.",
            )
    scale = max(size[0] / height, size[1] / width)
    scaled = max(size[0], round(height * scale)), max(size[1], round(width * scale))
    top, left = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    cut = slice(top, top + size[0]), slice(left, left + size[1])
    result: dict[str, Any] = {}
    for name, part in sample.items():
        if not isinstance(part, np.ndarray):
            continue
        array = to_uint8(part / np.float32(65535)) if part.dtype == np.uint16 else part
        if scaled == (height, width):
            result[name] = array[cut]
        elif name.endswith("disparity"):
            nearest = cv2.INTER_NEAREST_EXACT
            result[name] = np.asarray(cv2.resize(array, scaled[::-1], interpolation=nearest))[cut]
        else:
            result[name] = resize(array, scaled)[cut]
    return result
