"""Predictions, targets and inputs in files: one array for all, or one file for each picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import opened
from cleanplate.files.listing import PICTURE_SUFFIXES, is_hidden, natural_key
from cleanplate.formats.pictures import read_image, to_float

_BATCH = 16


def read_batches(
    predictions: Path, targets: Path, inputs: Path | None = None
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any] | None]]:
    """Read predictions, targets and inputs side by side, a few pictures at a time.

    Args:
        predictions: an NPY, (N, H, W) or (N, C, H, W), or a folder of NPY files and pictures, one
            for each. Pictures are scaled to [0, 1] by their depth; NPY files are taken as they are.
        targets: likewise. Files of folders belong together by name without the ending.
        inputs: likewise; None = there are none.

    Raises:
        CleanplateError: if a file cannot be read, names differ between folders, or numbers do.
    """
    given = [predictions, targets, *([] if inputs is None else [inputs])]
    columns = [_Column(path) for path in given]
    first = columns[0]
    for column in columns[1:]:
        _check_alike(first, column)
    for start in range(0, len(first), _BATCH):
        stop = min(start + _BATCH, len(first))
        parts = [column.read(start, stop) for column in columns]
        yield parts[0], parts[1], parts[2] if inputs is not None else None


class _Column:
    """One kind of map: an array file, or a folder in natural order."""

    def __init__(self, path: Path):
        self.path = path
        self.array: npt.NDArray[Any] | None = None
        self.files: list[Path] = []
        if path.is_dir():
            self.files = sorted(
                (p for p in path.iterdir() if _is_map(p)), key=lambda p: natural_key(p.name)
            )
            if not self.files:
                raise CleanplateError(
                    "has no NPY file and no picture in it", file=path, cure="Check the path."
                )
        else:
            self.array = _read_npy(path)
            if self.array.ndim < 3:
                self.array = self.array[None]

    def __len__(self) -> int:
        return len(self.files) if self.array is None else len(self.array)

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        if self.array is not None:
            return self.array[start:stop]
        maps = [_read_map(path) for path in self.files[start:stop]]
        for one, path in zip(maps, self.files[start:stop], strict=True):
            if one.shape != maps[0].shape:
                raise CleanplateError(
                    f"has shape {one.shape}, {self.files[start].name} has {maps[0].shape}",
                    file=path,
                    cure="Give maps of one size.",
                )
        return np.stack(maps)


def _is_map(path: Path) -> bool:
    suffix = path.suffix.lower()
    kind = suffix == ".npy" or suffix in PICTURE_SUFFIXES
    return kind and not is_hidden(path.name) and path.is_file()


def _check_alike(one: _Column, other: _Column) -> None:
    if len(one) != len(other):
        raise CleanplateError(
            f"has {len(other)} maps, {one.path} has {len(one)}",
            file=other.path,
            cure="Give as many targets (and inputs) as predictions.",
        )
    for first, second in zip(one.files, other.files, strict=False):
        if first.stem != second.stem:
            raise CleanplateError(
                f"{second.name} stands where {one.path} has {first.name}",
                file=other.path,
                cure="Files belong together by name: give both the same names but for the ending.",
            )


def _read_npy(path: Path) -> npt.NDArray[Any]:
    with opened(path) as stream:
        try:
            array = np.load(stream, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise CleanplateError(
                "is not an array file", file=path, cure="Save it with numpy.save, or give a folder."
            ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or not array.size:
        raise CleanplateError("holds no numbers", file=path, cure="Save floats with numpy.save.")
    return array


def _read_map(path: Path) -> npt.NDArray[Any]:
    """Give an array as (C, H, W) or (H, W), a picture as (3, H, W) in [0, 1]."""
    if path.suffix.lower() == ".npy":
        return _read_npy(path)
    return to_float(read_image(path)).transpose(2, 0, 1)
