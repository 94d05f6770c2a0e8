"""Build a data set: the plan, then its shards by an engine, then the papers that go with it."""

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
from cleanplate.synthesis.building.build_request import Order, draw_plan
from cleanplate.synthesis.building.dataset_card import write_card
from cleanplate.synthesis.building.manifest import (
    DATASET,
    RECORDS,
    is_made,
    read_dataset,
    totals,
    write_dataset,
)
from cleanplate.synthesis.building.plan import PLAN, Plan, differences, read_plan, write_plan
from cleanplate.synthesis.building.shard_job import Job, Report, memory_now

_MOMENTS = 200
"""Most rows of the account of memory, or a few more."""
_UNFINISHED = re.compile(r"\..{1,40}-[0-9a-f]{8}\.(tar|json|md)")
"""Temporary names that `files.replacing` gives."""

Engine = Callable[[Job, Sequence[int], Callable[[int], None]], Generator[Report]]
"""Makes shards of a job, yields a report of each, and tells how many samples are made so far."""


@dataclass
class Outcome:
    """What a build did.

    `made` of the `samples` were made by this run, in `seconds` of the clock and `cpu_seconds` of
    the processes that made them. `memory` tells, over the run, the `samples` made and the MB held
    by the process that finished the last shard (`worker`) and by this one (`driver`).
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
        """Give all of it, for machines."""
        return {**asdict(self), "out": str(self.out)}


@dataclass(frozen=True)
class Watch:
    """Who is told how a build goes.

    `assets` wraps the assets that are looked through; `begins` gets the plan and the samples that
    an earlier run has made; `made` the samples made, those included, as they grow.
    """

    assets: Callable[[Iterable[int]], Iterable[int]] = lambda numbers: numbers
    begins: Callable[[Plan, int], None] = lambda plan, before: None
    made: Callable[[int], None] = lambda samples: None


def build(order: Order, engine: Engine, watch: Watch | None = None) -> Outcome:
    """Build a set, go on with it, or find that it is finished.

    Args:
        order: what to build.
        engine: who makes its shards.
        watch: who is told how it goes.

    Raises:
        CleanplateError: if the folder holds another set or anything else, or is in use by another
            build; if an asset cannot be used or has no licence; if something cannot be written.
            Finished shards stay, and the same order goes on from there.
    """
    watch = watch or Watch()
    out = order.out
    with telling_write_faults(out):
        out.mkdir(parents=True, exist_ok=True)
    with held_alone(out):
        started = time.perf_counter()
        plan, job = _planned(order, watch)
        left = [shard for shard in range(plan.shards) if not is_made(out, plan, shard)]
        before = plan.count - sum(len(plan.samples_of(shard)) for shard in left)
        watch.begins(plan, before)
        cpu = 0.0
        memory: list[dict[str, float]] = []
        document = read_dataset(out)
        if left or document is None:
            _prepare(out)
            try:
                cpu, memory = _carried_out(
                    engine, job, left, lambda samples: watch.made(before + samples)
                )
            finally:
                _clear(out)  # of workers that were killed
            document = write_papers(out, plan)
        return Outcome(
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


def _planned(order: Order, watch: Watch) -> tuple[Plan, Job]:
    """Give the plan, now written, and the job of carrying it out."""
    out = order.out
    known = read_plan(out)
    if known is None and any(not is_hidden(one.name) for one in out.iterdir()):
        raise CleanplateError(
            "is not empty, and holds no set", file=out, cure="Give a new or an empty folder."
        )
    plan, plates, cutouts = draw_plan(order, known, watch.assets)
    if known is None:
        write_plan(out, plan)
    elif known != plan:
        told = differences(known, plan)
        more = [f"... and {len(told) - 12} more"] if len(told) > 12 else []
        raise CleanplateError(
            "\n  ".join(["holds a set of another plan", *told[:12], *more]),
            file=out / PLAN,
            cure="Give everything as it was to go on, or another folder for a new set.",
        )
    return plan, Job(out, plan, plates.files, cutouts.files)


def _prepare(out: Path) -> None:
    """Make room: away with what a killed run left, and with the word that the set is finished."""
    with telling_write_faults(out / RECORDS):
        (out / RECORDS).mkdir(exist_ok=True)
        (out / DATASET).unlink(missing_ok=True)
    _clear(out)


def _clear(out: Path) -> None:
    """Remove half-written files, by their temporary names."""
    for folder in (out, out / RECORDS):
        with telling_write_faults(folder):
            for file in folder.iterdir():
                if _UNFINISHED.fullmatch(file.name):
                    file.unlink(missing_ok=True)


def write_papers(out: Path, plan: Plan) -> dict[str, Any]:
    """Write the card, then `dataset.json`, the last file of a set.

    Raises:
        CleanplateError: if a record is missing or a file cannot be written.
    """
    document = totals(out, plan)
    write_card(out, document)
    write_dataset(out, document)
    return document


def _carried_out(
    engine: Engine, job: Job, left: Sequence[int], watch: Callable[[int], None]
) -> tuple[float, list[dict[str, float]]]:
    """Make the shards; give the CPU seconds and the account of memory."""
    cpu: dict[str, float] = {}
    memory: list[dict[str, float]] = []
    made, every = 0, max(1, math.ceil(len(left) / _MOMENTS))
    # Closed at once, whatever happens: an engine's workers end with it.
    with closing(engine(job, left, watch)) as reports:
        for number, report in enumerate(reports, 1):
            made += report.samples
            cpu[report.process] = report.cpu
            if number % every == 0 or number == len(left):
                row = {"samples": made, "worker": report.memory, "driver": memory_now()}
                memory.append({name: round(value) for name, value in row.items()})
    return sum(cpu.values()), memory
