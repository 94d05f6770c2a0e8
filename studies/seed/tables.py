"""The study's results as Markdown tables: every number of the page comes from here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cleanplate.markdown_table import markdown_table
from studies.seed.experiments import REPORTED_STEPS
from studies.seed.results import Results
from studies.seed.settings import REPORT
from studies.seed.spread import number, percent, seeds_told, told

DEPTH = (("delta1", 3), ("abs_rel", 2), ("ordinal", 3))
_STRESS = ("known/exposure", "known/noise", "known/shift", "known/jpeg", "known/all")
_BATCH = "known, batch statistics"


class Tables:
    """What the page shows of some results."""

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
        """Write the mean over seeds with its ends; a dash where there is none."""
        return told([factor * v for v in self.results.values(part, name, which, figure)], digits)

    def has(self, part: str, name: str = "") -> bool:
        """Tell whether a part, or a row of it, has runs."""
        return self.results.has(part, name) if name else bool(self.results.names(part))

    def count(self, part: str, name: str) -> str:
        """Name a row's seeds."""
        return seeds_told(one["seed"] for one in self.results.runs(part, name))

    def floor_lines(
        self, columns: Sequence[tuple[str, str, int] | None], lead: int, n: bool = True
    ) -> list[list[str]]:
        """Give the rows of answers without learning, to stand on top of a table of depth.

        Args:
            columns: figure, set and digits of each column; None for one that they lack.
            lead: columns before those, the first of them for the name.
            n: whether the last of these says how many seeds there are.
        """
        lines = []
        for name in ("one constant", "mean map"):
            cells = []
            for column in columns:
                one = None
                if column is not None:
                    figure, which, digits = column
                    found = self.results.told["baselines"].get(which, {}).get(name, {})
                    one = found.get(figure)
                    cells.append("–" if one is None else f"{one:.{digits}f}")
                else:
                    cells.append("–")
            shown = {"one constant": "*one constant, or each picture's mean*"}.get(
                name, f"*{name}*"
            )
            lines.append([shown, *[""] * (lead - 1 - n), *(["none"] if n else []), *cells])
        return lines

    def task_1(self) -> str:
        """Fusion by settings and by what the training pairs went through."""
        head = ["settings", "training pairs", "fusion", "seeds", "loss, last epoch", "IoU"]
        head += ["IoU, batch statistics", "MAD x 1000"]
        head += [which.partition("/")[2] for which in _STRESS] + ["new places"]
        lines = []
        for name in self.results.names("task1"):
            fusion, settings, camera = name.split(", ")
            last = [one["course"]["mask"][-1] for one in self.results.runs("task1", name)]
            lines.append(
                [
                    settings,
                    camera,
                    {"concat": "concatenate"}.get(fusion, f"subtract {fusion}"),
                    self.count("task1", name),
                    told(last, 4),
                    self.value("task1", name, "iou"),
                    self.value("task1", name, "iou", _BATCH),
                    self.value("task1", name, "mad", digits=1, factor=1000),
                    *(self.value("task1", name, "iou", which, digits=2) for which in _STRESS),
                    self.value("task1", name, "iou", "new"),
                ]
            )
        return markdown_table(head, lines)

    def task_2(self) -> str:
        """Show the report's trials: what was printed, what was drawn, what was there."""
        white = self.results.told["drawing"]
        columns = [("contrast", "known", 2), ("correlation", "known", 2), ("ordinal", "known", 3)]
        columns += [("delta1", "known", 3), ("abs_rel", "known", 2)]
        head = ["trial", "depth loss, epochs 1, 2, 3, last", "drawn white", "seeds", "contrast"]
        head += ["correlation", "ordinal", "delta < 1.25", "AbsRel", "mask IoU"]
        lines = [[*line, "–"] for line in self.floor_lines(columns, 4)]
        floors = self.results.told["floors"]["report"]
        lines[0][1], lines[1][1] = (f"{floors[k]:.4f}" for k in ("constant", "mean_map"))
        rows = [("anchors", "the report's")]
        rows += [("task2", name) for name in self.results.names("task2")]
        for part, name in rows:
            course = self.results.course(part, name, "depth")
            shown = [course[i] for i in (0, 1, 2, -1)] if len(course) > 2 else course
            lines.append(
                [
                    "mask and depth (the report's settings)" if part == "anchors" else name,
                    ", ".join(f"{loss:.4f}" for loss in shown),
                    percent(white.get(name)),
                    self.count(part, name),
                    *(self.value(part, name, f, w, digits=d) for f, w, d in columns),
                    self.value(part, name, "iou"),
                ]
            )
        return markdown_table(head, lines)

    def anchors(self) -> str:
        """Show the anchors, other rates and longer trainings, each with its steps and rate."""
        columns = [("correlation", "known", 2), ("ordinal", "known", 3), ("delta1", "known", 3)]
        columns += [("abs_rel", "known", 2)]
        head = ["settings", "steps", "rate x steps / report's", "drawn white", "seeds"]
        head += ["correlation", "ordinal", "delta < 1.25", "AbsRel", "mask IoU"]
        head += ["IoU, batch statistics", "delta, new places", "IoU, new places"]
        last = [("delta1", "new", 3), None]
        lines = [
            [*line[:9], "–", "–", *line[9:]] for line in self.floor_lines([*columns, *last], 5)
        ]
        white = self.results.told["drawing"]
        for part in ("anchors", "rates", "longer"):
            for name in self.results.names(part):
                stored = self.results.told["rows"][part][name]["settings"]
                shown = {"rates": f"the report's, SGD .001 {name}", "longer": f"{name}, longer"}
                key = name if part == "anchors" else f"{name}, {part}"
                drawn = white.get(key)
                lines.append(
                    [
                        shown.get(part, name),
                        f"{self.steps(stored):,}",
                        self._spent(stored),
                        percent(drawn) if stored["target"] == "report" else "not so drawn",
                        self.count(part, name),
                        *(self.value(part, name, f, w, digits=d) for f, w, d in columns),
                        self.value(part, name, "iou"),
                        self.value(part, name, "iou", _BATCH),
                        self.value(part, name, "delta1", "new"),
                        self.value(part, name, "iou", "new"),
                    ]
                )
        return markdown_table(head, lines)

    def steps(self, stored: dict[str, Any] | None = None) -> int:
        """Count the steps of a training from its stored settings; by default the report's."""
        scale = self.results.scale
        stored = stored or {}
        epochs = scale.epochs or stored.get("epochs", REPORT.epochs)
        of_epoch = scale.steps * stored.get("stretch", scale.more if stored.get("more") else 1)
        count: int = round(min(epochs, stored.get("stop") or epochs) * round(of_epoch))
        return count

    def _spent(self, stored: dict[str, Any]) -> str:
        """Rate x steps of an SGD training of the report's schedule, against the report's own."""
        if stored["optimiser"] != "sgd" or stored["schedule"] != "report":
            return "another schedule"
        scale = self.results.scale
        stretch = stored.get("stretch", scale.more if stored.get("more") else 1)
        share = scale.steps * stretch * scale.sgd * stored.get("sgd", 1.0) / REPORTED_STEPS
        return f"{share:.2g}"

    def seed_by_seed(self) -> str:
        """Show mask and depth of each seed of the trainings with the report's settings."""
        head = ["settings", "seed", "mask loss, last epoch", "IoU", "IoU, batch statistics"]
        head += ["IoU on training pairs", "the same, batch statistics", "delta < 1.25", "AbsRel"]
        lines = []
        for part in ("anchors", "rates", "longer"):
            for name in self.results.names(part):
                if self.results.told["rows"][part][name]["settings"]["target"] != "report":
                    continue
                for one in self.results.runs(part, name):
                    if one["course"].get("diverged"):
                        continue
                    found = one["figures"]
                    which = ("known", _BATCH, "train", "train, batch statistics")
                    lines.append(
                        [
                            f"{name} ({part})",
                            str(one["seed"]),
                            f"{one['course']['mask'][-1]:.4f}",
                            *(number(found.get(w, {}).get("iou"), 3) for w in which),
                            number(found["known"].get("delta1"), 3),
                            number(found["known"].get("abs_rel"), 2),
                        ]
                    )
        return markdown_table(head, lines)

    def floors(self) -> str:
        """Cross-entropy without learning, for each kind of target."""
        stored = self.results.told
        kinds = {
            "ours, spread as the report's": stored["floors"]["report"],
            "ours, near is 1, far is 0": stored["floors"]["full"],
        }
        if "students_floors" in stored:
            kinds["ten tuples of student data"] = stored["students_floors"]
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

    def comparison(self, parts: Iterable[str]) -> str:
        """Networks side by side: cost, depth, mask, on known and on new places."""
        costs = self.results.told["costs"]["rows"]
        columns: list[tuple[str, str, int]] = [(f, "known", d) for f, d in DEPTH]
        head = ["network", "parameters", "GFLOP", "ms", "seeds", "delta < 1.25", "AbsRel"]
        head += ["ordinal", "mask IoU", "IoU, camera", "delta, new places", "IoU, new places"]
        last = [None, None, ("delta1", "new", 3), None]
        lines = self.floor_lines([*columns, *last], 5)
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
                        self.count(part, name),
                        *(self.value(part, name, f, w, digits=d) for f, w, d in columns),
                        self.value(part, name, "iou"),
                        self.value(part, name, "iou", "known/all"),
                        self.value(part, name, "delta1", "new"),
                        self.value(part, name, "iou", "new"),
                    ]
                )
        return markdown_table(head, lines)

    def losses(self) -> str:
        """Depth losses in sound settings."""
        columns = [(f, "known", d) for f, d in DEPTH]
        columns += [("correlation", "known", 3), ("subject_delta1", "known", 3)]
        head = ["loss", "seeds", "delta < 1.25", "AbsRel", "ordinal", "correlation"]
        head += ["subject's delta", "delta, new places", "mask IoU"]
        columns += [("delta1", "new", 3)]
        lines = [[*line, "–"] for line in self.floor_lines(columns, 2)]
        for name in self.results.names("losses"):
            cells = [self.value("losses", name, f, w, digits=d) for f, w, d in columns]
            lines.append(
                [name, self.count("losses", name), *cells, self.value("losses", name, "iou")]
            )
        return markdown_table(head, lines)

    def full_scenes(self) -> str:
        """Networks on rendered pairs of places that no training saw."""
        columns = [(f, "pairs/clean", d) for f, d in DEPTH]
        head = ["network", "trained on", "seeds", "delta < 1.25", "AbsRel", "ordinal", "mask IoU"]
        head += ["MAD x 1000", "mask IoU, camera"]
        lines = [[*line, "–", "–", "–"] for line in self.floor_lines(columns, 3)]
        for part, name, data in (
            ("anchors", "the report's", "assignment"),
            ("anchors", "sound", "assignment"),
            ("others", "CompactNet", "assignment"),
            ("realistic", "the report's", "realistic"),
            ("realistic", "SeedNet, soundly", "realistic"),
            ("realistic", "CompactNet", "realistic"),
        ):
            shown = {"sound": "SeedNet, soundly", "the report's": "SeedNet, the report's settings"}
            lines.append(
                [
                    shown.get(name, name),
                    data,
                    self.count(part, name),
                    *(self.value(part, name, f, w, digits=d) for f, w, d in columns),
                    self.value(part, name, "iou", "pairs/clean"),
                    self.value(part, name, "mad", "pairs/clean", digits=1, factor=1000),
                    self.value(part, name, "iou", "pairs/camera"),
                ]
            )
        return markdown_table(head, lines)

    def students(self) -> str:
        """Show what our networks say of original student data (first seed of each)."""
        head = [
            "training (first seed)",
            "mask IoU",
            "depth: correlation with theirs",
            "drawn white",
        ]
        return markdown_table(
            head,
            (
                [
                    name,
                    number(one.get("iou"), 3),
                    number(one.get("correlation"), 2),
                    percent(one.get("white")),
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


def _list(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4f}" for value in values)
