"""Build a data set: write the plan, make its shards by an engine, write totals and card."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import telling_write_faults
from cleanplate.files.listing import is_hidden
from cleanplate.files.lock import held_alone
from cleanplate.synthesis.building.build_request import BuildRequest, make_plan
from cleanplate.synthesis.building.dataset_card import write_card
from cleanplate.synthesis.building.manifest import (
    DATASET,
    MANIFEST_FOLDER,
    dataset_totals,
    is_shard_complete,
    read_dataset,
    write_dataset,
)
from cleanplate.synthesis.building.plan import PLAN, Plan, plan_differences, read_plan, write_plan
from cleanplate.synthesis.building.shard_job import Job, Report, memory_now

_MEMORY_ROWS = 200
"""Approximate number of rows in the memory log."""
_TEMPORARY_NAME = re.compile(r"\..{1,40}-[0-9a-f]{8}\.(tar|json|md)")
"""Names of the temporary files of `files.replacing`."""

Engine = Callable[[Job, Sequence[int], Callable[[int], None]], Generator[Report]]
"""Makes shards of a job, yields a report of each, and reports the samples made so far."""


@dataclass
class BuildResult:
    """Result of a build.

    This run made `made` of the `samples`, in `seconds` of wall time and `cpu_seconds` of the
    processes that made them. `memory` logs, over the run, the `samples` made and the MB held by the
    process that finished the last shard (`worker`) and by this one (`driver`).
    """

    out: Path
    samples: int
    made: int
    shards: int
    bytes: int
    skipped: list[dict[str, str]]
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: list[dict[str, float]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Give all fields as JSON."""
        return {**asdict(self), "out": str(self.out)}


@dataclass(frozen=True)
class BuildProgress:
    """Callbacks that report a build's progress.

    `assets` wraps the indices of the assets to check; `on_start` gets the plan and the number of
    samples that earlier runs have made; `on_progress` the number of samples made in all, those
    included.
    """

    assets: Callable[[Iterable[int]], Iterable[int]] = lambda numbers: numbers
    on_start: Callable[[Plan, int], None] = lambda plan, before: None
    on_progress: Callable[[int], None] = lambda samples: None


def build(
    request: BuildRequest, engine: Engine, progress: BuildProgress | None = None
) -> BuildResult:
    """Build a set, resume it, or find that it is complete.

    Args:
        request: what to build.
        engine: makes its shards.
        progress: callbacks.

    Raises:
        CleanplateError: if the folder holds another set or anything else, or is in use by another
            build; if an asset cannot be used or has no licence; if something cannot be written.
            Finished shards are kept, and the same request resumes from there.
    """
    progress = progress or BuildProgress()
    out = request.out
    with telling_write_faults(out):
        out.mkdir(parents=True, exist_ok=True)
    with held_alone(out):
        started = time.perf_counter()
        plan, job = _write_or_compare_plan(request, progress)
        remaining = [
            shard for shard in range(plan.shards) if not is_shard_complete(out, plan, shard)
        ]
        before = plan.count - sum(len(plan.samples_of(shard)) for shard in remaining)
        progress.on_start(plan, before)
        cpu = 0.0
        memory: list[dict[str, float]] = []
        document = read_dataset(out)
        if remaining or document is None:
            _prepare(out)
            try:
                cpu, memory = _run_engine(
                    engine, job, remaining, lambda samples: progress.on_progress(before + samples)
                )
            finally:
                _remove_temporary_files(out)  # left by killed workers
            document = write_metadata(out, plan)
        return BuildResult(
            out,
            document["samples"],
            plan.count - before,
            plan.shards,
            document["bytes"],
            document["skipped"],
            time.perf_counter() - started,
            cpu,
            memory,
        )


def _write_or_compare_plan(request: BuildRequest, progress: BuildProgress) -> tuple[Plan, Job]:
    """Give the plan, now written, and the job of making its shards."""
    out = request.out
    stored_plan = read_plan(out)
    if stored_plan is None and any(not is_hidden(one.name) for one in out.iterdir()):
        raise CleanplateError(
            "is not empty, and holds no set", file=out, cure="Give a new or an empty folder."
        )
    plan, plates, cutouts = make_plan(request, stored_plan, progress.assets)
    if stored_plan is None:
        write_plan(out, plan)
    elif stored_plan != plan:
        changes = plan_differences(stored_plan, plan)
        more = [f"... and {len(changes) - 12} more"] if len(changes) > 12 else []
        raise CleanplateError(
            "\n  ".join(["holds a set of another plan", *changes[:12], *more]),
            file=out / PLAN,
            cure="Give everything as it was to go on, or another folder for a new set.",
        )
    return plan, Job(out, plan, plates.files, cutouts.files)


def _prepare(out: Path) -> None:
    """Remove temporary files of killed runs, and `dataset.json`, which marks a set as complete."""
    with telling_write_faults(out / MANIFEST_FOLDER):
        (out / MANIFEST_FOLDER).mkdir(exist_ok=True)
        (out / DATASET).unlink(missing_ok=True)
    _remove_temporary_files(out)


def _remove_temporary_files(out: Path) -> None:
    """Remove half-written files, by their temporary names."""
    for folder in (out, out / MANIFEST_FOLDER):
        with telling_write_faults(folder):
            for file in folder.iterdir():
                if _TEMPORARY_NAME.fullmatch(file.name):
                    file.unlink(missing_ok=True)


def write_metadata(out: Path, plan: Plan) -> dict[str, Any]:
    """Write the card, then `dataset.json`, the last file of a set.

    Raises:
        CleanplateError: if a shard's manifest is missing or a file cannot be written.
    """
    document = dataset_totals(out, plan)
    write_card(out, document)
    write_dataset(out, document)
    return document


def _run_engine(
    engine: Engine, job: Job, remaining: Sequence[int], progress: Callable[[int], None]
) -> tuple[float, list[dict[str, float]]]:
    """Make the shards; give CPU seconds and the memory log."""
    cpu: dict[str, float] = {}
    memory: list[dict[str, float]] = []
    made, every = 0, max(1, math.ceil(len(remaining) / _MEMORY_ROWS))
    # Closed in any case: the engine's workers end with it.
    with closing(engine(job, remaining, progress)) as reports:
        for number, report in enumerate(reports, 1):
            made += report.samples
            cpu[report.process] = report.cpu
            if number % every == 0 or number == len(remaining):
                row = {"samples": made, "worker": report.memory, "driver": memory_now()}
                memory.append({name: round(value) for name, value in row.items()})
    return sum(cpu.values()), memory
