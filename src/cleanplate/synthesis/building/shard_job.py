"""A build's work as it is handed to a process, here or elsewhere: make one shard of a plan."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import cv2

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.building.asset_selection import PlannedCutouts, PlannedPlates
from cleanplate.synthesis.building.assignment_sampler import AssignmentSampler
from cleanplate.synthesis.building.folder_writer import remove_chunk, write_chunk
from cleanplate.synthesis.building.manifest import write_shard_manifest
from cleanplate.synthesis.building.plan import Plan, library_versions
from cleanplate.synthesis.building.realistic_sampler import RealisticSampler
from cleanplate.synthesis.building.shard_writer import write_shard
from cleanplate.synthesis.compositor.composer import Composer
from cleanplate.synthesis.compositor.subject_sampling import CutoutCollection, PlateCollection
from cleanplate.synthesis.procedural.asset_pool import ProceduralCutouts, ProceduralPlates

_LAST_PLATES = 8 << 20
"""Bytes of plates that are kept where each is needed for one stretch of the plan."""

Parts = tuple[dict[str, bytes], dict[str, Any]]


class Sampler(Protocol):
    """Makes samples of a plan: files or parts, and facts for the record."""

    def sample(self, index: int) -> Parts:
        """Make sample `index`."""
        ...


@dataclass(frozen=True)
class Job:
    """A plan with the place where it is carried out and where its assets lie."""

    out: Path
    plan: Plan
    plate_files: tuple[Path, ...]
    cutout_files: tuple[Path, ...]


@dataclass(frozen=True)
class Report:
    """What the making of a shard took.

    `process` made it, which by now has used `cpu` seconds and holds `memory` MB.
    """

    shard: int
    samples: int
    bytes: int
    process: str
    cpu: float
    memory: float


def make_shard(job: Job, shard: int, tick: Callable[[int], None]) -> Report:
    """Make one shard and write its record; call `tick` after each sample with how many there are.

    Raises:
        CleanplateError: if the libraries are others than the plan's, an asset is not what it was,
            or something cannot be written. Whatever `tick` raises passes through. In either case
            nothing of the shard stays.
    """
    plan = job.plan
    if dict(plan.made_with) != library_versions():
        raise CleanplateError(
            f"the plan was made with {_told(plan.made_with)}; here is {_told(library_versions())}",
            file=job.out,
            cure="The bytes would differ. Install the same versions, or build a new set.",
        )
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # processes share out the cores
    try:
        indices = plan.samples_of(shard)
        samples = _samples(plan, _sampler(job), indices, tick)
        if plan.form == "shards":
            written = write_shard(_shard_file(job, shard), samples)
        else:
            written = write_chunk(job.out, [plan.name_of(i) for i in indices], samples)
    finally:
        cv2.setNumThreads(threads)
    head = {"shard": shard, "first": indices.start, "count": len(indices), "skipped": []}
    try:
        write_shard_manifest(job.out, {**head, **written})
    except BaseException:  # the last thing that a full disk refuses
        _remove(job, shard)
        raise
    return Report(
        shard,
        len(indices),
        written["bytes"],
        f"{platform.node()}:{os.getpid()}",
        time.process_time(),
        memory_now(),
    )


def _shard_file(job: Job, shard: int) -> Path:
    return job.out / f"{shard:06}.tar"


def _remove(job: Job, shard: int) -> None:
    if job.plan.form == "folders":
        with suppress(CleanplateError):
            remove_chunk(job.out, [job.plan.name_of(i) for i in job.plan.samples_of(shard)])
    else:
        with suppress(OSError):
            _shard_file(job, shard).unlink()


def _samples(
    plan: Plan, sampler: Sampler, indices: range, tick: Callable[[int], None]
) -> Iterator[tuple[str, dict[str, bytes], dict[str, Any]]]:
    for count, index in enumerate(indices, 1):
        yield plan.name_of(index), *sampler.sample(index)
        tick(count)


@cache
def _kept() -> dict[str, Sampler]:
    """Keep the sampler that this process used last, and with it its assets."""
    return {}


def _sampler(job: Job) -> Sampler:
    key = f"{job.plan.sha256} {job.plate_files} {job.cutout_files}"
    kept = _kept()
    if key not in kept:
        kept.clear()
        kept[key] = sampler_of(job)
    return kept[key]


def sampler_of(job: Job) -> Sampler:
    """Open the assets of a plan, ready to make its samples."""
    plan = job.plan
    plates: list[PlateCollection] = []
    cutouts: list[CutoutCollection] = []
    if plan.plates:
        # Where the plan goes from plate to plate, there is no use in keeping those behind.
        kept = {"memory": _LAST_PLATES} if plan.placements else {}
        plates.append(PlannedPlates(list(job.plate_files), assets=plan.plates, **kept))
    if plan.procedural_plates:
        plates.append(ProceduralPlates(plan.seed, plan.procedural_plates))
    if plan.cutouts:
        cutouts.append(PlannedCutouts(list(job.cutout_files), assets=plan.cutouts))
    if plan.procedural_cutouts:
        cutouts.append(ProceduralCutouts(plan.seed, plan.procedural_cutouts))
    if plan.placements:
        return AssignmentSampler(plan, plates[0], cutouts[0])
    share = plan.settings.procedural_share
    shown = share * plan.settings.procedural_cutout_share
    composer = Composer(
        plates,
        cutouts,
        seed=plan.seed,
        settings=plan.settings,
        plate_shares=[1 - share, share] if len(plates) > 1 else None,
        cutout_shares=[1 - shown, shown] if len(cutouts) > 1 else None,
    )
    return RealisticSampler(plan, composer)


def memory_now() -> float:
    """Give this process's resident memory in MB; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0.0
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _told(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{library} {number}" for library, number in versions.items())
