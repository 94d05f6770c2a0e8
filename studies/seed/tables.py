"""Numbers and tables of the study's paper, as Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from cleanplate.markdown_table import markdown_table
from studies.seed.experiments import SUSPECTS
from studies.seed.results import Results
from studies.seed.settings import REPORT

_DEPTH = (("delta1", 3), ("abs_rel", 2), ("ordinal", 3))
_STRESS = ("known/exposure", "known/noise", "known/shift", "known/jpeg", "known/all")


class Tables:
    """What the paper says of some results."""

    def __init__(self, results: Results):
        self.results = results

    def value(
        self,
        part: str,
        name: str,
        figure: str,
        which: str = "known",
        *,
        digits: int = 3,
        factor: float = 1.0,
    ) -> str:
        """Write a mean over seeds with its standard deviation; a dash where there is none."""
        values = [factor * v for v in self.results.values(part, name, which, figure)]
        return _told(values, digits)

    def task_1(self) -> str:
        """Fusion by settings and by what the training pairs went through."""
        head = ["settings", "training pairs", "fusion", "loss, last epoch", "IoU", "MAD x 1000"]
        head += [which.partition("/")[2] for which in _STRESS] + ["new places"]
        lines = []
        for name in self.results.names("task1"):
            fusion, settings, camera = name.split(", ")
            last = [
                one["course"]["mask"][-1]
                for one in self.results.told["rows"]["task1"][name]["runs"]
            ]
            lines.append(
                [
                    settings,
                    camera,
                    {"concat": "concatenate"}.get(fusion, f"subtract {fusion}"),
                    _told(last, 4),
                    self.value("task1", name, "iou"),
                    self.value("task1", name, "mad", digits=1, factor=1000),
                    *(self.value("task1", name, "iou", which, digits=2) for which in _STRESS),
                    self.value("task1", name, "iou", "new"),
                ]
            )
        return markdown_table(head, lines)

    def task_2(self) -> str:
        """Show the report's trials: what was printed, what was drawn, what was there."""
        white = self.results.told["drawing"]
        head = ["trial", "depth loss, epochs 1, 2, 3, last", "drawn white", "contrast"]
        head += ["correlation", "ordinal", "delta < 1.25", "mask IoU"]
        lines = []
        for name, one in self.results.told["baselines"]["known"].items():
            cells = [f"{one[figure]:.2f}" for figure in ("contrast", "correlation")]
            cells += [f"{one[figure]:.3f}" for figure in ("ordinal", "delta1")]
            floor = self.results.told["floors"]["report"][
                name.split()[-1] if name != "mean map" else "mean_map"
            ]
            lines.append([f"*{name}*", f"{floor:.4f}", "", *cells, "–"])
        for part, name in [
            ("anchors", "the report's"),
            *(("task2", n) for n in self.results.names("task2")),
        ]:
            course = self.results.course(part, name, "depth")
            shown = [course[i] for i in (0, 1, 2, -1)] if len(course) > 2 else course
            lines.append(
                [
                    "mask and depth (the report's settings)" if part == "anchors" else name,
                    ", ".join(f"{loss:.4f}" for loss in shown),
                    _percent(white.get(name)),
                    self.value(part, name, "contrast", digits=2),
                    self.value(part, name, "correlation", digits=2),
                    self.value(part, name, "ordinal"),
                    self.value(part, name, "delta1"),
                    self.value(part, name, "iou"),
                ]
            )
        return markdown_table(head, lines)

    def steps(self, *, longer: bool = False) -> int:
        """Count the steps of a training with both tasks."""
        scale = self.results.scale
        pairs = scale.pairs * (scale.more if longer else 1)
        return (scale.epochs or REPORT.epochs) * (pairs // scale.batch)

    def after(self, name: str, figure: str, epoch: int) -> str:
        """Write a figure of the first longer training after an epoch, the first being 1."""
        seen = self.results.told["rows"]["longer"][name]["runs"][0]["course"]["seen"]
        return f"{seen[min(epoch, len(seen)) - 1][figure]:.3f}"

    def one(self, name: str, figure: str, seed: int, which: str = "known", digits: int = 3) -> str:
        """Write a figure of one longer training."""
        values = self.results.values("longer", name, which, figure)
        return f"{values[seed]:.{digits}f}" if seed < len(values) else "–"

    def longer(self) -> str:
        """Compare the two anchors with each of their trainings on more pairs."""
        white = self.results.told["drawing"]
        figures = (
            ("contrast", "known", 2),
            ("correlation", "known", 2),
            ("ordinal", "known", 3),
            ("delta1", "known", 3),
            ("iou", "known", 3),
            ("iou", "known/all", 3),
            ("delta1", "new", 3),
            ("iou", "new", 3),
        )
        head = ["settings", "training pairs", "drawn white", "contrast", "correlation", "ordinal"]
        head += ["delta < 1.25", "mask IoU", "IoU, camera", "delta, new places", "IoU, new places"]
        pairs = self.results.scale.pairs
        lines = []
        for name in ("the report's", "sound"):
            values = (self.value("anchors", name, f, w, digits=d) for f, w, d in figures)
            lines.append([name, f"{pairs:,}", _percent(white.get(name)), *values])
            for seed in range(self.results.seeds("longer", name)):
                drawn = white.get(f"{name}, longer") if seed == 0 else None
                told = (self.one(name, f, seed, w, d) for f, w, d in figures)
                count = f"{pairs * self.results.scale.more:,}"
                lines.append([f"{name}, seed {seed}", count, _percent(drawn), *told])
        return markdown_table(head, lines)

    def floors(self) -> str:
        """Cross-entropy without learning, for each kind of target."""
        told = self.results.told
        kinds = {
            "ours, spread as the report's": told["floors"]["report"],
            "ours, near is 1, far is 0": told["floors"]["full"],
        }
        if "students_floors" in told:
            kinds["ten tuples of student data"] = told["students_floors"]
        head = ["targets", "1 % to 99 %", "one constant", "mean map", "each picture's mean"]
        head += ["perfect", "all there is to learn"]
        return markdown_table(
            head,
            (
                [
                    name,
                    f"{one['low']:.2f} to {one['high']:.2f}",
                    *(f"{one[k]:.4f}" for k in ("constant", "mean_map", "picture_mean", "perfect")),
                    f"{one['constant'] - one['perfect']:.4f}",
                ]
                for name, one in kinds.items()
            ),
        )

    def suspects(self, side: str) -> str:
        """Show one change each: "right" from the report's settings, "wrong" from sound ones."""
        base = "the report's" if side == "right" else "sound"
        head = ["#", "suspect", "changed to", "delta < 1.25", "AbsRel", "ordinal", "mask IoU"]
        head += ["IoU, camera"]
        lines = [["", "**none**", f"*{base} settings*", *self._absolute("anchors", base)]]
        for suspect in SUSPECTS:
            for name in suspect.right if side == "right" else suspect.wrong:
                part = f"suspect-{suspect.number}-{side}"
                lines.append(
                    [str(suspect.number), suspect.title, name, *self._changes(part, name, base)]
                )
        if side == "right":
            for name in self.results.names("together"):
                lines.append(["", "together", name, *self._changes("together", name, base)])
        return markdown_table(head, lines)

    def _absolute(self, part: str, name: str) -> list[str]:
        depth = [self.value(part, name, figure, digits=digits) for figure, digits in _DEPTH]
        masks = [self.value(part, name, "iou"), self.value(part, name, "iou", "known/all")]
        return depth + masks

    def _changes(self, part: str, name: str, base: str) -> list[str]:
        return [
            self._change(part, name, base, figure, which=which, digits=digits)
            for figure, which, digits in (
                *((figure, "known", digits) for figure, digits in _DEPTH),
                ("iou", "known", 3),
                ("iou", "known/all", 3),
            )
        ]

    def _change(
        self, part: str, name: str, base: str, figure: str, *, which: str, digits: int
    ) -> str:
        """Write the mean change, seed by seed, and bold what exceeds the spread twice."""
        own = self.results.values(part, name, which, figure)
        theirs = self.results.values("anchors", base, which, figure)
        changes = [a - b for a, b in zip(own, theirs, strict=False)]
        if not changes:
            return "diverged" if self.results.diverged(part, name) else "–"
        mean = statistics.fmean(changes)
        text = f"{mean:+.{digits}f}"
        if len(changes) < 2:
            return text
        spread = statistics.stdev(changes)
        text += f" ± {spread:.{digits}f}"
        return f"**{text}**" if abs(mean) > 2 * spread else text

    def change(self, part: str, name: str, base: str, figure: str, which: str = "known") -> str:
        """Write the mean change against an anchor, as in the tables."""
        return self._change(part, name, base, figure, which=which, digits=3).replace("**", "")

    def collapsed(self, part: str, name: str) -> str:
        """Say in how many runs the mask never came."""
        values = self.results.values(part, name, "known", "iou")
        return f"{sum(value < 0.05 for value in values)} of {len(values)}"

    def gain(self, part: str, name: str, base: str, figure: str) -> str:
        """Write a mean change without its sign."""
        return self.change(part, name, base, figure).lstrip("+-")

    def comparison(self, parts: Iterable[str]) -> str:
        """Networks side by side: cost, depth, mask, on known and on new places."""
        costs = self.results.told["costs"]["rows"]
        head = ["network", "parameters", "GFLOP", "ms", "delta < 1.25", "AbsRel", "ordinal"]
        head += ["mask IoU", "IoU, camera", "delta, new places", "IoU, new places"]
        lines = []
        for part in parts:
            for name in self.results.names(part):
                if part == "others" and name == "SeedNet, soundly":
                    continue  # the anchor
                cost = costs[name]
                lines.append(
                    [
                        {"sound": "SeedNet, soundly"}.get(name, name),
                        f"{cost['parameters'] / 1e6:.2f} M",
                        f"{cost['gflop']:.3f}",
                        f"{cost['ms']:.1f}",
                        *self._absolute(part, name),
                        self.value(part, name, "delta1", "new"),
                        self.value(part, name, "iou", "new"),
                    ]
                )
        return markdown_table(head, lines)

    def losses(self) -> str:
        """Depth losses in sound settings."""
        head = ["loss", "delta < 1.25", "AbsRel", "ordinal", "correlation", "subject's delta"]
        head += ["mask IoU", "delta, new places"]
        return markdown_table(
            head,
            (
                [
                    name,
                    *(self.value("losses", name, figure, digits=d) for figure, d in _DEPTH),
                    self.value("losses", name, "correlation"),
                    self.value("losses", name, "subject_delta1"),
                    self.value("losses", name, "iou"),
                    self.value("losses", name, "delta1", "new"),
                ]
                for name in self.results.names("losses")
            ),
        )

    def full_scenes(self) -> str:
        """Networks on rendered pairs of places that no training saw."""
        head = ["trained on", "network", "delta < 1.25", "AbsRel", "ordinal", "mask IoU"]
        head += ["MAD x 1000", "mask IoU, camera"]
        lines = []
        for part, name, data in (
            ("anchors", "the report's", "assignment"),
            ("anchors", "sound", "assignment"),
            ("others", "CompactNet", "assignment"),
            ("realistic", "the report's", "realistic"),
            ("realistic", "SeedNet, soundly", "realistic"),
            ("realistic", "CompactNet", "realistic"),
        ):
            lines.append(
                [
                    data,
                    {"sound": "SeedNet, soundly", "the report's": "SeedNet, the report's way"}.get(
                        name, name
                    ),
                    *(self.value(part, name, f, "pairs/clean", digits=d) for f, d in _DEPTH),
                    self.value(part, name, "iou", "pairs/clean"),
                    self.value(part, name, "mad", "pairs/clean", digits=1, factor=1000),
                    self.value(part, name, "iou", "pairs/camera"),
                ]
            )
        return markdown_table(head, lines)

    def students(self) -> str:
        """Show what our networks say of original student data."""
        head = ["training", "mask IoU", "depth: correlation with theirs", "drawn white"]
        return markdown_table(
            head,
            (
                [
                    name,
                    _number(one.get("iou"), 3),
                    _number(one.get("correlation"), 2),
                    _percent(one.get("white")),
                ]
                for name, one in self.results.told.get("students", {}).items()
            ),
        )

    def data(self) -> str:
        """Means and spreads of the training pictures, as the report gives its own."""
        head = ["pictures", "mean", "std of pixels", "std of picture means"]
        return markdown_table(
            head,
            (
                [name, *(_list(one[k]) for k in ("mean", "std", "std_of_picture_means"))]
                for name, one in self.results.told["data"].items()
            ),
        )


def _told(values: Sequence[float], digits: int) -> str:
    if not values:
        return "–"
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _list(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4f}" for value in values)
