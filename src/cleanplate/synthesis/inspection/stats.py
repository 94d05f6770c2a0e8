"""Statistics of a set in one pass: counts, moments, coverage, depth.

Everything is added up in integers, so the figures are the same for any number of processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cleanplate.depth.depth_codec import FARTHEST
from cleanplate.engines.local_pool import map_tasks
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import check_matte_range
from cleanplate.synthesis.inspection.histograms import AlphaHistogram, DepthHistogram
from cleanplate.synthesis.inspection.running_moments import RunningMoments
from cleanplate.synthesis.inspection.stored_part import StoredPart, as_millimetres
from cleanplate.synthesis.inspection.stored_set import (
    PICTURE_PARTS,
    REQUIRED_PARTS,
    ROLES,
    Chunk,
    StoredSample,
    StoredSet,
)

Decoded = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class SkippedSample(NamedTuple):
    """A sample that was left out, the place of its fault, and the reason."""

    sample: str
    place: str
    what: str


@dataclass
class Stats:
    """Statistics of samples; those of chunks merge into those of the set.

    `files` counts by kind, `bytes` are contents under every name, `disk` the bytes on disk of files
    with one name and `links` of those with several. Depth in millimetres is in `moments` too,
    without unknown depth and depth beyond 65 m.
    """

    samples: int = 0
    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    disk: Counter[str] = field(default_factory=Counter)
    links: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)
    moments: dict[str, RunningMoments] = field(default_factory=dict)
    alpha: AlphaHistogram = field(default_factory=AlphaHistogram)
    depth: dict[str, DepthHistogram] = field(default_factory=dict)
    bad: list[SkippedSample] = field(default_factory=list)

    def on_disk(self, kind: str) -> int:
        """Give the bytes that files of a kind take on disk, hard links counted once."""
        return self.disk[kind] + sum(size for named, size in self.links.values() if named == kind)

    def merge(self, other: Stats) -> None:
        """Add the counts of `other`.

        Raises:
            CleanplateError: if its pictures have other sizes.
        """
        for kind, theirs in other.moments.items():
            mine = self.moments.setdefault(kind, theirs)
            if mine is not theirs:
                try:
                    mine.merge(theirs)
                except ValueError as error:
                    raise _size_mismatch(kind) from error
        self.samples += other.samples
        for mine_of, theirs_of in (
            (self.files, other.files),
            (self.bytes, other.bytes),
            (self.disk, other.disk),
        ):
            mine_of.update(theirs_of)
        self.links.update(other.links)
        self.alpha.merge(other.alpha)
        for kind, counts in other.depth.items():
            self.depth.setdefault(kind, DepthHistogram()).merge(counts)
        self.bad += other.bad


def measure_set(
    stored: StoredSet,
    *,
    workers: int = 0,
    skip_bad: bool = False,
    on_progress: Callable[[int], object] = lambda samples: None,
) -> Stats:
    """Measure all samples of a set.

    Args:
        stored: the set, in either form.
        workers: processes; 0 = this one.
        skip_bad: leave out samples with an unusable part, and list them in `Stats.bad`.
        on_progress: called with the number of samples measured since the last call.

    Raises:
        CleanplateError: if no sample is left, or, without `skip_bad`, a part is missing, damaged
            or of another size than the others, naming it.
    """
    whole = Stats()
    work = partial(measure_chunk, stored.without_chunks(), skip_bad)
    for _, part in map_tasks(work, stored.chunks, workers):
        whole.merge(part)
        on_progress(part.samples + len(part.bad))
    whole.bad.sort()
    if not whole.samples:
        raise CleanplateError("no sample of it can be read", file=stored.folder)
    return whole


def measure_chunk(stored: StoredSet, skip_bad: bool, chunk: Chunk) -> Stats:
    """Measure the samples of one chunk.

    Raises:
        CleanplateError: as `measure_set`.
    """
    stats, ranges = Stats(), _disparity_ranges(stored, chunk)
    plates = _SharedPlates(stats)
    try:
        for sample in stored.samples(chunk):
            try:
                decoded = _decode(stored, sample, stats.moments, plates)
            except CleanplateError as error:
                if not skip_bad:
                    raise _with_cure(error) from error
                stats.bad.append(SkippedSample(sample.name, str(error.file or ""), error.what))
                continue
            _count(stats, sample, decoded, ranges.get(sample.name, (None, None)), plates)
    except CleanplateError as error:  # the shard itself
        if not skip_bad:
            raise
        stats.bad.append(SkippedSample("", chunk.title, error.what))
    plates.flush()
    return stats


class _SharedPlates:
    """Plates that many samples share as one file: each is decoded once and counted as often."""

    def __init__(self, stats: Stats):
        self.stats = stats
        self.part: StoredPart | None = None
        self.picture: Decoded | None = None
        self.times = 0

    def known(self, part: StoredPart) -> Decoded | None:
        return self.picture if part is self.part else None

    def count(self, part: StoredPart, picture: Decoded) -> None:
        if part is not self.part:
            self.flush()
            self.part, self.picture = part, picture
        self.times += 1

    def flush(self) -> None:
        if self.picture is not None and self.times:
            _moments_of(self.stats.moments, "bg", self.picture).add(self.picture, self.times)
        self.times = 0


def _decode(
    stored: StoredSet,
    sample: StoredSample,
    moments: Mapping[str, RunningMoments],
    plates: _SharedPlates,
) -> dict[str, Decoded]:
    """Decode all pictures of a sample, before any of them is counted."""
    missing = [kind for kind in REQUIRED_PARTS[stored.form] if kind not in sample.parts]
    if missing:
        raise CleanplateError(f"{', '.join(missing)} missing", file=sample.name)
    decoded: dict[str, Decoded] = {}
    for kind in PICTURE_PARTS[stored.form]:
        part = sample.parts.get(kind)
        if part is None:
            continue
        picture = plates.known(part) if kind == "bg" else None
        if picture is None:
            picture = _decode_picture(kind, part)
        decoded[kind] = picture
        if stored.plan and picture.shape[:2] != stored.plan.size:
            raise CleanplateError(
                f"is {_size_text(picture.shape)}, the plan says {_size_text(stored.plan.size)}",
                file=part.place,
            )
        before = moments.get(kind)
        shape = (*picture.shape, 1)[:3]
        if before is not None and (before.shape, before.dtype) != (shape, picture.dtype):
            raise CleanplateError(
                f"is {_size_text(shape)} {picture.dtype}, others are {_size_text(before.shape)} "
                f"{before.dtype}",
                file=part.place,
            )
    if len({picture.shape[:2] for picture in decoded.values()}) > 1:
        sizes = ", ".join(f"{kind} {_size_text(one.shape)}" for kind, one in decoded.items())
        raise CleanplateError(f"sizes differ: {sizes}", file=sample.name)
    return decoded


def _decode_picture(kind: str, part: StoredPart) -> Decoded:
    picture = part.decode()
    if kind in ("alpha", "mask", "shadow", "depth", "plate_depth") and picture.ndim != 2:
        raise CleanplateError("is in colour, not grey", file=part.place)
    if picture.dtype.kind == "f":
        if "depth" not in kind:
            raise CleanplateError("is no picture", file=part.place)
        return as_millimetres(picture)
    if kind in ("alpha", "mask"):
        check_matte_range(picture, part.place)
    return np.asarray(picture)


def _count(
    stats: Stats,
    sample: StoredSample,
    decoded: Mapping[str, Decoded],
    disparity_range: tuple[float | None, float | None],
    plates: _SharedPlates,
) -> None:
    stats.samples += 1
    for kind, part in sample.parts.items():
        stats.files[kind] += 1
        stats.bytes[kind] += len(part.data)
        if part.link is None:
            stats.disk[kind] += part.disk
        else:
            stats.links[part.link] = kind, part.disk
    for kind, picture in decoded.items():
        if kind == "bg":
            plates.count(sample.parts[kind], picture)
            continue
        role = ROLES.get(kind, kind)
        if role == "alpha":
            stats.alpha.add(picture)
        if role in ("depth", "plate_depth"):
            counts = stats.depth.setdefault(kind, DepthHistogram())
            if picture.dtype == np.uint8:
                counts.add_codes(np.asarray(picture, np.uint8), *disparity_range)
            else:
                counts.add(np.asarray(picture, np.uint16))
        _moments_of(stats.moments, kind, picture).add(_without_infinity(picture, role))


def _without_infinity(picture: Decoded, role: str) -> Decoded:
    """Mark infinite depth as unknown, so that it is left out of the moments."""
    if picture.dtype == np.uint16 and "depth" in role:
        return np.where(picture == FARTHEST, np.uint16(0), picture)
    return picture


def _moments_of(known: dict[str, RunningMoments], kind: str, picture: Decoded) -> RunningMoments:
    if kind not in known:
        metric = "depth" in kind and picture.dtype == np.uint16
        known[kind] = RunningMoments(picture.shape, picture.dtype, zero_unknown=metric)
    return known[kind]


def _disparity_ranges(
    stored: StoredSet, chunk: Chunk
) -> dict[str, tuple[float | None, float | None]]:
    """Disparity of code 0 and code 255 of each sample's depth, from the manifest."""
    manifest = stored.shard_manifest(chunk) if stored.plan and stored.form == "folders" else None
    samples = manifest.get("samples", []) if manifest else []
    return {one["name"]: (one.get("disparity_low"), one.get("disparity_high")) for one in samples}


def _with_cure(error: CleanplateError) -> CleanplateError:
    return CleanplateError(
        error.what, file=error.file, cure="--skip-bad leaves such samples out and lists them."
    )


def _size_mismatch(kind: str) -> CleanplateError:
    return CleanplateError(
        f"pictures of {kind} differ in size or depth of colour between shards",
        cure="Measure sets of one size each.",
    )


def _size_text(shape: tuple[int, ...]) -> str:
    channels = f" x {shape[2]}" if len(shape) > 2 and shape[2] > 1 else ""
    return f"{shape[1]} x {shape[0]}{channels}"
