"""The study's figures in one JSON file: gathered from single runs, read by figures and paper."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import read_json
from studies.seed import drawing, runs, sets
from studies.seed.costs import costs
from studies.seed.experiments import Row, rows
from studies.seed.floors import floors
from studies.seed.measures import answers, depth_figures, mask_figures
from studies.seed.settings import REPORT, SOUND, Scale, Settings
from studies.seed.training import nearness, targets

FOLDER = Path(__file__).parent / "results"

_KEPT = ("seed", "figures", "course", "parameters", "cpu_seconds")
"""Of each run."""


def gather(workspace: runs.Workspace, students: Path | None) -> dict[str, Any]:
    """Bring together what all runs found, and measure what needs no training.

    Args:
        workspace: of a study that is done, or partly.
        students: tuples of original student data in the assignment's form; None = none.
    """
    listed: dict[str, dict[str, Any]] = {}
    for row in rows():
        done = runs.found(workspace, row)
        listed.setdefault(row.part, {})[row.name] = {
            "settings": asdict(row.settings),
            "runs": [{key: one.get(key) for key in _KEPT} for one in done],
        }
    train = sets.Pairs.load(workspace.sets["assignment/train"])
    known = sets.Pairs.load(workspace.sets["assignment/known"])
    told = {
        "scale": asdict(workspace.scale),
        "rows": listed,
        "data": _statistics(train),
        "floors": {
            "report": floors(targets(REPORT, train.relative)),
            "full": floors(targets(SOUND, train.relative)),
            "mask_constant": floors(train.mask)["constant"],
        },
        "baselines": _without_learning(workspace, train),
        "drawing": _drawn(workspace, known),
        "costs": costs(workspace.scale),
        "clock": runs.Clock(workspace.work).read(),
        "pictures": ["input", "target", "masks", "two seeds"],
    }
    if students is not None:
        told |= _of_student_pairs(workspace, students)
    rounded: dict[str, Any] = _rounded(told)
    return rounded


def take_over(workspace: runs.Workspace, file: Path) -> int:
    """Take figures from earlier results of the same scale for trainings that are not done here.

    Weights are not in results: a training whose pictures are drawn is still done again.

    Returns:
        How many trainings were taken over.

    Raises:
        CleanplateError: if the results are of another scale.
    """
    results = Results(file)
    here, there = (replace(scale, device="cpu") for scale in (workspace.scale, results.scale))
    if here != there:
        raise CleanplateError(
            f"these results are of another scale ({there.told}), not of {here.name} ({here.told})",
            file=file,
        )
    taken = 0
    for part in results.told["rows"].values():
        for row in part.values():
            settings = Settings(**row["settings"])
            for one in row["runs"]:
                run = runs.Run(settings, one["seed"])
                if not workspace.figures(run).exists():
                    workspace.keep(run, one)
                    taken += 1
    return taken


def _statistics(pairs: sets.Pairs) -> dict[str, Any]:
    """Mean, standard deviation of pixels and of picture means, as the report counts them."""
    stacks: dict[str, npt.NDArray[Any]] = {
        "bg": pairs.plate / 255,
        "fg_bg": pairs.frame / 255,
        "mask": pairs.mask[..., None],
        "depth": targets(REPORT, pairs.relative)[..., None],
    }
    found = {}
    for name, stack in stacks.items():
        means = stack.mean((1, 2))
        found[name] = {
            "mean": stack.mean((0, 1, 2)).tolist(),
            "std": stack.std((0, 1, 2)).tolist(),
            "std_of_picture_means": means.std(0).tolist(),
        }
    return found


def _without_learning(workspace: runs.Workspace, train: sets.Pairs) -> dict[str, Any]:
    """Measure one constant and the mean map of the training pairs as if they were answers."""
    found: dict[str, Any] = {}
    files = {which: f"assignment/{which}" for which in ("known", "new")}
    files["pairs/clean"] = "pairs/clean"
    for which, file in files.items():
        if file not in workspace.sets:
            continue
        pairs = sets.Pairs.load(workspace.sets[file])
        maps = {
            "one constant": np.full_like(pairs.relative, train.relative.mean()),
            "mean map": np.broadcast_to(train.relative.mean(0), pairs.relative.shape),
        }
        found[which] = {name: depth_figures(one, pairs) for name, one in maps.items()}
    return found


def _drawn(workspace: runs.Workspace, pairs: sets.Pairs) -> dict[str, Any]:
    """How much of a depth map the report's drawing shows white, for whom."""
    truth = targets(REPORT, pairs.relative)
    found: dict[str, Any] = {"a perfect prediction": drawing.white_share(drawing.logit(truth))}
    shown = ("anchors", "task2", "longer", "rates")
    for row in rows():
        if row.part not in shown or row.settings.task == "mask" or row.settings.target != "report":
            continue
        for seed in (0, 1):
            run = runs.Run(row.settings, seed)
            if not workspace.weights(run).is_file():
                continue
            model = runs.load(row.settings, workspace.scale, workspace.weights(run))
            logits = answers(row.settings, workspace.scale, model, pairs).logits
            assert logits is not None
            name = row.name if row.part in ("anchors", "task2") else f"{row.name}, {row.part}"
            found[name if seed == 0 else f"{name}, seed {seed}"] = drawing.white_share(logits)
    return found


