"""Training of the subject's depth: a table of measured subjects, and a regressor fitted to it.

No picture and no network takes part: mattes and disparity of composites and stored pairs are
enough, so that a run takes minutes. docs/subject_depth.md.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError
from cleanplate.files import replacing
from cleanplate.models import SUBJECT_DEPTH
from cleanplate.predict.subject_depth import Regressor, SubjectDepth, assumed_focal, relative_level
from cleanplate.predict.subjects import connected, measure
from cleanplate.synthesis.holdout import Part
from cleanplate.training.subject_scenes import (
    CompositeScenes,
    PairScenes,
    SubjectScene,
    damaged,
)

KINDS = ("metric", "relative")
RECORD = "subject_depth.json"
SUBJECTS = "subjects.npz"
_OF_SUBJECTS = (
    *("plates", "cutouts", "pairs", "composites", "pair_scenes", "pairs_weight"),
    *("validation", "seed"),
)
"""What of a recipe decides which subjects are measured."""
_VALIDATION_SEED = 1_000_003
_LARGEST = 3.0
"""ln(disparity / bound) beyond it is learned as this much."""
_TRUE = 0.7
"""Share of scenes whose true matte is measured besides the damaged one."""

_log = logging.getLogger(__name__)
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SubjectDepthRecipe:
    """Everything that decides what the regressor learns."""

    plates: tuple[Path, ...] = ()
    """Folders of plates with depth. None = procedural rooms."""
    cutouts: tuple[Path, ...] = ()
    """Folders of cutouts. None = procedural ones."""
    pairs: Path | None = None
    """A folder of full-scene pairs; one in ten validates and never trains."""
    composites: int = 12_000
    """Scenes composed of plates and cutouts."""
    pair_scenes: int = 6_000
    """Scenes cut from the pairs."""
    pairs_weight: float = 1.0
    """How often a subject of a pair is drawn, against one of a composite."""
    validation: int = 600
    """Composites that validate, of assets that never train."""
    networks: int = 5
    """Networks whose mean counts; each has its own fresh weights."""
    hidden: int = 64
    steps: int = 4_000
    batch: int = 512
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class Table:
    """Measured subjects: one row each.

    quantities: (n, k).
    ratio: (n,) ln(true disparity / bound).
    stands: (n,) the lower edge is seen, on a plate without a step.
    weight: (n,) how often it is drawn.
    """

    quantities: Floats
    ratio: Floats
    stands: npt.NDArray[np.bool_]
    weight: Floats

    def __len__(self) -> int:
        return len(self.ratio)

    @classmethod
    def joined(cls, tables: Iterable[Table]) -> Table:
        """Put tables one under the other."""
        every = list(tables)
        return cls(
            *(
                np.concatenate([getattr(table, field.name) for table in every])
                for field in dataclasses.fields(cls)
            )
        )


class Scenes(Protocol):
    """Anything that makes scene `index`."""

    def scene(self, index: int) -> SubjectScene | None:
        """Make the scene; None where it holds no subject."""
        ...


def subjects_of(
    scenes: Scenes, count: int, seed: int, *, weight: float = 1.0, start: int = 0
) -> dict[str, Table]:
    """Measure the subjects of `count` scenes, with damaged and partly also with true mattes.

    Args:
        scenes: where they come from.
        count: how many, from `start` on.
        seed: of the damage and of which focal lengths are told.
        weight: of each row.
        start: the first scene's index.

    Returns:
        the table for plates in metres, "metric", and for relative ones, "relative".

    Raises:
        CleanplateError: if none of them holds a subject.
    """
    rows: dict[str, list[tuple[Floats, float, bool]]] = {kind: [] for kind in KINDS}
    for index in range(start, start + count):
        scene = scenes.scene(index)
        if scene is None or not (np.isfinite(scene.plate).any() and (scene.alpha > 0.9).any()):
            continue
        rng = np.random.default_rng([abs(seed), index])
        mattes = [damaged(rng, scene.alpha)]
        if rng.random() < _TRUE:
            mattes.append(scene.alpha)
        for alpha in mattes:
            for kind in KINDS:
                rows[kind] += _rows(rng, scene, alpha, metric=kind == "metric")
    if not rows["metric"]:
        raise CleanplateError("none of the scenes holds a subject whose depth is known")
    return {kind: _as_table(found, weight) for kind, found in rows.items()}


def _as_table(rows: list[tuple[Floats, float, bool]], weight: float) -> Table:
    quantities, ratio, stands = zip(*rows, strict=True)
    return Table(
        np.stack(quantities),
        np.array(ratio, np.float32),
        np.array(stands),
        np.full(len(rows), weight, np.float32),
    )


def _rows(
    rng: np.random.Generator, scene: SubjectScene, alpha: Plane, *, metric: bool
) -> Iterator[tuple[Floats, float, bool]]:
    height, width = alpha.shape
    plate, subject = scene.plate, scene.subject
    lens = None
    if metric:
        known = scene.focal is not None and rng.random() < 0.5
        lens = (scene.focal, True) if known else (assumed_focal(height, width), False)
    else:
        level = relative_level(plate)
        plate, subject = level.apply(plate), level.apply(subject)
    for one in connected(alpha)[0]:
        true = subject[one.inside]
        counted = one.mask & (scene.alpha[one.inside] > 0.9) & np.isfinite(true) & (true > 0)
        if counted.sum() < max(12, 0.3 * one.mask.sum()):
            continue
        measured = measure(one, alpha, plate, lens)
        if measured is not None:
            ratio = math.log(float(np.median(true[counted])) / measured.bound)
            yield measured.quantities, ratio, measured.stands


class _Networks(torch.nn.Module):
    """E networks of two hidden layers, side by side."""

    def __init__(self, count: int, quantities: int, hidden: int, seed: int):
        super().__init__()
        sizes = (quantities, hidden, hidden, 2)
        generator = torch.Generator().manual_seed(seed)
        self.weights, self.offsets = torch.nn.ParameterList(), torch.nn.ParameterList()
        for n, m in pairwise(sizes):
            fresh = torch.randn(count, n, m, generator=generator) * math.sqrt(2 / n)
            self.weights.append(fresh if m != 2 else 0.3 * fresh)
            self.offsets.append(torch.full((count, 1, m), 0.0 if m != 2 else -1.5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(E, n, k) to ln(disparity / bound) and the logarithm of its Laplace scale, (E, n)."""
        for place, (weights, offsets) in enumerate(zip(self.weights, self.offsets, strict=True)):
            x = torch.baddbmm(offsets, x, weights)
            if place < 2:
                x = torch.relu(x)
        return torch.nn.functional.softplus(x[..., 0]), x[..., 1].clamp(-5, 1)


