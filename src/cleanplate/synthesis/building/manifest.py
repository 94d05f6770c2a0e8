"""Manifest of a set: one JSON file for each shard in `records/`, and `dataset.json` at the end.

`records/NNNNNN.json` is written when the data of a shard is on the disk; a shard without it is
made again. For a shard it holds `{"shard", "first", "count", "bytes", "skipped", "file",
"sha256"}`; for a chunk of the folders' form, `"samples"` instead of the last two: name, metadata,
and the SHA-256 of each sample's files by folder, one sample on a line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import read_json
from cleanplate.synthesis.building.plan import FORMAT, PLAN, Plan

DATASET = "dataset.json"
MANIFEST_FOLDER = "records"
"""Folder of the shards' manifests within a set."""


def shard_manifest_file(out: Path, shard: int) -> Path:
    """Give the path of a shard's manifest."""
    return out / MANIFEST_FOLDER / f"{shard:06}.json"


def write_shard_manifest(out: Path, manifest: Mapping[str, Any]) -> None:
    """Write a shard's manifest, whole or not at all; its data must be on the disk before.

    Raises:
        CleanplateError: if it cannot be written.
    """
    head = {key: value for key, value in manifest.items() if key != "samples"}
    text = json.dumps(head, ensure_ascii=False)
    if "samples" in manifest:
        lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in manifest["samples"])
        text = f'{text[:-1]}, "samples": [\n{lines}\n]}}'
    with replacing(shard_manifest_file(out, manifest["shard"])) as path:
        path.write_text(text + "\n", encoding="utf-8")


def read_shard_manifest(out: Path, shard: int) -> dict[str, Any] | None:
    """Read a shard's manifest; None if it has none.

    Raises:
        CleanplateError: if it is damaged.
    """
    file = shard_manifest_file(out, shard)
    try:
        manifest = read_json(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CleanplateError(
            f"cannot be read ({error})", file=file, cure="Delete it: its shard is made again."
        ) from error
    if not isinstance(manifest, dict) or manifest.get("shard") != shard:
        raise CleanplateError(
            f"is no manifest of shard {shard}",
            file=file,
            cure="Delete it: its shard is made again.",
        )
    return manifest


def is_shard_complete(out: Path, plan: Plan, shard: int) -> bool:
    """Tell whether a shard has its manifest, and its file the size stated there.

    For the folders' form the manifest is trusted; `cleanplate synth check` reads every file.
    """
    if plan.form == "folders":
        return shard_manifest_file(out, shard).exists()
    manifest = read_shard_manifest(out, shard)
    if manifest is None:
        return False
    try:
        return bool((out / manifest["file"]).stat().st_size == manifest["bytes"])
    except OSError:
        return False


def dataset_totals(out: Path, plan: Plan) -> dict[str, Any]:
    """Add up the manifests of all shards: the contents of `dataset.json`.

    Raises:
        CleanplateError: if a manifest is missing or damaged.
    """
    digest, size, samples = hashlib.sha256(), 0, 0
    skipped = [{"name": one.name, "reason": one.reason} for one in plan.skipped]
    for shard in range(plan.shards):
        manifest = read_shard_manifest(out, shard)
        if manifest is None:
            raise CleanplateError("is missing", file=shard_manifest_file(out, shard))
        digest.update(shard_manifest_file(out, shard).read_bytes())
        size += manifest["bytes"]
        samples += manifest["count"] - len(manifest["skipped"])
        skipped += manifest["skipped"]
    return {
        "format": FORMAT,
        "preset": plan.preset,
        "form": plan.form,
        "width": plan.width,
        "height": plan.height,
        "seed": plan.seed,
        "samples": samples,
        "shards": plan.shards,
        "bytes": size,
        "plates": len(plan.plates) or plan.procedural_plates,
        "cutouts": len(plan.cutouts) or plan.procedural_cutouts,
        "skipped": skipped,
        # Of the file, not of `plan.text`: a plan of an older version keeps its keys.
        "plan_sha256": hashlib.sha256((out / PLAN).read_bytes()).hexdigest(),
        "records_sha256": digest.hexdigest(),
    }


def write_dataset(out: Path, document: Mapping[str, Any]) -> None:
    """Write `dataset.json`, which marks the set as complete.

    Raises:
        CleanplateError: if it cannot be written.
    """
    with replacing(out / DATASET) as path:
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_dataset(out: Path) -> dict[str, Any] | None:
    """Read `dataset.json`; None while the set is not complete.

    Raises:
        CleanplateError: if it is damaged.
    """
    file = out / DATASET
    try:
        document = read_json(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CleanplateError(
            f"cannot be read ({error})", file=file, cure="Delete it: it is written again."
        ) from error
    if not isinstance(document, dict):
        raise CleanplateError("is no account of a data set", file=file)
    return document