def _of_student_pairs(workspace: runs.Workspace, folder: Path) -> dict[str, Any]:
    """Floors of the students' own depth, and what our networks say of their pictures."""
    pairs = sets.student_pairs(folder, workspace.scale.size)
    found: dict[str, Any] = {"students": {}}
    shown = set[str]()
    for row in rows():
        run = runs.Run(row.settings, 0)
        if (
            run.name in shown
            or row.part not in ("anchors", "others", "realistic")
            or not workspace.weights(run).is_file()
        ):
            continue
        model = runs.load(row.settings, workspace.scale, workspace.weights(run))
        answer = answers(row.settings, workspace.scale, model, pairs)
        figures = mask_figures(answer.mask, pairs) if answer.mask is not None else {}
        if answer.depth is not None and answer.logits is not None:
            near = nearness(row.settings, answer.depth)
            if row.settings.target == "report":
                figures["white"] = drawing.white_share(answer.logits)
            figures["correlation"] = float(
                np.mean(
                    [
                        np.corrcoef(one.ravel(), other.ravel())[0, 1]
                        for one, other in zip(near, pairs.relative, strict=True)
                    ]
                )
            )
        found["students"][f"{row.settings.data}: {row.name}"] = figures
        shown.add(run.name)
    found["students_floors"] = floors(1 - pairs.disparity)
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value


def save(told: Mapping[str, Any], file: Path) -> None:
    """Write the results, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as path:
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


class Results:
    """What a study found, by part and row.

    Raises:
        CleanplateError: if there are no results of this scale.
    """

    def __init__(self, file: Path):
        if not file.is_file():
            raise CleanplateError(
                "there are no results", file=file, cure="python -m studies.seed run --scale SCALE"
            )
        self.told: dict[str, Any] = read_json(file)
        stored = self.told["scale"]
        self.scale = Scale(**{**stored, "seeds": tuple(stored["seeds"])})

    @property
    def told_scale(self) -> str:
        """The scale in words, with the seeds that are there."""
        counts = {self.seeds(part, name) for part in self.told["rows"] for name in self.names(part)}
        many = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(max(counts))
        seeds = "1 seed" if many == "1" else f"{many} seeds"
        return f"{self.scale.told}, {seeds}"

    def core_hours(self) -> dict[str, float]:
        """Tell what the scale's trainings take: counted all, timed those that were done here.

        `trainings` and `longer` are counts, `timed` how many of both have a time, `seconds` and
        `longer_seconds` medians of processor time, `hours` all of it. Of trainings that were
        taken over no time is known.
        """
        seconds: dict[bool, dict[str, float | None]] = {False: {}, True: {}}
        for part in self.told["rows"].values():
            for row in part.values():
                settings = Settings(**row["settings"])
                for one in row["runs"]:
                    name = runs.Run(settings, one["seed"]).name
                    seconds[settings.more][name] = one.get("cpu_seconds")
        usual, longer = (
            statistics.median([s for s in some.values() if s] or [math.nan])
            for some in (seconds[False], seconds[True])
        )
        counts = len(seconds[False]), len(seconds[True])
        total = counts[0] * usual + (counts[1] * longer if counts[1] else 0)
        return {
            "trainings": counts[0],
            "longer": counts[1],
            "timed": sum(s is not None for some in seconds.values() for s in some.values()),
            "seconds": usual,
            "longer_seconds": longer,
            "hours": total / 3600,
        }

    def names(self, part: str) -> list[str]:
        """Give the rows of a part that have runs, in order; none if there is no such part."""
        rows = self.told["rows"].get(part, {})
        return [name for name, row in rows.items() if row["runs"]]

    def has(self, part: str, name: str) -> bool:
        """Tell whether a row has runs."""
        return name in self.names(part)

    def seeds(self, part: str, name: str) -> int:
        """Count a row's finished runs."""
        return len(self.runs(part, name))

    def runs(self, part: str, name: str) -> list[dict[str, Any]]:
        """Give a row's finished runs in order of their seeds; none if there is no such row."""
        row = self.told["rows"].get(part, {}).get(name, {"runs": []})
        return sorted(row["runs"], key=lambda one: one["seed"])

    def by_seed(self, part: str, name: str, which: str, figure: str) -> dict[int, float]:
        """Give a figure by seed; what was not measured is left out."""
        found = {}
        for one in self.runs(part, name):
            value = one["figures"].get(which, {}).get(figure)
            if value is not None:
                found[one["seed"]] = float(value)
        return found

    def values(self, part: str, name: str, which: str, figure: str) -> list[float]:
        """Give a figure of each seed, in order; empty where it was not measured."""
        return list(self.by_seed(part, name, which, figure).values())

    def diverged(self, part: str, name: str) -> int:
        """Count a row's runs whose loss became infinite or NaN."""
        done = self.runs(part, name)
        return sum(one["course"].get("diverged", False) for one in done)

    def mean(self, part: str, name: str, which: str, figure: str) -> float:
        """Give the mean over seeds; NaN where nothing was measured."""
        values = self.values(part, name, which, figure)
        return statistics.fmean(values) if values else math.nan

    def course(self, part: str, name: str, loss: str) -> list[float]:
        """Give the loss by epoch, averaged over seeds."""
        done = self.runs(part, name)
        every = [one["course"][loss] for one in done if not one["course"].get("diverged")]
        return np.mean(every, 0).tolist() if every and every[0] else []


def row_of(part: str, name: str) -> Row:
    """Find a row.

    Raises:
        KeyError: if there is none.
    """
    for row in rows():
        if (row.part, row.name) == (part, name):
            return row
    raise KeyError((part, name))
