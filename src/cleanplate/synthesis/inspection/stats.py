"""What a set holds, measured in one pass: counts, moments, coverage, depth.

Everything is added up in integers, so the figures are the same however many processes share the
work.
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
from cleanplate.synthesis.inspection.histograms import AlphaCounts, DepthCounts
from cleanplate.synthesis.inspection.running_moments import Moments
from cleanplate.synthesis.inspection.stored_part import StoredPart, millimetres
from cleanplate.synthesis.inspection.stored_set import (
    NEEDED,
    PICTURES,
    ROLES,
    Portion,
    StoredSample,
    StoredSet,
)

Decoded = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class Bad(NamedTuple):
    """A sample that was left out, where its fault is, and what."""

    sample: str
    place: str
    what: str


@dataclass
class Stats:
    """Figures of samples; those of parts of a set merge into those of the whole.

    `files` counts by kind, `bytes` are contents under every name, `disk` what files of one name
    take on the disk and `links` what those of several do. Depth as pictures of millimetres is in
    `moments` too, with what is unknown or farther than 65 m left out.
    """

    samples: int = 0
    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    disk: Counter[str] = field(default_factory=Counter)
    links: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)
    moments: dict[str, Moments] = field(default_factory=dict)
    alpha: AlphaCounts = field(default_factory=AlphaCounts)
    depth: dict[str, DepthCounts] = field(default_factory=dict)
    bad: list[Bad] = field(default_factory=list)

    def on_disk(self, kind: str) -> int:
        """Give the bytes that files of a kind take, each once whatever its names."""
        return self.disk[kind] + sum(size for named, size in self.links.values() if named == kind)

    def merge(self, other: Stats) -> None:
        """Count what `other` has counted.

        Raises:
            CleanplateError: if its pictures are of other sizes.
        """
        for kind, theirs in other.moments.items():
            mine = self.moments.setdefault(kind, theirs)
            if mine is not theirs:
                try:
                    mine.merge(theirs)
                except ValueError as error:
                    raise _unequal(kind) from error
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
            self.depth.setdefault(kind, DepthCounts()).merge(counts)
        self.bad += other.bad


def measure(
    stored: StoredSet,
    *,
    workers: int = 0,
    skip_bad: bool = False,
    tick: Callable[[int], object] = lambda samples: None,
) -> Stats:
    """Measure all samples of a set.

    Args:
        stored: the set, in either form.
        workers: processes that share the work; 0 = this one.
        skip_bad: leave out samples with a part that cannot be used, and list them in `Stats.bad`.
        tick: told how many samples have been measured since it was told last.

    Raises:
        CleanplateError: if no sample is left, or, without `skip_bad`, a part is missing or damaged
            or of another size than the others, naming it.
    """
    whole = Stats()
    work = partial(measure_portion, stored.without_portions(), skip_bad)
    for _, part in map_tasks(work, stored.portions, workers):
        whole.merge(part)
        tick(part.samples + len(part.bad))
    whole.bad.sort()
    if not whole.samples:
        raise CleanplateError("no sample of it can be read", file=stored.folder)
    return whole


def measure_portion(stored: StoredSet, skip_bad: bool, portion: Portion) -> Stats:
    """Measure the samples of one portion.

    Raises:
        CleanplateError: as `measure`.
    """
    stats, scales = Stats(), _scales(stored, portion)
    plates = _Plates(stats)
    try:
        for sample in stored.samples(portion):
            try:
                decoded = _decoded(stored, sample, stats.moments, plates)
            except CleanplateError as error:
                if not skip_bad:
                    raise _with_cure(error) from error
                stats.bad.append(Bad(sample.name, str(error.file or ""), error.what))
                continue
            _count(stats, sample, decoded, scales.get(sample.name, (None, None)), plates)
    except CleanplateError as error:  # the shard itself
        if not skip_bad:
            raise
        stats.bad.append(Bad("", portion.title, error.what))
    plates.settle()
    return stats


class _Plates:
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
            self.settle()
            self.part, self.picture = part, picture
        self.times += 1

    def settle(self) -> None:
        if self.picture is not None and self.times:
            _moments(self.stats.moments, "bg", self.picture).add(self.picture, self.times)
        self.times = 0


def _decoded(
    stored: StoredSet, sample: StoredSample, moments: Mapping[str, Moments], plates: _Plates
) -> dict[str, Decoded]:
    """Decode all pictures of a sample, before any of them is counted."""
    missing = [kind for kind in NEEDED[stored.form] if kind not in sample.parts]
    if missing:
        raise CleanplateError(f"{', '.join(missing)} missing", file=sample.name)
    decoded: dict[str, Decoded] = {}
    for kind in PICTURES[stored.form]:
        part = sample.parts.get(kind)
        if part is None:
            continue
        picture = plates.known(part) if kind == "bg" else None
        if picture is None:
            picture = _picture(kind, part)
        decoded[kind] = picture
        if stored.plan and picture.shape[:2] != stored.plan.size:
            raise CleanplateError(
                f"is {_shape(picture.shape)}, the plan says {_shape(stored.plan.size)}",
                file=part.place,
            )
        before = moments.get(kind)
        shape = (*picture.shape, 1)[:3]
        if before is not None and (before.shape, before.dtype) != (shape, picture.dtype):
            raise CleanplateError(
                f"is {_shape(shape)} {picture.dtype}, others are {_shape(before.shape)} "
                f"{before.dtype}",
                file=part.place,
            )
    if len({picture.shape[:2] for picture in decoded.values()}) > 1:
        sizes = ", ".join(f"{kind} {_shape(one.shape)}" for kind, one in decoded.items())
        raise CleanplateError(f"sizes differ: {sizes}", file=sample.name)
    return decoded


def _picture(kind: str, part: StoredPart) -> Decoded:
    picture = part.decode()
    if kind in ("alpha", "mask", "shadow", "depth", "plate_depth") and picture.ndim != 2:
        raise CleanplateError("is in colour, not grey", file=part.place)
    if picture.dtype.kind == "f":
        if "depth" not in kind:
            raise CleanplateError("is no picture", file=part.place)
        return millimetres(picture)
    if kind in ("alpha", "mask"):
        check_matte_range(picture, part.place)
    return np.asarray(picture)


def _count(
    stats: Stats,
    sample: StoredSample,
    decoded: Mapping[str, Decoded],
    scale: tuple[float | None, float | None],
    plates: _Plates,
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
            counts = stats.depth.setdefault(kind, DepthCounts())
            if picture.dtype == np.uint8:
                counts.add_codes(np.asarray(picture, np.uint8), *scale)
            else:
                counts.add(np.asarray(picture, np.uint16))
        _moments(stats.moments, kind, picture).add(_measurable(picture, role))


def _measurable(picture: Decoded, role: str) -> Decoded:
    """Take what is infinitely far out of depth, as if it were not known."""
    if picture.dtype == np.uint16 and "depth" in role:
        return np.where(picture == FARTHEST, np.uint16(0), picture)
    return picture


def _moments(known: dict[str, Moments], kind: str, picture: Decoded) -> Moments:
    if kind not in known:
        metric = "depth" in kind and picture.dtype == np.uint16
        known[kind] = Moments(picture.shape, picture.dtype, zero_unknown=metric)
    return known[kind]


def _scales(stored: StoredSet, portion: Portion) -> dict[str, tuple[float | None, float | None]]:
    """Disparity of the darkest and the brightest code of each sample's depth, from the record."""
    record = stored.record(portion) if stored.plan and stored.form == "folders" else None
    samples = record.get("samples", []) if record else []
    return {one["name"]: (one.get("disparity_low"), one.get("disparity_high")) for one in samples}


def _with_cure(error: CleanplateError) -> CleanplateError:
    return CleanplateError(
        error.what, file=error.file, cure="--skip-bad leaves such samples out and lists them."
    )


def _unequal(kind: str) -> CleanplateError:
    return CleanplateError(
        f"pictures of {kind} differ in size or depth of colour between shards",
        cure="Measure sets of one size each.",
    )


def _shape(shape: tuple[int, ...]) -> str:
    channels = f" x {shape[2]}" if len(shape) > 2 and shape[2] > 1 else ""
    return f"{shape[1]} x {shape[0]}{channels}"
