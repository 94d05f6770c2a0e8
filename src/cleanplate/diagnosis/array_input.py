"""Predictions, targets and inputs as they come (NumPy, torch, nested lists) to plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cleanplate.errors import CleanplateError

Maps = npt.NDArray[np.float32]
"""(N, H, W) float32."""

_CHANNELS = (1, 3, 4)


def as_numpy(values: Any) -> npt.NDArray[Any]:
    """Turn a NumPy array, a torch tensor (on any device, with or without gradient) or a list.

    Torch is not imported: whatever has `detach`, `cpu` and `numpy` is taken for a tensor.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if str(getattr(values, "dtype", "")) in ("torch.bfloat16", "torch.float16"):
            values = values.float()
        values = values.numpy()
    return np.asarray(values)


def as_channels(values: Any, what: str) -> npt.NDArray[np.float32]:
    """Bring pictures or maps to (N, C, H, W) float32; integers keep their values.

    Args:
        values: (H, W), (N, H, W), (N, C, H, W) or (N, H, W, C) with 1, 3 or 4 channels; of four
            channels the last, alpha, is left out.
        what: "predictions", "targets" or "inputs", for the error.

    Raises:
        CleanplateError: if the shape is another.
    """
    array = as_numpy(values)
    if array.dtype.kind not in "fiub":
        raise CleanplateError(f"the {what} hold {array.dtype}, no numbers")
    array = array.astype(np.float32, copy=False)
    if array.ndim == 2:
        array = array[None]
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[1] not in _CHANNELS and array.shape[3] in _CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in _CHANNELS or array.size == 0:
        raise CleanplateError(
            f"the {what} have shape {np.shape(as_numpy(values))}",
            cure="Give (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 or 3 channels.",
        )
    return array[:, :3] if array.shape[1] == 4 else array


def as_maps(values: Any, what: str) -> Maps:
    """Bring maps to (N, H, W): the mean of channels, where there are three.

    Raises:
        CleanplateError: as `as_channels`.
    """
    return np.asarray(as_channels(values, what).mean(1, dtype=np.float32))


def block_sums(values: npt.NDArray[np.float64], grid: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Sum (N, H, W) over blocks, to (N, rows, columns) = `grid`.

    Block edges are rounded, so blocks differ by a pixel where the grid does not divide the size. An
    axis that is shorter than its grid repeats pixels.
    """
    for axis, count in ((1, grid[0]), (2, grid[1])):
        size = values.shape[axis]
        if size == count:
            continue
        if size < count:
            values = np.take(values, (np.arange(count) * size) // count, axis)
        else:
            values = np.add.reduceat(values, (np.arange(count) * size) // count, axis)
    return values


def grid_of(size: tuple[int, ...], longest: int) -> tuple[int, int]:
    """Give rows and columns of a grid of this shape whose longer side has `longest` cells."""
    height, width = size
    share = min(1.0, longest / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))


def shrunk(maps: Maps, grid: tuple[int, int]) -> Maps:
    """Take the mean of the known pixels in each cell; NaN where there is none."""
    if maps.shape[1:] == grid:
        return maps.astype(np.float32)
    known = np.isfinite(maps)
    total = block_sums(np.where(known, maps, 0).astype(np.float64), grid)
    count = block_sums(known.astype(np.float64), grid)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def filled(maps: Maps) -> Maps:
    """Give unknown pixels the mean of the known ones."""
    known = np.isfinite(maps)
    mean = maps[known].mean() if known.any() else np.float32(0)
    return np.where(known, maps, mean).astype(np.float32)


def sigmoid(logits: Maps) -> Maps:
    """1 / (1 + exp(-x))."""
    # In two halves, so that no exponential overflows.
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)
