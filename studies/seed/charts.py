"""The study's charts, drawn from its results alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import NullFormatter

from studies.seed.claims import PRINTED, PRINTED_FLOORS
from studies.seed.experiments import SUSPECTS
from studies.seed.results import Results

INK = "#333333"
_RIGHT, _WRONG = "#1b7f5c", "#b3412f"
STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def draw_charts(results: Results, out: Path) -> None:
    """Draw what needs the results alone: curves, suspects, task 1, costs, longer trainings."""
    out.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        save(_courses(results), out / "courses.png")
        save(_suspects(results), out / "suspects.png")
        save(_fusions(results), out / "fusions.png")
        save(_costs(results), out / "costs.png")
        if results.names("longer"):
            save(_longer(results), out / "longer.png")


def save(figure: Any, file: Path) -> None:
    """Write a figure as a small PNG, and let go of it."""
    figure.savefig(file, dpi=110, bbox_inches="tight", pil_kwargs={"optimize": True})
    plt.close(figure)


def _courses(results: Results) -> Any:
    figure, (ours, theirs) = plt.subplots(1, 2, figsize=(8.4, 3), sharex=True)
    for name in ("1: depth alone, RGB", "2: mask and depth, RGB", "3c: with dropout 0.2"):
        course = results.course("task2", name, "depth")
        ours.plot(range(1, len(course) + 1), course, lw=0.8, color="#999999")
    course = results.course("anchors", "the report's", "depth")
    ours.plot(range(1, len(course) + 1), course, color=_WRONG, label="the report's settings, ours")
    theirs.plot(range(1, len(PRINTED) + 1), PRINTED, color=_WRONG, label="printed in the report")
    for axis, levels, title in (
        (ours, results.told["floors"]["report"], f"our data ({results.scale.told})"),
        (theirs, PRINTED_FLOORS, "the report's data, one batch of each epoch"),
    ):
        for label, name, style in (
            ("one constant", "constant", ":"),
            ("mean map", "mean_map", "-."),
            ("each picture's mean", "picture_mean", "--"),
            ("perfect", "perfect", "-"),
        ):
            if name in levels:
                axis.axhline(levels[name], color=INK, lw=0.8, ls=style, label=label)
        axis.set_title(title, fontsize=8)
        axis.set_xlabel("epoch")
        axis.legend(
            fontsize=6.5, frameon=False, ncol=2, loc="upper center", bbox_to_anchor=(0.5, -0.2)
        )
    ours.set_ylabel("cross-entropy of depth")
    return figure


def _longer(results: Results) -> Any:
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 2.8), sharex=True)
    for axis, key, label in (
        (axes[0], "iou", "IoU of the mask"),
        (axes[1], "delta1", r"depth: aligned $\delta$ < 1.25"),
    ):
        for name, colour in (("the report's", _WRONG), ("sound", _RIGHT)):
            for one in results.runs("longer", name):
                course = [seen.get(key, np.nan) for seen in one["course"]["seen"]]
                axis.plot(range(1, len(course) + 1), course, color=colour, lw=1, marker=".")
            axis.plot([], [], color=colour, label=f"{name} settings")
            short = results.mean("anchors", name, "known", key)
            axis.axhline(short, color=colour, lw=0.8, ls="--")
        axis.plot(
            [],
            [],
            color=INK,
            lw=0.8,
            ls="--",
            label="after the usual number of steps, mean of seeds",
        )
        axis.set_xlabel("epoch")
        axis.set_ylabel(label)
        axis.grid(axis="y", lw=0.3)
    level = results.told["baselines"]["known"]["mean map"]["delta1"]
    axes[1].axhline(level, color=INK, lw=0.8, ls="-.", label="mean map")
    figure.legend(
        *axes[1].get_legend_handles_labels(),
        fontsize=7,
        frameon=False,
        ncol=4,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.02),
    )
    figure.suptitle(
        f"Longer trainings, a line for each seed; pairs of known places; {results.scale.told}",
        fontsize=8,
    )
    return figure


def _suspects(results: Results) -> Any:
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 6.6), sharey=True)
    labels, lines = [], []
    for suspect in SUSPECTS:
        for side, names in (("right", suspect.right), ("wrong", suspect.wrong)):
            for name in names:
                if not results.has(f"suspect-{suspect.number}-{side}", name):
                    continue
                labels.append(f"{suspect.number}  {suspect.title} → {name}")
                lines.append((f"suspect-{suspect.number}-{side}", name, side))
    places = np.arange(len(lines))[::-1]
    for axis, figure_name, title in (
        (axes[0], "delta1", r"depth: aligned $\delta$ < 1.25"),
        (axes[1], "iou", "mask: IoU"),
    ):
        for anchor, colour in (("the report's", _WRONG), ("sound", _RIGHT)):
            level = results.mean("anchors", anchor, "known", figure_name)
            axis.axvline(level, color=colour, lw=1, ls="--", label=f"{anchor} settings")
        for place, (part, name, side) in zip(places, lines, strict=True):
            colour = _WRONG if side == "right" else _RIGHT
            start = "the report's" if side == "right" else "sound"
            anchors = results.by_seed("anchors", start, "known", figure_name)
            own = results.by_seed(part, name, "known", figure_name)
            common = own.keys() & anchors.keys()
            base = np.mean([anchors[seed] for seed in common]) if common else np.nan
            mean = results.mean(part, name, "known", figure_name)
            axis.plot([base, mean], [place, place], color=colour, lw=1.2)
            values = results.values(part, name, "known", figure_name)
            axis.plot(values, [place] * len(values), "o", ms=3.5, color=colour, alpha=0.8)
        axis.set_xlabel(title)
        axis.grid(axis="x", lw=0.3)
    level = results.told["baselines"]["known"]["mean map"]["delta1"]
    axes[0].axvline(level, color=INK, lw=0.8, ls="-.")
    axes[0].text(level, 0.1, " mean map", fontsize=6.5, color=INK, rotation=90, va="bottom")
    axes[0].set_yticks(places, labels, fontsize=7)
    figure.legend(
        *axes[1].get_legend_handles_labels(), fontsize=7, frameon=False, loc="lower right", ncol=2
    )
    figure.suptitle(
        "One thing changed (suspect → change): red from the report's settings, turned right; green "
        "from sound settings, turned wrong.\nA dot for each seed; a line from the anchor's mean "
        f"over the same seeds. {results.told_scale}; pairs of known places",
        fontsize=8,
    )
    return figure


def _fusions(results: Results) -> Any:
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), sharey=True)
    seen = ("known", "known/exposure", "known/noise", "known/shift", "known/jpeg", "known/all")
    colours = {"features": "#3b6ea5", "pictures": "#7a5195", "concat": "#ef8d22"}
    boxes = [(told, camera) for told in ("report", "sound") for camera in ("clean", "camera")]
    for axis, (told, camera) in zip(axes, boxes, strict=True):
        for shift, (fusion, colour) in zip((-0.2, 0, 0.2), colours.items(), strict=True):
            for place, which in enumerate(seen):
                values = results.values("task1", f"{fusion}, {told}, {camera}", which, "iou")
                axis.plot([place + shift] * len(values), values, "o", ms=3, color=colour)
            axis.plot([], [], "o", color=colour, label=fusion)
        axis.set_xticks(range(len(seen)), [s.rpartition("/")[2] for s in seen], rotation=50)
        axis.set_title(f"{told} settings,\ntrained on {camera} pairs", fontsize=8)
        axis.grid(axis="y", lw=0.3)
    axes[0].set_ylabel("IoU of the mask on pairs that\nwent through ... (known: nothing)")
    axes[0].legend(fontsize=7, frameon=False)
    figure.text(0.5, -0.2, results.told_scale, ha="center", fontsize=7, color=INK)
    return figure


def _costs(results: Results) -> Any:
    figure, axes = plt.subplots(2, 3, figsize=(9.6, 5.2), sharey="row")
    costs = results.told["costs"]["rows"]
    lines = [
        (part, name)
        for part in ("anchors", "others", "size")
        for name in results.names(part)
        if name in costs and name != "SeedNet, soundly" and "monocular" not in name
    ]
    for row, (figure_name, label) in enumerate(
        (("delta1", r"aligned $\delta$ < 1.25"), ("iou", "IoU of the mask"))
    ):
        for axis, (key, title) in zip(
            axes[row],
            (
                ("parameters", "parameters"),
                ("gflop", "GFLOP a pair"),
                ("ms", "ms a pair, one core"),
            ),
            strict=True,
        ):
            for number, (part, name) in enumerate(lines):
                values = results.values(part, name, "known", figure_name)
                if not values:
                    continue
                colour, marker = f"C{number % 10}", "os^D"[number // 10 % 4]
                axis.plot(
                    [costs[name][key]] * len(values), values, marker, ms=5, color=colour, label=name
                )
            axis.set_xscale("log")
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.grid(lw=0.3)
            if row:
                axis.set_xlabel(title)
        axes[row][0].set_ylabel(label)
    handles, labels = axes[0][0].get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    figure.legend(
        named.values(), named.keys(), fontsize=7, ncol=2, frameon=False, loc="upper center",
        bbox_to_anchor=(0.5, 0.02),
    )  # fmt: skip
    figure.suptitle(f"{results.told_scale}; known places", fontsize=8)
    return figure