def fit_regressor(table: Table, recipe: SubjectDepthRecipe) -> Regressor:
    """Fit the networks: relative error of depth, and beside it the Laplace scale of the logarithm.

    The scale's likelihood does not reach the value: else subjects that are hard to place would
    count for less.
    """
    mean = table.quantities.mean(0)
    deviation = np.maximum(table.quantities.std(0), np.float32(1e-3))
    scaled = torch.from_numpy(np.clip((table.quantities - mean) / deviation, -5, 5))
    target = torch.from_numpy(np.clip(table.ratio, 0, _LARGEST))
    weight = torch.from_numpy(table.weight)
    count = recipe.networks
    networks = _Networks(count, scaled.shape[1], recipe.hidden, recipe.seed)
    groups = [
        {"params": list(networks.weights), "weight_decay": recipe.weight_decay},
        {"params": list(networks.offsets), "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    generator = torch.Generator().manual_seed(recipe.seed)
    for step in range(recipe.steps):
        cosine = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * min(1, (step + 1) / 100) * (0.01 + 0.99 * cosine)
        chosen = torch.multinomial(weight, recipe.batch * count, True, generator=generator)
        chosen = chosen.view(count, recipe.batch)
        ratio, scale = networks(scaled[chosen])
        error = target[chosen] - ratio
        likelihood = error.detach().abs() * torch.exp(-scale) + scale
        loss = 2 * torch.expm1(error.clamp(-3, 1.5)).abs().mean() + 0.3 * likelihood.mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    layers = tuple(
        (weights.detach().numpy(), offsets.detach().numpy()[:, 0])
        for weights, offsets in zip(networks.weights, networks.offsets, strict=True)
    )
    return Regressor(mean.astype(np.float32), deviation.astype(np.float32), layers)


def calibrated(regressor: Regressor, table: Table) -> Regressor:
    """Scale the uncertainty so that 68 % of the table's subjects lie within it."""
    ratio, spread = regressor(table.quantities)
    share = np.abs(ratio - table.ratio) / spread
    factor = float(np.quantile(share, 0.68)) if len(table) else 1.0
    return dataclasses.replace(regressor, calibration=regressor.calibration * factor)


class Figures(NamedTuple):
    """How a regressor does on subjects that it never learned from: each counts once."""

    subjects: int
    abs_rel: float
    within_10: float
    bound_abs_rel: float
    bound_within_10: float
    within_uncertainty: float


def figures(regressor: Regressor, table: Table) -> Figures:
    """Compare a regressor, and the bound alone, with the truth: relative errors of depth."""
    ratio, spread = regressor(table.quantities)
    error, alone = np.abs(np.expm1(table.ratio - ratio)), np.abs(np.expm1(table.ratio))
    inside = np.abs(table.ratio - ratio) <= spread
    return Figures(
        len(table),
        float(error.mean()),
        float((error <= 0.1).mean()),
        float(alone.mean()),
        float((alone <= 0.1).mean()),
        float(inside.mean()),
    )


def train(recipe: SubjectDepthRecipe, run: Path) -> dict[str, Any]:
    """Measure subjects, fit both regressors, and write them with a record into the run's folder.

    What was measured is kept there, and read again if the recipe asks for the same subjects.

    Returns:
        the record: the recipe, the number of subjects, and the figures on those held out.

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
    found = SubjectDepth(**learned)
    with replacing(run / SUBJECT_DEPTH) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **found.arrays())
    with replacing(run / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return record


def _measured(recipe: SubjectDepthRecipe, run: Path) -> dict[str, tuple[Table, Table]]:
    """Give kind -> what trains and what is held out, from the run's folder or measured anew."""
    asked = json.dumps({key: str(getattr(recipe, key)) for key in _OF_SUBJECTS})
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
    """Measure what trains and what is held out, which has other assets and other pairs.

    Returns:
        kind -> (training, held out).
    """
    training, held = [], []
    for part, seed, count in (
        ("training", recipe.seed, recipe.composites),
        ("validation", recipe.seed + _VALIDATION_SEED, recipe.validation),
    ):
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
            "the recipe names nothing to learn from, or nothing to validate with",
            cure="--composites and --validation, or --pairs FOLDER",
        )
    return {
        kind: (
            Table.joined(made[kind] for made in training),
            Table.joined(made[kind] for made in held),
        )
        for kind in KINDS
    }


def _composites(recipe: SubjectDepthRecipe, seed: int, part: Part) -> CompositeScenes:
    return CompositeScenes(recipe.plates, recipe.cutouts, seed, part)


def _plain(recipe: SubjectDepthRecipe) -> dict[str, Any]:
    """Give the recipe for the record: folders by their names alone."""
    values = dataclasses.asdict(recipe)
    for key in ("plates", "cutouts"):
        values[key] = [Path(folder).name for folder in values[key]]
    values["pairs"] = None if recipe.pairs is None else recipe.pairs.name
    return values


RECIPES: dict[str, SubjectDepthRecipe] = {
    "subject-depth": SubjectDepthRecipe(),
    "subject-depth-smoke": SubjectDepthRecipe(
        composites=24, validation=8, networks=2, hidden=16, steps=30, batch=32
    ),
}
"""The recipes of `cleanplate train` that are of this kind."""
