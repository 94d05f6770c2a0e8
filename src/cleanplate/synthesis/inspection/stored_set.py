"""Reader of a stored set, sample by sample, in the order on the disk.

Reads both forms that `cleanplate synth build` writes, also from other programs: WebDataset shards
(`*.tar`, parts of a sample under one key), and the assignment's folders (`bg/ fg_bg/ mask/
depth/`, files of one name). Every file is read once.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cleanplate.errors import CleanplateError
from cleanplate.files.listing import is_hidden, natural_key
from cleanplate.synthesis.building.folder_writer import FOLDERS
from cleanplate.synthesis.building.manifest import read_shard_manifest
from cleanplate.synthesis.building.plan import Plan, read_plan
from cleanplate.synthesis.inspection.stored_part import StoredPart

Form = Literal["shards", "folders"]

REQUIRED_PARTS: Mapping[Form, tuple[str, ...]] = {
    "shards": ("plate", "frame", "alpha"),
    "folders": FOLDERS,
}
"""Parts that every sample has."""
PICTURE_PARTS: Mapping[Form, tuple[str, ...]] = {
    "shards": ("plate", "frame", "foreground", "alpha", "shadow", "plate_depth", "depth"),
    "folders": FOLDERS,
}
"""Picture parts that a sample may have, in the order of reports."""
ROLES = {"bg": "plate", "fg_bg": "frame", "mask": "alpha"}
"""Names of parts in the folders' form -> in shards, where they differ."""

_CHUNK_SIZE = 1000
"""Samples read at a time from folders that have no plan."""


@dataclass(frozen=True)
class StoredSample:
    """The existing parts of a sample, by name."""

    name: str
    parts: Mapping[str, StoredPart]


@dataclass(frozen=True)
class Chunk:
    """Samples that are read together: a shard, or a range of the folders' samples.

    `names` are those of the folders' form; a shard's are known when it is read. `count` is the
    number of samples, None if not known before.
    """

    number: int
    title: str
    names: tuple[str, ...] = ()
    count: int | None = None


