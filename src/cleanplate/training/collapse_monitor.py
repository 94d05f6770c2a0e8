"""CollapseMonitor: warn when an output is constant, or knows nothing of its own picture."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from cleanplate.diagnosis import Diagnosis, relative_updates
from cleanplate.training.data.batch import Batch
from cleanplate.training.networks.contract import Prediction


class CollapseWarning(UserWarning):
    """An output is constant within pictures where its target is not."""


class CollapseMonitor(Callback):
    """Warn when an output is constant, or knows nothing of its own picture.

    The loss does not show that a depth map is blank, as those of the 2020 report were. The ratio
    of standard deviations (median over the batch's pictures) is logged as `spread/...`, and a
    warning is given when it stays below a limit. What `cleanplate.diagnosis` finds in two windows
    of training batches, one after the other, is warned of once: outputs that are no better than
    the mean map or copy brightness, targets of other frames, frames without contrast, a learning
    rate that no longer changes the weights.

    Args:
        every: steps between checks.
        patience: consecutive checks below `least` before the warning; at least so many in a
            window.
        least: limit of the ratio.
        start: first step at which anything counts.
        pictures: at least so many in a window.
    """

    def __init__(
        self,
        every: int = 50,
        patience: int = 4,
        least: float = 0.05,
        start: int = 200,
        pictures: int = 48,
    ):
        self.every, self.patience, self.least, self.start = every, patience, least, start
        self.pictures = pictures
        self.low: dict[str, int] = {}
        self._windows: dict[str, Diagnosis] = {}
        self._looks: dict[str, int] = {}
        self._last: dict[str, set[str]] = {}
        self._warned: set[tuple[str, str]] = set()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Compare outputs with targets every `every` steps."""
        if trainer.global_step % self.every:
            return
        prediction, batch = outputs["prediction"], outputs["batch"]
        ratios = spread_ratios(prediction, batch)
        for name, ratio in ratios.items():
            pl_module.log(f"spread/{name}", ratio)
            if trainer.global_step < self.start:
                continue
            self.low[name] = self.low.get(name, 0) + 1 if ratio < self.least else 0
            if self.low[name] == self.patience:
                self.low[name] = -10 * self.patience
                warnings.warn(_collapsed(name, ratio), CollapseWarning, stacklevel=2)
        if trainer.global_step >= self.start:
            for name, (output, target, mask) in _compared(prediction, batch).items():
                shown = batch.plate if name == "plate_disparity" else batch.frame
                window = self._windows.setdefault(name, Diagnosis())
                window.update(output, target, shown, valid=mask)
                self._looks[name] = self._looks.get(name, 0) + 1
                if window.pictures >= self.pictures and self._looks[name] >= self.patience:
                    self._close_window(trainer, name)

    def _close_window(self, trainer: Trainer, name: str) -> None:
        """Warn of what this window and the one before it have in common."""
        window = self._windows.pop(name)
        self._looks[name] = 0
        steps = getattr(trainer, "max_steps", -1)
        report = window.report(
            updates=[
                u for one in getattr(trainer, "optimizers", ()) for u in relative_updates(one)
            ],
            progress=trainer.global_step / steps if steps > 0 else None,
        )
        found = {one.code: one for one in report.findings if one.code in _WATCHED}
        for code in found.keys() & self._last.get(name, set()):
            subject = "run" if code in _OF_THE_RUN else name
            if (subject, code) not in self._warned:
                self._warned.add((subject, code))
                what = "your training" if subject == "run" else f"your {_word(name)}"
                warnings.warn(f"{what}: {found[code]}", CollapseWarning, stacklevel=3)
        self._last[name] = set(found)


_WATCHED = {"mean-map", "brightness-copy", "inverted", "pairing", "input-scaling", "schedule"}
"""Findings that a training warns of; constant outputs have a rule of their own."""
_OF_THE_RUN = {"input-scaling", "schedule"}
"""Warned of once, whichever output they were found with."""

_HINTS = {
    "depth": "Is the target there (look at the grids), in the order of its pictures, with its "
    "unknown pixels masked? Is the learning rate still alive, and the map not drawn from raw "
    "logits? `--overfit-one-batch` shows whether it can learn at all.",
    "alpha": "Does the frame differ from its plate, is the mask paired with its own frame, and is "
    "the learning rate not too high? `--overfit-one-batch` shows whether it can learn at all.",
}


def _word(name: str) -> str:
    return {"plate_disparity": "plate's depth", "disparity": "depth"}.get(name, name)


def _collapsed(name: str, ratio: float) -> str:
    word = _word(name)
    hint = _HINTS["depth" if "depth" in word else "alpha"]
    return (
        f"your {word} is constant: its spread within a picture is {100 * ratio:.2g} % of the "
        f"target's. {hint}"
    )


def spread_ratios(prediction: Prediction, batch: Batch) -> dict[str, float]:
    """Divide each output's standard deviation in a picture by its target's; median over pictures.

    Pictures whose target is constant are left out, and outputs without any other picture.

    Args:
        prediction: (N, 1, H, W) each.
        batch: of the same size, relative disparity.

    Returns:
        "alpha", "disparity", "plate_disparity" -> ratio, 1 where the spread is the target's.
    """
    ratios: dict[str, float] = {}
    for name, (output, target, mask) in _compared(prediction, batch).items():
        wanted = _spread(target, mask)
        varies = wanted > 1e-3
        if bool(varies.any()):
            ratio = _spread(output.float(), mask)[varies] / wanted[varies]
            ratios[name] = float(ratio.median())
    return ratios


def _compared(prediction: Prediction, batch: Batch) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Give output, target and mask by name, of the outputs that there are."""
    pairs = {
        "alpha": (prediction.alpha, batch.alpha, torch.ones_like(batch.alpha)),
        "disparity": (prediction.disparity, batch.disparity, batch.valid),
        "plate_disparity": (prediction.plate_disparity, batch.plate_disparity, batch.plate_valid),
    }
    return {name: (o, t, mask) for name, (o, t, mask) in pairs.items() if o is not None}


def _spread(values: Tensor, mask: Tensor) -> Tensor:
    """Compute the standard deviation over the masked pixels of each picture, (N,)."""
    weight = mask.sum((1, 2, 3)).clamp_min(1)
    mean = (values * mask).sum((1, 2, 3)) / weight
    squares = ((values - mean.view(-1, 1, 1, 1)).square() * mask).sum((1, 2, 3))
    return (squares / weight).sqrt()
