"""What the study claims: changes between trainings, paired by seed, and how sure they are."""

from __future__ import annotations

import statistics
from typing import Literal

from cleanplate.markdown_table import markdown_table
from studies.seed.experiments import SUSPECTS, Suspect
from studies.seed.results import Results
from studies.seed.spread import Grade, grade, paired, seeds_told, told
from studies.seed.tables import DEPTH

PRINTED = (0.634, 0.635, 0.620, 0.640, 0.629, 0.637, 0.630, 0.634, 0.624)
"""Depth loss that the report's notebook printed, a batch of each epoch."""
PRINTED_FLOORS = {"constant": 0.655, "picture_mean": 0.640, "perfect": 0.632}
"""Cross-entropy that answers reach on the report's targets."""

_COLUMNS = (
    *((figure, "known", digits) for figure, digits in DEPTH),
    ("iou", "known", 3),
    ("iou", "known, batch statistics", 3),
    ("iou", "known/all", 3),
)


class Claims:
    """Changes and grades of some results."""

    def __init__(self, results: Results):
        self.results = results

    def change(
        self,
        part: str,
        name: str,
        base: tuple[str, str],
        figure: str,
        which: str = "known",
        *,
        digits: int = 3,
    ) -> str:
        """Write the change from a base, seed by seed: mean, least and largest."""
        changes = self._changes(part, name, base, figure, which)
        if not changes:
            return "diverged" if self.results.diverged(part, name) else "–"
        return told(list(changes.values()), digits, sign=True)

    def grade(
        self, part: str, name: str, base: tuple[str, str], figure: str, which: str = "known"
    ) -> Grade:
        """Say how sure the change of a figure is; see `spread.grade`."""
        changes = self._changes(part, name, base, figure, which)
        return grade(changes, self.results.by_seed(*base, which, figure))

    def claim(
        self, part: str, name: str, base: tuple[str, str], figure: str, direction: Literal[1, -1]
    ) -> str:
        """Grade the claim that a change goes up (1) or down (-1)."""
        changes = self._changes(part, name, base, figure, "known")
        sure = self.grade(part, name, base, figure)
        if sure == "open" or statistics.fmean(changes.values()) * direction > 0:
            return sure
        return f"the opposite is {sure}"

    def can_learn(self) -> Grade:
        """Grade the claim that the report's settings can learn depth, within 2 x its rate x steps.

        One seed that does makes it likely, two make it shown.
        """
        level = self.results.told["baselines"]["known"]["mean map"]["delta1"] + 0.05
        rows = [("anchors", "the report's"), ("longer", "the report's")]
        rows += [("rates", name) for name in self.results.names("rates") if "Compact" not in name]
        found = 0
        for part, name in rows:
            stored = self.results.told["rows"].get(part, {}).get(name, {}).get("settings", {})
            if stored.get("more") and "stretch" not in stored:
                continue  # of earlier results, at 8 times the report's rate x steps
            found += sum(d > level for d in self.results.values(part, name, "known", "delta1"))
        return "shown" if found > 1 else "likely" if found else "open"

    def _changes(
        self, part: str, name: str, base: tuple[str, str], figure: str, which: str
    ) -> dict[int, float]:
        own = self.results.by_seed(part, name, which, figure)
        return paired(own, self.results.by_seed(*base, which, figure))

    def suspects(self, side: str) -> str:
        """Show one change each: "right" from the report's settings, "wrong" from sound ones."""
        base = ("anchors", "the report's" if side == "right" else "sound")
        head = ["#", "suspect", "changed to", "seeds", "delta < 1.25", "AbsRel", "ordinal"]
        head += ["mask IoU", "IoU, batch statistics", "IoU, camera"]
        lines = self._floors()
        rows = [
            (str(suspect.number), suspect.title, f"suspect-{suspect.number}-{side}", name)
            for suspect in SUSPECTS
            for name in (suspect.right if side == "right" else suspect.wrong)
        ]
        if side == "right":
            rows += [("", "together", "together", n) for n in self.results.names("together")]
        rows = [row for row in rows if self.results.has(row[2], row[3])]
        used = {self._seeds(part, name, base) for _, _, part, name in rows}
        for seeds in sorted(used - {()}, key=len, reverse=True):
            lines.append(
                ["", "**none**", f"*{base[1]}*", seeds_told(seeds), *self._own(base, seeds)]
            )
        for mark, title, part, name in rows:
            cells = [self.change(part, name, base, f, w, digits=d) for f, w, d in _COLUMNS]
            shown = seeds_told(self._seeds(part, name, base))
            lines.append([mark, title, name, shown, *cells])
        if side == "right" and self.results.has("rates", "x 1, CompactNet"):
            slow = ("rates", "x 1")
            cells = [
                self.change("rates", "x 1, CompactNet", slow, f, w, digits=d)
                for f, w, d in _COLUMNS
            ]
            shown = seeds_told(self._seeds("rates", "x 1, CompactNet", slow))
            title = "the network, SGD at .001 (against SeedNet at .001)"
            lines.append(["10", title, "CompactNet", shown, *cells])
        return markdown_table(head, lines)

    def _floors(self) -> list[list[str]]:
        known = self.results.told["baselines"]["known"]
        return [
            ["", "", f"*{title}*", "none", *(f"{known[name][f]:.{d}f}" for f, d in DEPTH), *"–––"]
            for name, title in (
                ("one constant", "one constant, or each picture's mean"),
                ("mean map", "mean map"),
            )
        ]

    def _seeds(self, part: str, name: str, base: tuple[str, str]) -> tuple[int, ...]:
        own = {one["seed"] for one in self.results.runs(part, name)}
        return tuple(sorted(own & {one["seed"] for one in self.results.runs(*base)}))

    def _own(self, base: tuple[str, str], seeds: tuple[int, ...]) -> list[str]:
        """Write an anchor's own figures over the seeds that rows below are paired with."""
        cells = []
        for figure, which, digits in _COLUMNS:
            values = self.results.by_seed(*base, which, figure)
            cells.append(told([values[s] for s in seeds if s in values], digits))
        return cells

    def verdicts(self) -> str:
        """Show each suspect's effect both ways with its grade, beside what was expected."""
        head = ["#", "suspect", "turned wrong in sound settings", "turned right in the report's"]
        lines = []
        for suspect in SUSPECTS:
            wrong = [self._effect(suspect, "wrong", name) for name in suspect.wrong]
            right = [self._effect(suspect, "right", name) for name in suspect.right]
            lines.append(
                [str(suspect.number), suspect.title, "<br>".join(wrong), "<br>".join(right)]
            )
        return markdown_table(head, lines)

    def _effect(self, suspect: Suspect, side: str, name: str) -> str:
        part = f"suspect-{suspect.number}-{side}"
        if not self.results.has(part, name):
            return f"{name}: not run"
        base = ("anchors", "sound" if side == "wrong" else "the report's")
        told_ = []
        for figure, title in (("delta1", "δ"), ("iou", "IoU")):
            change = self.change(part, name, base, figure)
            sure = "" if change == "diverged" else f", {self.grade(part, name, base, figure)}"
            told_.append(f"{title} {change}{sure}")
        return f"{name}: " + "; ".join(told_)

    def learned_by(self, part: str, name: str) -> str:
        """Count seeds whose delta exceeds the mean map's by .05, and whose IoU exceeds .3."""
        level = self.results.told["baselines"]["known"]["mean map"]["delta1"] + 0.05
        depth = self.results.values(part, name, "known", "delta1")
        mask = self.results.values(part, name, "known", "iou")
        return (
            f"depth in {sum(d > level for d in depth)} of {len(depth)} seeds, "
            f"a mask in {sum(m > 0.3 for m in mask)} of {len(mask)}"
        )

    @staticmethod
    def printed() -> dict[str, float]:
        """Give mean and standard error of the losses that the report printed."""
        spread = statistics.stdev(PRINTED)
        return {
            "mean": statistics.fmean(PRINTED),
            "error": spread / len(PRINTED) ** 0.5,
            "spread": spread,
            **PRINTED_FLOORS,
        }
