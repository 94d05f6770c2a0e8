"""Samples that lie on disk, in an order that a seed decides, at the size that training asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import resize, to_uint8

_HELD_OUT = 20
"""One sample in so many validates and never trains, where samples are not told apart."""


class Collection(Protocol):
    """Samples by number, each the same one each time."""

    def __len__(self) -> int: ...

    def read(self, number: int) -> dict[str, Any]:
        """Sample `number` at the size it is stored in; pictures may be uint16."""
        ...


class Stored:
    """A collection as an endless source: every sample once an epoch, each epoch in another order.

    Which sample has index i is a function of the seed, so ranks and workers, which get different
    indices, get different samples, and a resumed run goes on in the middle of an epoch. It does
    not matter into how many files the collection is cut.

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
        """Which sample of the collection has index `index` of the run."""
        epoch, position = divmod(index, len(self.numbers))
        if epoch != self._epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._order, self._epoch = generator.permutation(len(self.numbers)), epoch
        return int(self.numbers[self._order[position]])

    def sample(self, index: int, size: tuple[int, int]) -> dict[str, Any]:
        """Read the sample at `size` = (H, W): scaled to cover it, the rest cut off evenly."""
        stored = self.collection.read(self.number(index))
        told = {key: stored[key] for key in ("depth_given",) if key in stored}
        return {**fitted(stored, size), **told, "index": index}


def split(collection: Collection, seed: int) -> tuple[Stored, Stored | None]:
    """Divide a collection into what trains and what validates.

    A collection that can tell what its samples are made of gives sides that share no asset; of
    any other one sample in twenty validates.

    Raises:
        CleanplateError: if the collection is empty.
    """
    count = len(collection)
    if count == 0:
        raise CleanplateError("there are no samples")
    if count == 1:
        return Stored(collection, seed), None
    sides = getattr(collection, "sides", lambda: None)()
    if sides is None:
        order = np.random.default_rng([seed, count]).permutation(count)
        held = max(1, count // _HELD_OUT)
        sides = order[held:], order[:held]
    return Stored(collection, seed, sides[0]), Stored(collection, seed, sides[1])


def fitted(sample: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """Every plane and picture of a sample scaled alike to cover `size`, then cut to it.

    Colours, alpha and shadow are averaged. Disparity takes the nearest pixel, because a mean of
    two depths is a depth where nothing is.

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