@dataclass(frozen=True)
class StoredSet:
    """A set on the disk.

    `plan` is None for a set of another program. `endings` are the file endings in each of the
    assignment's folders.
    """

    folder: Path
    form: Form
    chunks: tuple[Chunk, ...]
    plan: Plan | None
    endings: Mapping[str, tuple[str, ...]]

    @property
    def count(self) -> int | None:
        """Number of samples; None if not known before they are read."""
        counts = [chunk.count for chunk in self.chunks]
        return None if None in counts else sum(count or 0 for count in counts)

    def without_chunks(self) -> StoredSet:
        """Give a copy for worker processes, which get one chunk at a time."""
        return replace(self, chunks=())

    def samples(self, chunk: Chunk, *, salvage: bool = False) -> Iterator[StoredSample]:
        """Read the samples of a chunk.

        Args:
            chunk: of this set.
            salvage: skip damage in a shard, and give the remaining samples.

        Raises:
            CleanplateError: if the shard is damaged; with `salvage` only if it is truncated, after
                all that remains of it.
        """
        if self.form == "shards":
            return _from_shard(self.folder / chunk.title, salvage)
        return self._from_folders(chunk)

    def spaced_samples(self, count: int) -> Iterator[StoredSample]:
        """Read up to `count` evenly spaced samples.

        Raises:
            CleanplateError: as `samples`.
        """
        # Chunks of unknown size are assumed to be equal.
        guess = -(-count // len(self.chunks))
        sizes = [chunk.count or guess for chunk in self.chunks]
        ends = np.cumsum(sizes)
        count = min(count, int(ends[-1]))
        wanted = [int((k + 0.5) * int(ends[-1]) / count) for k in range(count)]
        for number in sorted({int(np.searchsorted(ends, place, "right")) for place in wanted}):
            chunk, first = self.chunks[number], int(ends[number]) - sizes[number]
            places = [place - first for place in wanted if first <= place < ends[number]]
            if chunk.names:
                chosen = tuple(chunk.names[place] for place in places)
                yield from self.samples(replace(chunk, names=chosen))
            else:
                start = islice(self.samples(chunk), places[-1] + 1)
                yield from (sample for place, sample in enumerate(start) if place in places)

    def shard_manifest(self, chunk: Chunk) -> dict[str, Any] | None:
        """Read the manifest of a chunk; None if it has none.

        Raises:
            CleanplateError: if it is damaged.
        """
        return read_shard_manifest(self.folder, chunk.number)

    def _from_folders(self, chunk: Chunk) -> Iterator[StoredSample]:
        last: StoredPart | None = None
        for name in chunk.names:
            parts: dict[str, StoredPart] = {}
            for kind in FOLDERS:
                known = last if kind == "bg" else None
                part = self._file(kind, name, known)
                if part is not None:
                    parts[kind] = part
            last = parts.get("bg", last)
            yield StoredSample(name, parts)

    def _file(self, kind: str, name: str, known: StoredPart | None) -> StoredPart | None:
        """Read a file of the folders' form; a hard link to `known` is not read again."""
        stem = name
        while True:
            for ending in self.endings[kind]:
                place = f"{kind}/{stem}{ending}"
                part = _read_part(self.folder / place, place, known)
                if part is not None:
                    return part
            # Many samples may share the plate whose name theirs begins with.
            stem, _, _ = stem.rpartition("_")
            if kind != "bg" or not stem:
                return None


def open_set(folder: str | Path, *, use_plan: bool = True) -> StoredSet:
    """Open a set without reading a sample.

    Args:
        folder: of the set.
        use_plan: False ignores the set's plan.

    Raises:
        CleanplateError: if it holds no set, or its plan is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CleanplateError("is no folder", file=folder, cure="Name the folder of a set.")
    plan = read_plan(folder) if use_plan else None
    if (plan.form if plan else "") == "folders" or (folder / "fg_bg").is_dir():
        return _open_folders(folder, plan)
    files = [file for file in _list_visible(folder) if file.endswith(".tar")]
    if not files:
        raise CleanplateError(
            "holds no set",
            file=folder,
            cure="A set is *.tar shards, or the folders bg, fg_bg, mask and depth.",
        )
    chunks = []
    for place, file in enumerate(sorted(files, key=natural_key)):
        number = int(file[:-4]) if plan and file[:-4].isdecimal() else place
        count = len(plan.samples_of(number)) if plan and number < plan.shards else None
        chunks.append(Chunk(number, file, count=count))
    return StoredSet(folder, "shards", tuple(chunks), plan, {})


def _open_folders(folder: Path, plan: Plan | None) -> StoredSet:
    endings: dict[str, tuple[str, ...]] = {}
    stems: set[str] = set()
    for kind in FOLDERS:
        files = _list_visible(folder / kind) if (folder / kind).is_dir() else []
        endings[kind] = tuple(sorted({os.path.splitext(file)[1] for file in files}))
        if kind != "bg":  # plates may be shared by many samples
            stems.update(os.path.splitext(file)[0] for file in files)
    if not stems:
        raise CleanplateError("holds no samples yet", file=folder)
    runs: dict[int, list[str]] = {}
    for place, stem in enumerate(sorted(stems, key=natural_key)):
        planned = plan is not None and stem.isdecimal()
        number = int(stem) // plan.shard_size if plan and planned else place // _CHUNK_SIZE
        runs.setdefault(number, []).append(stem)
    chunks = tuple(
        Chunk(number, f"{names[0]} to {names[-1]}", tuple(names), len(names))
        for number, names in sorted(runs.items())
    )
    return StoredSet(folder, "folders", chunks, plan, endings)


def _list_visible(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if not is_hidden(entry.name)]


def _read_part(file: Path, place: str, known: StoredPart | None) -> StoredPart | None:
    try:
        status = os.stat(file)
        link = (status.st_dev, status.st_ino) if status.st_nlink > 1 else None
        if known is not None and link is not None and known.link == link:
            return known
        with open(file, "rb", buffering=0) as stream:
            data = stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CleanplateError(f"cannot be read ({error.strerror})", file=place) from error
    blocks = getattr(status, "st_blocks", None)  # not on every system
    disk = status.st_size if blocks is None else blocks * 512
    return StoredPart(place, file.suffix[1:].lower(), data, disk, link)


def _from_shard(file: Path, salvage: bool) -> Iterator[StoredSample]:
    """Read a tar file sequentially; the parts of a sample are consecutive."""
    current: str | None = None
    parts: dict[str, StoredPart] = {}
    try:
        with tarfile.open(file, "r:", ignore_zeros=salvage) as tar:
            for member in tar:
                folder, _, base = member.name.rpartition("/")
                if not member.isfile() or is_hidden(base):
                    continue
                key, _, rest = base.partition(".")
                key = f"{folder}/{key}".lstrip("/")
                if key != current:
                    if current is not None:
                        yield StoredSample(current, parts)
                    current, parts = key, {}
                part, _, ending = rest.rpartition(".")
                stream = tar.extractfile(member)
                assert stream is not None
                data = stream.read()
                place = f"{file.name}:{member.name}"
                # `json` alone has no part's name before its ending.
                parts[part or ending] = StoredPart(place, ending.lower(), data, len(data))
    except (tarfile.TarError, OSError) as error:
        if salvage and current is not None:
            yield StoredSample(current, parts)
        raise CleanplateError(
            f"the shard cannot be read ({error})", file=file, cure="Build or copy it again."
        ) from error
    if current is None:
        raise CleanplateError("holds no samples", file=file, cure="Build or copy it again.")
    yield StoredSample(current, parts)
    if _is_truncated(file):
        raise CleanplateError("is cut short", file=file, cure="Build or copy it again.")


def _is_truncated(file: Path) -> bool:
    """Tell whether a tar file lacks the empty block that ends it."""
    with file.open("rb") as raw:
        size = raw.seek(0, io.SEEK_END)
        raw.seek(max(0, size - tarfile.BLOCKSIZE))
        return size < tarfile.BLOCKSIZE or any(raw.read())
