"""Every training of the study, by name: what the report did, and one thing changed at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from studies.seed.settings import EXACT, REPORT, SOUND, TEACHER, Settings


@dataclass(frozen=True)
class Row:
    """One training of an experiment.

    Args:
        part: the experiment that it belongs to.
        name: unique in its part; rows with the same settings are trained once.
        settings: of the training.
        keep: keep the weights, for pictures.
        seeds: at most so many, where one costs much.
    """

    part: str
    name: str
    settings: Settings
    keep: bool = False
    seeds: int = 99


@dataclass(frozen=True)
class Suspect:
    """One row of SEED.md's table of suspects.

    Args:
        number: in that table; 12 is one that it does not name.
        title: what is suspected.
        right: fields that turn it right in the report's settings, by name of the row.
        wrong: fields that turn it wrong in sound settings, by name of the row.
    """

    number: int
    title: str
    right: dict[str, dict[str, Any]]
    wrong: dict[str, dict[str, Any]]


SUSPECTS = (
    Suspect(
        2,
        "schedule: x 0.01 every 2 epochs",
        {
            "constant rate": {"schedule": "constant"},
            "cosine, SGD alone": {"schedule": "cosine"},
        },
        {"the report's schedule": {"schedule": "report"}},
    ),
    Suspect(
        3,
        "depth paired by chance",
        {"half at random": {"mispaired": 0.5}, "all at random": {"mispaired": 1.0}},
        {"half at random": {"mispaired": 0.5}, "all at random": {"mispaired": 1.0}},
    ),
    Suspect(
        4,
        "inputs at 1/58 of their contrast",
        {"ImageNet's scaling": {"scaling": "imagenet"}},
        {"the report's scaling": {"scaling": "report"}},
    ),
    Suspect(
        5,
        "one last convolution for both",
        {"one for each": {"shared_head": False}},
        {"one for both": {"shared_head": True}},
    ),
    Suspect(
        6,
        "BCE on a grey target",
        {"L1": {"loss": "l1"}},
        {"BCE": {"loss": "bce"}},
    ),
    Suspect(
        7,
        "colour jitter drawn apart",
        {"drawn once for both": {"jitter": "joint"}, "none": {"jitter": "none"}},
        {"drawn apart": {"jitter": "apart"}, "none": {"jitter": "none"}},
    ),
    Suspect(
        8,
        "depth from a monocular network",
        {"monocular (turned wrong)": {"teacher": "monocular"}},
        {"monocular": {"teacher": "monocular"}},
    ),
    Suspect(
        9,
        "SGD at 0.001 without warm-up",
        {"Adam, warm-up": {"optimiser": "adam"}},
        {"SGD at 0.001": {"optimiser": "sgd"}},
    ),
    Suspect(
        10,
        "the network",
        {"CompactNet, SGD x 15.6": {"network": "compact"}},
        {"CompactNet": {"network": "compact"}},
    ),
    Suspect(
        11,
        "mask head sees 9 x 9 pixels",
        {"mask from the U-Net": {"mask_from": "decoder"}},
        {"mask from the stem": {"mask_from": "stem"}},
    ),
    Suspect(
        12,
        "targets of low contrast (not in the table)",
        {"0 to 1": {"target": "full"}},
        {"0.19 to 0.51": {"target": "report"}},
    ),
)

TOGETHER = {
    "schedule + optimiser": {"schedule": "cosine", "optimiser": "adam"},
    "schedule + optimiser + scaling": {
        "schedule": "cosine",
        "optimiser": "adam",
        "scaling": "imagenet",
    },
}
"""Suspects turned right together, from the report's settings."""

REPORTED_STEPS = 2500
"""Of an epoch in the report: 40,000 pairs in batches of 16."""

RATES = {"x 15.6": 15.625, "x 4": 4.0, "x 1": 1.0}
"""Factor on SGD's .001, by row. Steps are as many as keep the report's product of rate and steps;
all draw from the same pairs."""

_SPENT = 2.25
"""Epochs of the report's schedule after which 99 % of rate x steps is spent, and BatchNorm's
averages have caught up with the weights: a training at another rate ends there."""


def at_rate(settings: Settings, factor: float) -> Settings:
    """Give a training of the report's schedule at another rate, with its rate x steps kept."""
    slower = 15.625 / factor
    return replace(settings, more=True, stretch=slower, sgd=1 / slower, stop=_SPENT)


