"""Loading of stored sets for training, compared with reading bytes, webdataset and Pillow."""

from __future__ import annotations

import io
import logging
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.timing import Row, rows, side_by_side
from cleanplate.errors import require

SIZE = (224, 224)
SAMPLES = 512
"""Of each set, and one piece of work: a whole epoch."""
SHARDS = 4
WORKERS = (1, 2)
_BATCH = 32
"""Samples that workers report on at once; the arrays themselves stay where they are made."""

Part = Callable[[int, int], Iterable[object]]
"""Reads the share of worker k of n, and gives something for each sample."""


def loading(rounds: int, scratch: Path) -> list[Row]:
    """Measure sets of procedural samples, the same on every machine, in seconds of wall time.

    Cleanplate reads them in shuffled order, each sample to all its arrays; the others in the order
    of the files.
    """
    require("torch", "train")
    logging.getLogger("cleanplate").setLevel(logging.ERROR)
    shards = _built(scratch / "shards", "realistic")
    folders = _built(scratch / "folders", "assignment")
    found: list[Row] = []
    for workers in WORKERS:
        found += _group(
            f"Shards at {SIZE[1]} x {SIZE[0]}, workers: {workers}",
            {
                "bare tar": partial(_bare_tar, sorted(shards.glob("*.tar"))),
                "cleanplate": partial(_stored, _open_shards(shards)),
                "webdataset": partial(_webdataset, sorted(shards.glob("*.tar"))),
            },
            workers,
            rounds,
        )
        files = [sorted(folders.glob(f"{kind}/*")) for kind in ("bg", "fg_bg", "mask", "depth")]
        samples = list(zip(*files, strict=True))
        found += _group(
            f"Assignment's folders at {SIZE[1]} x {SIZE[0]}, workers: {workers}",
            {
                "bare files": partial(_each, samples, lambda file: file.read_bytes()),
                "cleanplate": partial(_stored, _open_folders(folders)),
                "Pillow": partial(_each, samples, lambda file: np.asarray(Image.open(file))),
            },
            workers,
            rounds,
        )
    return found


def _built(out: Path, preset: str) -> Path:
    from cleanplate.synthesis.building.build import build
    from cleanplate.synthesis.building.build_request import BuildRequest
    from cleanplate.synthesis.building.local_engine import run_here

    order = BuildRequest(out, preset, size=SIZE, plate_count=8, cutout_count=8)
    if preset == "assignment":
        build(replace(order, placements=SAMPLES // (8 * 8 * 2)), run_here)
    else:
        build(replace(order, count=SAMPLES, shard_size=SAMPLES // SHARDS), run_here)
    return out


def _group(group: str, parts: dict[str, Part], workers: int, rounds: int) -> list[Row]:
    reference = next(iter(parts))
    epochs = {name: _Epoch(part, workers) for name, part in parts.items()}
    taken = side_by_side(epochs, rounds=rounds)
    each = {name: [seconds / SAMPLES for seconds in values] for name, values in taken.items()}
    extra = {
        name: {"a second": 1 / float(np.median(values)), "CPU ms": epochs[name].cpu_ms}
        for name, values in each.items()
    }
    return rows(group, each, reference, extra=extra)


class _Epoch:
    """Read the whole set once in persistent worker processes.

    `cpu_ms` is the workers' CPU time per sample in the fastest epoch, which other processes
    disturb less than wall time.
    """

    def __init__(self, part: Part, workers: int):
        from torch.utils.data import DataLoader

        self.cpu_ms = float("inf")
        self._loader = DataLoader(
            _reading(part), batch_size=_BATCH, num_workers=workers, persistent_workers=True
        )

    def __call__(self) -> None:
        spent = [int(one) for batch in self._loader for one in batch]
        assert len(spent) == SAMPLES, f"{len(spent)} of {SAMPLES} samples were read"
        self.cpu_ms = min(self.cpu_ms, sum(spent) / SAMPLES / 1e6)


def _reading(part: Part) -> Any:
    import torch
    from torch.utils.data import IterableDataset, get_worker_info

    class Reading(IterableDataset[int]):
        """Yields the nanoseconds of CPU time of each sample."""

        def __iter__(self) -> Iterator[int]:
            torch.set_num_threads(1)
            info = get_worker_info()
            assert info is not None
            started = time.process_time_ns()
            for _ in part(info.id, info.num_workers):
                now = time.process_time_ns()
                yield now - started
                started = now

    return Reading()


def _open_shards(folder: Path) -> Any:
    from cleanplate.training.data.shard_reader import Shards
    from cleanplate.training.data.stored_samples import StoredSource

    return StoredSource(Shards(folder), seed=0)


def _open_folders(folder: Path) -> Any:
    from cleanplate.training.data.folder_reader import Folders
    from cleanplate.training.data.stored_samples import StoredSource

    return StoredSource(Folders(folder), seed=0)


def _stored(source: Any, worker: int, workers: int) -> Iterator[object]:
    import cv2

    cv2.setNumThreads(1)
    for index in range(worker, SAMPLES, workers):
        yield source.sample(index, SIZE)


def _bare_tar(files: Sequence[Path], worker: int, workers: int) -> Iterator[object]:
    for file in files[worker::workers]:
        with tarfile.open(file, "r|") as tar:
            for member in tar:
                stream = tar.extractfile(member)
                assert stream is not None
                data = stream.read()
                if member.name.endswith(".json"):  # the last part of each sample
                    yield data


def _webdataset(files: Sequence[Path], worker: int, workers: int) -> Iterator[object]:
    import webdataset

    urls = [str(file) for file in files]  # which the library shares out among the workers itself
    yield from webdataset.WebDataset(urls, shardshuffle=False).decode(_grey, "rgb8")


def _grey(key: str, data: bytes) -> Any:
    """Decode grey parts as they are stored: the library would make three 8-bit channels of them."""
    if key.endswith(".png") and not key.endswith("foreground.png"):
        return np.asarray(Image.open(io.BytesIO(data)))
    return None


def _each(
    samples: Sequence[tuple[Path, ...]], read: Callable[[Path], object], worker: int, workers: int
) -> Iterator[object]:
    for files in samples[worker::workers]:
        yield [read(file) for file in files]
