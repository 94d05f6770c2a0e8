"""Check of a data set: lists every fault, not only the first."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cleanplate.engines.local_pool import map_tasks
from cleanplate.errors import CleanplateError
from cleanplate.files.listing import is_hidden
from cleanplate.synthesis.building.dataset_card import CARD
from cleanplate.synthesis.building.folder_writer import FOLDERS
from cleanplate.synthesis.building.manifest import (
    DATASET,
    MANIFEST_FOLDER,
    dataset_totals,
    read_dataset,
)
from cleanplate.synthesis.building.plan import PLAN, Plan
from cleanplate.synthesis.inspection.sample_checks import Fault
from cleanplate.synthesis.inspection.shard_checks import check_chunk
from cleanplate.synthesis.inspection.stored_set import Chunk, StoredSet, open_set

_TEMPORARY_NAME = re.compile(r"^\..+-[0-9a-f]{8}(\.\w+)?$")
"""Temporary names of `files.replacing`, which killed processes leave behind."""


@dataclass
class CheckResult:
    """Result of a check; no faults = the set is whole. `notes` say what could not be checked."""

    samples: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_set(
    folder: str | Path,
    *,
    fast: bool = False,
    workers: int = 0,
    on_start: Callable[[int | None], object] = lambda samples: None,
    on_progress: Callable[[int], object] = lambda samples: None,
) -> CheckResult:
    """Check a set of either form: manifests, checksums, presence, and every picture's contents.

    Args:
        folder: of the set.
        fast: checksums and presence only; nothing is decoded.
        workers: processes; 0 = this one.
        on_start: called with the number of samples, None if not known before.
        on_progress: called with the number of samples checked since the last call.

    Raises:
        CleanplateError: if there is no set.
    """
    folder = Path(folder)
    result = CheckResult()
    try:
        stored = open_set(folder)
    except CleanplateError as error:
        if error.file != folder / PLAN:
            raise
        result.faults.append(Fault("", PLAN, error.what))
        stored = open_set(folder, use_plan=False)
    if stored.plan is None:
        result.notes.append("There is no plan: neither checksums nor numbers could be checked.")
    chunks = _expected_chunks(stored)
    on_start(None if stored.count is None else sum(one.count or 0 for one in chunks))
    work = partial(check_chunk, stored.without_chunks(), fast)
    for _, (samples, faults) in map_tasks(work, chunks, workers):
        result.samples += samples
        result.faults += faults
        on_progress(samples)
    if stored.plan is not None:
        result.faults += _check_totals(folder, stored.plan)
    result.faults += _find_leftovers(stored)
    result.faults.sort()
    return result


def _expected_chunks(stored: StoredSet) -> list[Chunk]:
    """Give all chunks that exist or should, with all names that should be in them."""
    plan, there = stored.plan, {chunk.number: chunk for chunk in stored.chunks}
    if plan is None:
        return list(stored.chunks)
    for number in range(plan.shards):
        found = there.get(number)
        if stored.form == "shards":
            there.setdefault(
                number, Chunk(number, f"{number:06}.tar", count=len(plan.samples_of(number)))
            )
        else:
            planned = [plan.name_of(index) for index in plan.samples_of(number)]
            names = tuple(sorted({*planned, *(found.names if found else ())}))
            there[number] = Chunk(number, f"{names[0]} to {names[-1]}", names, len(names))
    return [there[number] for number in sorted(there)]


def _check_totals(folder: Path, plan: Plan) -> Iterator[Fault]:
    """Compare `dataset.json` with the plan and with the sum of the manifests."""
    if not (folder / CARD).exists():
        yield Fault("", CARD, "is missing")
    try:
        stored_totals = read_dataset(folder)
    except CleanplateError as error:
        yield Fault("", DATASET, error.what)
        return
    if stored_totals is None:
        yield Fault("", DATASET, "is missing: the build has not ended")
        return
    digest = hashlib.sha256((folder / PLAN).read_bytes()).hexdigest()
    if digest != stored_totals.get("plan_sha256"):
        yield Fault("", PLAN, f"has changed: its sha256 is not that of {DATASET}")
    try:
        expected = dataset_totals(folder, plan)
    except (CleanplateError, KeyError, TypeError):  # reported for the shard's own manifest
        return
    for key in sorted(expected.keys() | stored_totals.keys()):
        if expected.get(key) != stored_totals.get(key):
            yield Fault(
                "",
                DATASET,
                f"{key} is {stored_totals.get(key)}, by plan and manifests {expected.get(key)}",
            )


def _find_leftovers(stored: StoredSet) -> Iterator[Fault]:
    """Find temporary files of killed processes, and plates that belong to no sample."""
    for place in ("", MANIFEST_FOLDER, *(FOLDERS if stored.form == "folders" else ())):
        folder = stored.folder / place
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if _TEMPORARY_NAME.match(file.name):
                yield Fault("", str(Path(place, file.name)), "is a leftover of a killed process")
    if stored.form == "folders" and stored.plan is not None and (stored.folder / "bg").is_dir():
        known = {name for chunk in stored.chunks for name in chunk.names}
        known.update(map(stored.plan.name_of, range(stored.plan.count)))
        for file in sorted((stored.folder / "bg").iterdir()):
            if not is_hidden(file.name) and file.stem not in known:
                yield Fault(file.stem, "bg", "is not a sample of the plan")
