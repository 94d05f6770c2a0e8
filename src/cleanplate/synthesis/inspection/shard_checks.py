"""Checks of one shard, or chunk of the folders' form, against its manifest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.building.folder_writer import FOLDERS
from cleanplate.synthesis.building.manifest import MANIFEST_FOLDER
from cleanplate.synthesis.building.plan import Plan
from cleanplate.synthesis.inspection.sample_checks import (
    Array,
    Fault,
    SampleRules,
    check_contents,
    missing_parts,
)
from cleanplate.synthesis.inspection.stored_part import StoredPart
from cleanplate.synthesis.inspection.stored_set import Chunk, Form, StoredSample, StoredSet


def check_chunk(stored: StoredSet, fast: bool, chunk: Chunk) -> tuple[int, list[Fault]]:
    """Check the samples of one chunk, and its manifest if the set has a plan.

    Returns:
        The number of samples, and the faults.
    """
    faults: list[Fault] = []
    manifest = _read_manifest(stored, chunk, faults)
    if stored.form == "shards":
        faults += _shard_digest(stored.folder / chunk.title, manifest)
        if not (stored.folder / chunk.title).exists():
            return 0, faults
    rules = _sample_rules(stored.form, stored.plan)
    digests = {one["name"]: one["sha256"] for one in (manifest or {}).get("samples", ())}
    expected = _expected_names(stored.plan, chunk, manifest)
    seen: Counter[str] = Counter()
    shared_plate = _SharedPlate()
    try:
        for sample in stored.samples(chunk, salvage=True):
            if not sample.parts:  # none of the planned sample's files exists
                continue
            seen[sample.name] += 1
            if expected is not None and sample.name not in expected:
                faults.append(Fault(sample.name, "", "is not a sample of the plan"))
                continue
            faults += missing_parts(sample, stored.form)
            faults += _file_digests(sample, digests.get(sample.name, {}), shared_plate)
            if not fast:
                faults += check_contents(sample, rules, shared_plate.decoded(sample))
    except CleanplateError as error:
        faults.append(Fault(chunk.title, "", error.what))
    faults += [Fault(name, "", f"comes {times} times") for name, times in seen.items() if times > 1]
    faults += [Fault(name, "", "is missing") for name in expected or () if name not in seen]
    return len(seen), faults


class _SharedPlate:
    """The plate that consecutive samples share as one file: hashed and decoded once."""

    def __init__(self) -> None:
        self.part: StoredPart | None = None
        self.digest = ""
        self.picture: Array | None = None

    def sha256(self, part: StoredPart) -> str:
        if part is not self.part:
            self.part, self.picture = part, None
            self.digest = hashlib.sha256(part.data).hexdigest()
        return self.digest

    def decoded(self, sample: StoredSample) -> dict[str, tuple[StoredPart, Array]]:
        part = sample.parts.get("bg")
        if part is None or part.link is None:
            return {}
        self.sha256(part)
        if self.picture is None:
            try:
                self.picture = part.decode()
            except CleanplateError:  # reported when its contents are checked
                return {}
        return {"bg": (part, self.picture)}


def _read_manifest(stored: StoredSet, chunk: Chunk, faults: list[Fault]) -> dict[str, Any] | None:
    plan = stored.plan
    if plan is None or chunk.number >= plan.shards:
        return None
    name = f"{MANIFEST_FOLDER}/{chunk.number:06}.json"
    try:
        manifest = stored.shard_manifest(chunk)
    except CleanplateError as error:
        faults.append(Fault("", name, error.what))
        return None
    if manifest is None:
        faults.append(Fault("", name, "is missing: this part of the set was never finished"))
        return None
    try:
        _check_against_plan(manifest, plan, chunk.number)
    except (KeyError, TypeError, ValueError) as error:
        faults.append(Fault("", name, f"does not have the form of a manifest ({error!r})"))
        return None
    return manifest


def _check_against_plan(manifest: Mapping[str, Any], plan: Plan, number: int) -> None:
    """Raise KeyError, TypeError or ValueError if a manifest does not match the plan's shard."""
    indices = plan.samples_of(number)
    if (manifest["first"], manifest["count"]) != (indices.start, len(indices)):
        raise ValueError(f"{manifest['count']} samples from {manifest['first']}")
    left_out = {one["name"] for one in manifest["skipped"]}
    int(manifest["bytes"])
    if plan.form == "shards":
        bytes.fromhex(manifest["sha256"])
        return
    names = [one["name"] for one in manifest["samples"]]
    wanted = [name for name in map(plan.name_of, indices) if name not in left_out]
    if names != wanted:
        raise ValueError(f"{len(names)} samples, not the plan's {len(wanted)}")
    for one in manifest["samples"]:
        for folder in FOLDERS:
            bytes.fromhex(one["sha256"][folder])


def _expected_names(
    plan: Plan | None, chunk: Chunk, manifest: Mapping[str, Any] | None
) -> dict[str, None] | None:
    """Give the names that a chunk should have, in order; None without a plan."""
    if plan is None:
        return None
    if chunk.number >= plan.shards:
        return {}
    left_out = {one["name"] for one in manifest["skipped"]} if manifest else set()
    names = map(plan.name_of, plan.samples_of(chunk.number))
    return dict.fromkeys(name for name in names if name not in left_out)


def _shard_digest(file: Path, manifest: Mapping[str, Any] | None) -> Iterator[Fault]:
    if manifest is None:
        return
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        yield Fault(file.name, "", "is missing, though its manifest says that it was finished")
        return
    except OSError as error:
        yield Fault(file.name, "", f"cannot be read ({error.strerror})")
        return
    if size != manifest["bytes"]:
        yield Fault(file.name, "", f"has {size} bytes, its manifest says {manifest['bytes']}")
    elif digest != manifest["sha256"]:
        yield Fault(file.name, "", "has changed: its sha256 is not the manifest's")


def _file_digests(
    sample: StoredSample, digests: Mapping[str, str], shared_plate: _SharedPlate
) -> Iterator[Fault]:
    for kind, digest in digests.items():
        part = sample.parts.get(kind)
        if part is None:
            continue
        shared = kind == "bg" and part.link is not None
        found = shared_plate.sha256(part) if shared else hashlib.sha256(part.data).hexdigest()
        if found != digest:
            yield Fault(sample.name, kind, "has changed: its sha256 is not the manifest's")


def _sample_rules(form: Form, plan: Plan | None) -> SampleRules:
    if plan is None:
        return SampleRules(form)
    return SampleRules(form, plan.size, hard=plan.form == "folders", moved=plan.settings.camera)
