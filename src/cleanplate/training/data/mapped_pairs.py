"""Cache of decoded pairs: a memory-mapped file that all workers and runs share.

Decoding a pair takes longer than augmenting it at the smaller sizes of training.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.errors import CleanplateError
from cleanplate.files.array_file import ArrayFile, Item, write_arrays
from cleanplate.synthesis.assets.asset_cache import MAX_BYTES, decoder_version, update_cache_file
from cleanplate.training.data import (
    pair_augmentation,
    sample_decoding,
    shard_reader,
    tar_index,
)
from cleanplate.training.data.stored_samples import Collection

_log = logging.getLogger(__name__)


class MappedPairs:
    """A collection with a cache file of decoded samples; samples not in it are read from the set.

    Pickling keeps the collection and the file's path; another process maps the file again.

    Args:
        pairs: the collection.
        file: the cache, see `mapped_pairs`.
    """

    def __init__(self, pairs: Collection, file: Path):
        self.pairs, self.file = pairs, file
        self._arrays = ArrayFile.open(file)

    def __getstate__(self) -> dict[str, Any]:
        return {"pairs": self.pairs, "file": self.file}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self.pairs)

    def read(self, number: int) -> dict[str, Any]:
        """Read sample `number` at its stored size."""
        if self._arrays is None or str(number) not in self._arrays:
            return self.pairs.read(number)
        item = self._arrays.item(str(number))
        return {**item.facts["values"], **dict(zip(item.facts["names"], item.arrays, strict=True))}


def mapped_pairs(
    pairs: Collection, folder: Path, cache: Path, limit: int = MAX_BYTES
) -> Collection:
    """Open the cache of a folder's pairs; write it first if it is missing or out of date.

    Without a usable cache the collection itself is returned, with a warning in the log.

    Args:
        pairs: of one folder.
        folder: that folder; a file with a new size or time of change makes the cache out of date.
        cache: the folder of caches, made if it is not there.
        limit: largest size of the samples in bytes; further ones are not cached.
    """
    place = folder.resolve()
    name = hashlib.sha256(f"pairs {place}".encode("utf-8", "surrogateescape")).hexdigest()
    file = cache / f"{place.name[:40]}-pairs-{name[:16]}.assets"
    try:
        readers = decoder_version(sample_decoding, pair_augmentation, shard_reader, tar_index)
        origin = f"{readers} {_stamp(place)}"

        def is_good() -> bool:
            arrays = ArrayFile.open(file)
            return arrays is not None and arrays.made_by == origin

        def write() -> None:
            _log.info("writing the cache of %d pairs of %s", len(pairs), place)
            write_arrays(file, origin, _items(pairs, limit))

        update_cache_file(cache, file, is_good, write, limit)
    except (OSError, CleanplateError) as error:
        _log.warning("pairs are decoded for every sample, without a cache: %s", error)
        return pairs
    return MappedPairs(pairs, file)


def _stamp(folder: Path) -> str:
    """Hash the names, sizes and times of change of a folder's files."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        state = file.stat()
        digest.update(repr((file.name, state.st_size, state.st_mtime_ns)).encode())
    return digest.hexdigest()


def _items(pairs: Collection, limit: int) -> Iterator[Item]:
    total = 0
    for number in range(len(pairs)):
        try:
            sample = pairs.read(number)
        except CleanplateError:
            continue  # the error is raised when a sample needs it
        arrays = {key: part for key, part in sample.items() if isinstance(part, np.ndarray)}
        total += sum(array.nbytes for array in arrays.values())
        if total > limit:
            return
        values = {key: sample[key] for key in sample.keys() - arrays.keys()}
        values["source"] = str(values.get("source", ""))
        yield Item(str(number), None, {"names": list(arrays), "values": values}, [*arrays.values()])
