"""The study's sheets of pictures: what networks whose weights were kept say of pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt

from studies.seed import drawing, runs, sets
from studies.seed.charts import INK, STYLE, save
from studies.seed.measures import Answer, answers
from studies.seed.results import Results, row_of
from studies.seed.settings import REPORT
from studies.seed.training import targets

Picture = npt.NDArray[Any]

_SHOWN = 5
"""Pairs in a sheet."""


def draw_pictures(
    workspace: runs.Workspace, results: Results, out: Path, students: Path | None
) -> None:
    """Draw what needs pictures and weights: the blank map, depth by training."""
    out.mkdir(parents=True, exist_ok=True)
    known = sets.Pairs.load(workspace.sets["assignment/known"])
    some = known[np.linspace(0, len(known) - 1, _SHOWN).astype(int)]
    with plt.rc_context(STYLE):
        save(_blank(workspace, results, some), out / "blank.png")
        save(_depths(workspace, results, some), out / "depths.png")
        if students is not None:
            ten = sets.student_pairs(students, workspace.scale.size)
            save(_student_sheet(workspace, results, ten), out / "students.png")


def _answer(
    workspace: runs.Workspace, part: str, name: str, pairs: sets.Pairs, seed: int = 0
) -> Answer:
    settings = row_of(part, name).settings
    weights = workspace.weights(runs.Run(settings, seed))
    return answers(settings, workspace.scale, runs.load(settings, workspace.scale, weights), pairs)


def _is_kept(workspace: runs.Workspace, part: str, name: str, seed: int = 0) -> bool:
    return workspace.weights(runs.Run(row_of(part, name).settings, seed)).is_file()


def _sheet(columns: Sequence[tuple[str, Sequence[Picture]]], note: str) -> Any:
    count = len(columns[0][1])
    figure, axes = plt.subplots(
        count, len(columns), figsize=(1.35 * len(columns), 1.4 * count), squeeze=False
    )
    for column, (title, pictures) in enumerate(columns):
        for row, picture in enumerate(pictures):
            axis = axes[row][column]
            axis.imshow(picture, vmin=0, vmax=1, cmap="gray", interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            for side in axis.spines.values():
                side.set(visible=True, color="#aaaaaa", linewidth=0.5)
        axes[0][column].set_title(title, fontsize=8)
    figure.subplots_adjust(wspace=0.04, hspace=0.04)
    figure.text(0.5, 0.09, note, ha="center", va="top", fontsize=7, color=INK)
    return figure


def _each(pictures: Sequence[Picture] | Picture, how: Callable[[Any], Picture]) -> list[Picture]:
    return [how(one) for one in pictures]


def _blank(workspace: runs.Workspace, results: Results, some: sets.Pairs) -> Any:
    """Input and targets, a perfect answer drawn the report's way, then two seeds' answers."""
    truth = targets(REPORT, some.relative)
    columns: list[tuple[str, Sequence[Picture]]] = [
        ("input: frame", list(some.frame)),
        ("target: mask", list(some.mask)),
        ("target: depth,\nnear is dark", _each(truth, drawing.right)),
        ("perfect depth,\nreport's drawing", _each(drawing.logit(truth), drawing.reported)),
    ]
    part, name = (
        ("rates", "x 1") if _is_kept(workspace, "rates", "x 1") else ("anchors", "the report's")
    )
    for seed in (0, 1):
        if not _is_kept(workspace, part, name, seed):
            continue
        said = _answer(workspace, part, name, some, seed)
        assert said.mask is not None
        assert said.logits is not None
        assert said.depth is not None
        masks = drawing.logit(said.mask)
        columns.append((f"seed {seed}: mask,\nreport's drawing", _each(masks, drawing.reported)))
        columns.append(
            (f"seed {seed}: depth,\nreport's drawing", _each(said.logits, drawing.reported))
        )
        columns.append((f"seed {seed}: depth,\nas it is", _each(said.depth, drawing.right)))
        columns.append((f"seed {seed}: depth,\nstretched", _each(said.depth, drawing.stretched)))
    told = f"{name} ({part})" if part == "anchors" else f"the report's settings, SGD .001 {name}"
    return _sheet(columns, f"network: {told}; {results.scale.told}")


def _depths(workspace: runs.Workspace, results: Results, some: sets.Pairs) -> Any:
    shown = [
        ("anchors", "the report's", "the report's"),
        ("together", "schedule + optimiser + scaling", "schedule, optimiser,\nscaling right"),
        ("anchors", "sound", "SeedNet,\nsoundly"),
        ("others", "CompactNet", "CompactNet"),
        ("others", "SeedNet without the plate", "without\nthe plate"),
    ]
    columns: list[tuple[str, Sequence[Picture]]] = [
        ("input: frame", list(some.frame)),
        ("target", _each(some.relative, drawing.right)),
    ]
    for part, name, title in shown:
        if not _is_kept(workspace, part, name):
            continue
        depth = _answer(workspace, part, name, some).depth
        assert depth is not None
        if row_of(part, name).settings.target == "report":
            depth = 1 - depth
        columns.append((title, _each(depth, drawing.stretched)))
    return _sheet(
        columns, f"near is bright, each map between its own ends; {results.scale.told}; first seed"
    )


def _student_sheet(workspace: runs.Workspace, results: Results, ten: sets.Pairs) -> Any:
    """Only what our networks say is drawn: the photographs are not ours to show."""
    report = _answer(workspace, "anchors", "the report's", ten)
    columns: list[tuple[str, Sequence[Picture]]] = []
    assert report.logits is not None
    assert report.depth is not None
    columns.append(("the report's,\nmask", list(report.mask if report.mask is not None else [])))
    columns.append(("depth,\nthe report's way", _each(report.logits, drawing.reported)))
    columns.append(("same weights,\nstretched", _each(1 - report.depth, drawing.stretched)))
    for part, name, title in (
        ("anchors", "sound", "soundly"),
        ("realistic", "CompactNet", "CompactNet"),
    ):
        if not _is_kept(workspace, part, name):
            continue
        answer = _answer(workspace, part, name, ten)
        assert answer.mask is not None
        assert answer.depth is not None
        columns.append((f"{title},\nmask", list(answer.mask)))
        columns.append((f"{title},\ndepth", _each(answer.depth, drawing.stretched)))
    return _sheet(
        columns,
        f"ten tuples of original student data, CompactNet trained on realistic pairs; "
        f"{results.scale.told}; first seed",
    )
