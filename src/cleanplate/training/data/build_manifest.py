"""Finished shards and samples of a set, and its split by assets, from its plan and records.

The plan and the records are those of `cleanplate synth build`.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.assets.split import held_out
from cleanplate.synthesis.building.manifest import read_dataset, read_shard_manifest
from cleanplate.synthesis.building.plan import Plan, read_plan

Numbers = npt.NDArray[np.intp]

_log = logging.getLogger(__name__)


def finished_shards(folder: Path, files: list[Path]) -> list[Path]:
    """Select the finished shards; all of them, if the folder has no plan.

    Raises:
        CleanplateError: if none is finished, or the plan or a record is damaged.
    """
    plan = read_plan(folder)
    if plan is None:
        return files
    records = (read_shard_manifest(folder, shard) for shard in range(plan.shards))
    made = {record["file"] for record in records if record is not None}
    whole = [file for file in files if file.name in made]
    _warn_if_unfinished(folder, len(whole), plan.shards)
    return whole


def finished_samples(folder: Path, plan: Plan | None) -> npt.NDArray[np.bytes_] | None:
    """Return the names of the finished samples of a set in folders; None = all.

    Raises:
        CleanplateError: if none is finished, or a record is damaged.
    """
    if plan is None or read_dataset(folder) is not None:
        return None
    chunks = [read_shard_manifest(folder, shard) for shard in range(plan.shards)]
    made = [chunk for chunk in chunks if chunk is not None]
    _warn_if_unfinished(folder, len(made), plan.shards)
    return np.array([one["name"].encode() for chunk in made for one in chunk["samples"]])


def asset_split(plan: Plan, indices: npt.NDArray[np.int64]) -> tuple[Numbers, Numbers] | None:
    """Split an assignment's samples by their assets; None if too few assets to hold some out.

    Args:
        plan: of the set.
        indices: (n,) of the samples in the plan.

    Returns:
        Positions in `indices` of the training samples, with no plate or cutout held out, and of
        the validation samples, with both held out. Samples with one of the two are in neither.
    """
    if not plan.placements:
        return None
    counted = plan.assignment_indices(indices)  # type: ignore[arg-type]  # arrays divide as numbers do
    is_held_out = []
    for assets, numbers in zip((plan.plates, plan.cutouts), counted, strict=False):
        names = [asset.name.rpartition("/")[2] for asset in assets]  # as in its folder
        held = held_out(names)
        if held is None:
            return None
        is_held_out.append(np.array([name in held for name in names])[numbers])
    plate_held_out, cutout_held_out = is_held_out
    training, validation = ~(plate_held_out | cutout_held_out), plate_held_out & cutout_held_out
    if not training.any() or not validation.any():
        return None
    return np.flatnonzero(training), np.flatnonzero(validation)


def _warn_if_unfinished(folder: Path, made: int, planned: int) -> None:
    if not made:
        raise CleanplateError(
            "no part of the set is finished yet",
            file=folder,
            cure="Run `cleanplate synth build` to its end.",
        )
    if read_dataset(folder) is None:
        _log.warning(
            "%s: only %d of %d parts are finished; later runs will see other samples",
            *(folder, made, planned),
        )
