"""Statistics of predictions, targets and inputs, gathered batch by batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cleanplate.diagnosis.array_input import (
    Maps,
    as_channels,
    as_maps,
    filled,
    grid_of,
    shrunk,
    sigmoid,
)
from cleanplate.diagnosis.diagnosis_report import DiagnosisReport, Example
from cleanplate.diagnosis.drawing import drawn_share, logit
from cleanplate.diagnosis.findings import find
from cleanplate.diagnosis.input_totals import InputTotals
from cleanplate.diagnosis.learning_rate import TrainingLog, spent_after
from cleanplate.diagnosis.loss_floors import FloorTotals
from cleanplate.diagnosis.measures import Measures
from cleanplate.diagnosis.permutation import (
    common_share,
    correlations,
    edges,
    match,
    mean_row,
    normal,
    spread_ratios,
)
from cleanplate.errors import CleanplateError

Kind = Literal["logits", "map"]
DrawingCode = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]

_EXAMPLES = 6


class Diagnosis:
    """Gather predictions, targets and inputs; then say what is wrong.

    Losses, ranges and spreads count every pixel. What compares pictures with each other (mean map,
    permuted pairs, brightness) uses a random sample of `keep` pictures, shrunk to `grid` cells at
    most, so memory is bounded: 12 MB for 256 pictures of three kinds.

    Args:
        kind: what predictions are. "logits": a sigmoid makes the map, the loss is cross-entropy
            where targets lie in [0, 1]. "map": as they are, the loss is the squared error.
        drawing: how the map is drawn, to see whether a perfect answer would survive it: a
            `Drawing`, or your own function from predictions (as `kind` says) to a picture in
            [0, 1]; None = not looked at.
        keep: pictures in the sample.
        grid: cells of the longer side that are kept of a picture.
        seed: of the sample and of the permutations.
    """

    def __init__(
        self,
        kind: Kind = "map",
        *,
        drawing: DrawingCode | None = None,
        keep: int = 256,
        grid: int = 64,
        seed: int = 0,
    ):
        self.kind, self.drawing, self.keep, self.seed = kind, drawing, keep, seed
        self.pictures = 0
        self._longest = grid
        self._grid: tuple[int, int] | None = None
        self._rng = np.random.default_rng([seed, 0xD1A6])
        self._floors: FloorTotals | None = None
        self._ratios: list[float] = []
        self._bad = 0
        self._loss = self._loss_pixels = 0.0
        self._kept: dict[str, list[Maps]] = {"prediction": [], "target": [], "input": []}
        self._order: list[int] = []
        self._input = InputTotals()

    def update(
        self, predictions: Any, targets: Any, inputs: Any = None, *, valid: Any = None
    ) -> None:
        """Add a batch.

        Args:
            predictions: (N, H, W) or (N, C, H, W): what the network gave.
            targets: of the same size; NaN is unknown. Of three channels the mean is taken.
            inputs: (N, C, H, W) or (N, H, W, C): exactly what the network was fed, after all
                scaling; None = checks of the input are left out.
            valid: of the targets' shape, True or above 0 where the target is known.

        Raises:
            CleanplateError: if shapes do not fit together.
        """
        raw, target = as_maps(predictions, "predictions"), as_maps(targets, "targets")
        if raw.shape != target.shape:
            raise CleanplateError(
                f"predictions are {raw.shape} and targets {target.shape} (N, H, W)",
                cure="Resize the targets to the network's output before you compare.",
            )
        if valid is not None:
            target = np.where(as_maps(valid, "valid") > 0, target, np.float32(np.nan))
        shown = None if inputs is None else as_channels(inputs, "inputs")
        if shown is not None and len(shown) != len(target):
            raise CleanplateError(f"{len(shown)} inputs for {len(target)} targets")
        if self._grid is None:
            self._grid = grid_of(target.shape[1:], self._longest)
            self._floors = FloorTotals(self._grid)
        assert self._floors is not None
        self._bad += int((~np.isfinite(raw)).sum())
        prediction = sigmoid(raw) if self.kind == "logits" else raw
        self._floors.update(target)
        self._add_loss(raw, prediction, target)
        self._ratios += spread_ratios(prediction, target)
        brightness = None
        if shown is not None:
            self._input.update(shown)
            brightness = np.asarray(shown.mean(1, dtype=np.float32))
        self._sample(prediction, target, brightness)
        self.pictures += len(target)

    def _add_loss(self, raw: Maps, prediction: Maps, target: Maps) -> None:
        known = np.isfinite(target) & np.isfinite(raw)
        t, z = target[known].astype(np.float64), raw[known].astype(np.float64)
        if self.kind == "logits":
            # max(z, 0) - z t + ln(1 + e^-|z|): cross-entropy from logits, without overflow.
            loss = np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))
        else:
            loss = np.square(prediction[known].astype(np.float64) - t)
        self._loss += float(loss.sum())
        self._loss_pixels += float(known.sum())

    def _sample(self, prediction: Maps, target: Maps, brightness: Maps | None) -> None:
        """Keep a uniform sample of all pictures so far (Vitter 1985, algorithm R)."""
        assert self._grid is not None
        small = {
            "prediction": shrunk(prediction, self._grid),
            "target": shrunk(target, self._grid),
        }
        if brightness is not None:
            small["input"] = shrunk(brightness, self._grid)
        for row in range(len(target)):
            number = self.pictures + row
            if number < self.keep:
                self._order.append(number)
                for name, maps in small.items():
                    self._kept[name].append(maps[row])
                continue
            place = int(self._rng.integers(0, number + 1))
            if place < self.keep:
                self._order[place] = number
                for name, maps in small.items():
                    self._kept[name][place] = maps[row]

    def measures(
        self,
        *,
        log: TrainingLog | None = None,
        updates: Sequence[float] = (),
        progress: float | None = None,
    ) -> Measures:
        """Compute every figure that the findings rest on; see `report` for the arguments.

        Raises:
            CleanplateError: if nothing was given to `update`.
        """
        if self._floors is None or not self._floors.pixels:
            raise CleanplateError("there is no target to compare with")
        prediction, target, brightness = self._kept_maps()
        floors = (
            self._floors.cross_entropy() if self.kind == "logits" else self._floors.squared_error()
        )
        own = match(prediction, target, seed=self.seed)
        found = Measures(
            pictures=self.pictures,
            kind=self.kind,
            not_finite=self._bad,
            spread_ratio=float(np.median(self._ratios)) if self._ratios else float("nan"),
            common_share=common_share(prediction),
            correlation=float(correlations(prediction, target).mean()),
            mean_map_correlation=float(
                (normal(target.astype(np.float64)) @ mean_row(target)).mean()
            ),
            prediction_match=own,
            loss_name="cross-entropy" if self.kind == "logits" else "squared error",
            loss=self._loss / max(self._loss_pixels, 1),
            loss_floors=floors,
            target_range=(self._floors.low, self._floors.high),
        )
        if brightness is not None:
            found = dataclasses.replace(
                found,
                brightness=float(correlations(prediction, brightness).mean()),
                target_brightness=float(correlations(target, brightness).mean()),
                input_match=match(edges(brightness), edges(filled(target)), seed=self.seed),
                **self._input.figures(),
            )
        if self.drawing is not None:
            found = dataclasses.replace(
                found, drawn=drawn_share(target, self.drawing, kind=self.kind)
            )
        if log is not None:
            found = dataclasses.replace(
                found,
                logged_steps=max(len(log.rates), len(log.losses)),
                spent_after=spent_after(log.rates) if log.rates else None,
                logged_loss=float(np.mean(log.losses[-max(1, len(log.losses) // 5) :]))
                if log.losses
                else None,
            )
        if len(updates):
            found = dataclasses.replace(found, update=float(max(updates)), progress=progress)
        return found

    def report(
        self,
        *,
        log: TrainingLog | None = None,
        updates: Sequence[float] = (),
        progress: float | None = None,
    ) -> DiagnosisReport:
        """Say what is wrong with what was seen so far.

        Args:
            log: losses and learning rates of the training.
            updates: from `relative_updates`, of the training's present step.
            progress: share of the planned steps that is done; a rate that is low near the end is
                as it should be.

        Raises:
            CleanplateError: if nothing was given to `update`.
        """
        measures = self.measures(log=log, updates=updates, progress=progress)
        return DiagnosisReport(measures, find(measures), self._examples())

    def _kept_maps(self) -> tuple[Maps, Maps, Maps | None]:
        # In the order in which pictures came, so that a shift between two lists can be seen.
        order = np.argsort(self._order)
        stacked = {name: np.stack(maps)[order] for name, maps in self._kept.items() if maps}
        brightness = stacked.get("input")
        if brightness is not None and len(brightness) != len(order):
            brightness = None
        return stacked["prediction"], stacked["target"], brightness

    def _examples(self) -> list[Example]:
        prediction, target, brightness = self._kept_maps()
        chosen = np.unique(np.linspace(0, len(target) - 1, _EXAMPLES).astype(int))
        examples = []
        for i in chosen:
            drawn: dict[str, Any] = {}
            if self.drawing is not None:
                maps = {"perfect answer": filled(target[i]), "prediction": prediction[i]}
                if self.kind == "logits":
                    maps = {name: logit(one).astype(np.float32) for name, one in maps.items()}
                drawn = {f"{name}, your drawing": self.drawing(one) for name, one in maps.items()}
            shown = None if brightness is None else brightness[i]
            examples.append(Example(shown, target[i], prediction[i], drawn))
        return examples


def diagnose(
    predictions: Any,
    targets: Any,
    inputs: Any = None,
    *,
    kind: Kind = "map",
    drawing: DrawingCode | None = None,
    valid: Any = None,
    log: TrainingLog | None = None,
) -> DiagnosisReport:
    """Diagnose arrays that are in memory at once; see `Diagnosis` for the arguments.

    Raises:
        CleanplateError: if shapes do not fit together.
    """
    diagnosis = Diagnosis(kind, drawing=drawing)
    diagnosis.update(predictions, targets, inputs, valid=valid)
    return diagnosis.report(log=log)