LONGER = 3.0
"""Factor on the steps of an epoch in the longer trainings. SGD's rate falls to two thirds of its
usual one, so that rate x steps is twice the report's."""

TRIALS: dict[str, dict[str, Any]] = {
    "1: depth alone, RGB": {"task": "depth", "channels": 3},
    "2: mask and depth, RGB": {"channels": 3},
    "3a: depth alone, grey": {"task": "depth"},
    "3b: mask and depth, grey": {},
    "3c: with dropout 0.2": {"dropout": 0.2},
    "also: MSE": {"loss": "mse"},
    "also: SSIM": {"loss": "ssim"},
}

LOSSES = ("bce", "l1", "smooth-l1", "mse", "ssim", "l1-gradient", "l1-ssim-edges", "ssi")

OTHERS: dict[str, Settings] = {
    "SeedNet, soundly": SOUND,
    "CompactNet": replace(SOUND, network="compact"),
    "separate decoders, L1": replace(SOUND, mask_from="own"),
    "separate decoders, L1 + SSIM + edges, small to large": replace(
        SOUND, mask_from="own", loss="l1-ssim-edges", small_first=True
    ),
    "depth first, then the mask with a frozen encoder": replace(
        SOUND, mask_from="own", order="depth-first"
    ),
    "SeedNet, small to large": replace(SOUND, small_first=True),
    "SeedNet without the plate": replace(SOUND, blind=True),
}


def rows() -> Iterator[Row]:
    """Give all trainings, those that everything else leans on first."""
    yield Row("anchors", "the report's", REPORT, keep=True)
    yield Row("anchors", "sound", SOUND, keep=True)
    yield Row("anchors", "sound, the report's architecture", EXACT, keep=True)
    yield Row("others", "a single picture (the monocular teacher)", TEACHER, keep=True)
    yield from _task_1()
    for name, changes in TRIALS.items():
        yield Row("task2", name, _changed(REPORT, changes), keep=True)
    for name, factor in RATES.items():
        yield Row("rates", name, at_rate(REPORT, factor), keep=True)
    yield Row("rates", "x 1, CompactNet", at_rate(replace(REPORT, network="compact"), 1.0), seeds=2)
    longer = {"more": True, "stretch": LONGER}
    yield Row(
        "longer", "the report's", _changed(REPORT, {**longer, "sgd": 2 / LONGER, "stop": 4}), True
    )
    yield Row("longer", "sound", _changed(SOUND, longer), keep=True)
    for suspect in SUSPECTS:
        for base, side, changed in (
            (REPORT, "right", suspect.right),
            (SOUND, "wrong", suspect.wrong),
        ):
            for name, fields in changed.items():
                yield Row(f"suspect-{suspect.number}-{side}", name, _changed(base, fields))
    for name, fields in TOGETHER.items():
        yield Row("together", name, _changed(REPORT, fields), keep=True)
    for loss in LOSSES:
        yield Row("losses", loss, _changed(SOUND, {"loss": loss}))
    for name, settings in OTHERS.items():
        yield Row("others", name, settings, keep=True)
    for widen in (0.5, 2.0):
        yield Row("size", f"SeedNet x {widen:g}", replace(SOUND, widen=widen), seeds=1)
    # CompactNet has no scale of its own: it is small enough at full width.
    yield Row("size", "CompactNet x 0.5", replace(SOUND, network="compact", widen=0.5), seeds=1)
    for name, settings in (
        ("the report's", REPORT),
        ("SeedNet, soundly", SOUND),
        ("CompactNet", replace(SOUND, network="compact")),
    ):
        realistic = replace(settings, data="realistic")
        yield Row("realistic", name, realistic, keep=True, seeds=2)


def _changed(settings: Settings, fields: Mapping[str, Any]) -> Settings:
    return replace(settings, **fields)


def _task_1() -> Iterator[Row]:
    reported = replace(REPORT, task="mask", epochs=10)
    sound = replace(SOUND, task="mask", epochs=10, mask_from="stem")
    for base, told in ((reported, "report"), (sound, "sound")):
        for camera, seen in (("none", "clean"), ("all", "camera")):
            for fusion in ("features", "pictures", "concat"):
                changed = _changed(base, {"fusion": fusion, "camera": camera})
                yield Row("task1", f"{fusion}, {told}, {seen}", changed)
