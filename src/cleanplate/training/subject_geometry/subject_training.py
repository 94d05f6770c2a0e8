"""Training of the subject depth regressors: subjects are measured, and regressors fitted.

No picture and no matting network is used: alpha and disparity of composites and stored pairs are
enough, so that a run takes minutes. See docs/subject_depth.md.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.models import SUBJECT_DEPTH
from cleanplate.predict.geometry.subject_depth import Regressor, SubjectDepth
from cleanplate.synthesis.assets.split import Subset
from cleanplate.training.subject_geometry.subject_recipe import SubjectDepthRecipe
from cleanplate.training.subject_geometry.subject_regressor import (
    calibrated,
    figures,
    fit_regressor,
)
from cleanplate.training.subject_geometry.subject_scenes import CompositeScenes, PairScenes
from cleanplate.training.subject_geometry.subject_table import KINDS, Table, subjects_of

RECORD = "subject_depth.json"
SUBJECTS = "subjects.npz"
_SUBJECT_FIELDS = (
    *("plates", "cutouts", "pairs", "composites", "pair_scenes", "pairs_weight"),
    *("validation", "seed"),
)
"""Fields of a recipe on which the measured subjects depend."""
_VALIDATION_SEED = 1_000_003

_log = logging.getLogger(__name__)


def train(recipe: SubjectDepthRecipe, run: Path) -> dict[str, Any]:
    """Measure subjects, fit both regressors, and write them with a record into the run folder.

    The measured subjects are kept there, and read again by a run with the same subjects.

    Args:
        recipe: what is learned.
        run: the folder; made if it is not there.

    Returns:
        The record: recipe, number of subjects, and errors on the validation subjects.

    Raises:
        CleanplateError: if a folder is missing or holds nothing usable.
    """
    cv2.setNumThreads(1)
    learned: dict[str, Regressor] = {}
    record: dict[str, Any] = {"recipe": _plain(recipe), "figures": {}}
    measured = _measured(recipe, run)
    for kind, (training, held) in measured.items():
        _log.info("%s: %d subjects train, %d validate", kind, len(training), len(held))
        learned[kind] = calibrated(fit_regressor(training, recipe), held)
        record[f"{kind}_subjects"] = len(training)
        record["figures"][kind] = {
            name: float(f"{value:.4g}")
            for name, value in figures(learned[kind], held)._asdict().items()
        }
    parts: Any = SubjectDepth(**learned).arrays()
    with replacing(run / SUBJECT_DEPTH) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **parts)
    with replacing(run / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return record


def _measured(recipe: SubjectDepthRecipe, run: Path) -> dict[str, tuple[Table, Table]]:
    """Read the training and validation tables by kind from the run folder, or measure them."""
    asked = json.dumps({key: str(getattr(recipe, key)) for key in _SUBJECT_FIELDS})
    columns = [field.name for field in dataclasses.fields(Table)]
    file = run / SUBJECTS
    if file.is_file():
        with np.load(file, allow_pickle=False) as stored:
            if str(stored["asked"]) == asked:
                return {
                    kind: (
                        Table(*(stored[f"{kind}_training_{name}"] for name in columns)),
                        Table(*(stored[f"{kind}_held_{name}"] for name in columns)),
                    )
                    for kind in KINDS
                }
    found = tables(recipe)
    arrays: dict[str, Any] = {"asked": np.array(asked)}
    for kind, parts in found.items():
        for part, table in zip(("training", "held"), parts, strict=True):
            arrays |= {f"{kind}_{part}_{name}": getattr(table, name) for name in columns}
    run.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary, temporary.open("wb") as out:
        np.savez_compressed(out, **arrays)
    return found


def tables(recipe: SubjectDepthRecipe) -> dict[str, tuple[Table, Table]]:
    """Measure the training and the validation subjects, which share no asset and no pair.

    Returns:
        Kind -> (training, validation).

    Raises:
        CleanplateError: if the recipe gives no subjects for one of the two.
    """
    training: list[dict[str, Table]] = []
    held: list[dict[str, Table]] = []
    parts: tuple[tuple[Subset, int, int], ...] = (
        ("training", recipe.seed, recipe.composites),
        ("validation", recipe.seed + _VALIDATION_SEED, recipe.validation),
    )
    for part, seed, count in parts:
        if count:
            made = subjects_of(_composites(recipe, seed, part), count, seed)
            (training if part == "training" else held).append(made)
    if recipe.pairs is not None:
        total = PairScenes(recipe.pairs, recipe.seed).count
        numbers = np.random.default_rng(recipe.seed).permutation(total).tolist()
        kept_back = max(1, total // 10)
        for chosen, count, into in (
            (numbers[kept_back:], recipe.pair_scenes, training),
            (numbers[:kept_back], max(kept_back, recipe.validation // 2), held),
        ):
            scenes = PairScenes(recipe.pairs, recipe.seed, numbers=chosen or numbers)
            into.append(subjects_of(scenes, count, recipe.seed, weight=recipe.pairs_weight))
    if not training or not held:
        raise CleanplateError(
            "the recipe has no subjects for training or for validation",
            cure="Give --composites and --validation, or --pairs FOLDER.",
        )
    return {
        kind: (
            Table.joined(made[kind] for made in training),
            Table.joined(made[kind] for made in held),
        )
        for kind in KINDS
    }


def _composites(recipe: SubjectDepthRecipe, seed: int, part: Subset) -> CompositeScenes:
    return CompositeScenes(recipe.plates, recipe.cutouts, seed, part)


def _plain(recipe: SubjectDepthRecipe) -> dict[str, Any]:
    """Convert the recipe to plain values for the record, folders as their names alone."""
    values = dataclasses.asdict(recipe)
    for key in ("plates", "cutouts"):
        values[key] = [Path(folder).name for folder in values[key]]
    values["pairs"] = None if recipe.pairs is None else recipe.pairs.name
    return values
