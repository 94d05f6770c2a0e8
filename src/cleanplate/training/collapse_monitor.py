"""CollapseMonitor: warn when an output becomes constant within pictures while its target is not."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from cleanplate.training.data.batch import Batch
from cleanplate.training.networks.contract import Prediction


class CollapseWarning(UserWarning):
    """An output is constant within pictures where its target is not."""


class CollapseMonitor(Callback):
    """Warn when an output's standard deviation within pictures is far below its target's.

    The loss does not show that a depth map is blank, as those of the 2020 report were. The ratio
    of standard deviations (median over the batch's pictures) is logged as `spread/...`, and a
    warning is given when it stays below a limit.

    Args:
        every: steps between checks.
        patience: consecutive checks below `least` before the warning.
        least: limit of the ratio.
        start: first step at which low ratios count.
    """

    def __init__(self, every: int = 50, patience: int = 4, least: float = 0.05, start: int = 200):
        self.every, self.patience, self.least, self.start = every, patience, least, start
        self.low: dict[str, int] = {}

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Compare standard deviations every `every` steps."""
        if trainer.global_step % self.every:
            return
        ratios = spread_ratios(outputs["prediction"], outputs["batch"])
        for name, ratio in ratios.items():
            pl_module.log(f"spread/{name}", ratio)
            if trainer.global_step < self.start:
                continue
            self.low[name] = self.low.get(name, 0) + 1 if ratio < self.least else 0
            if self.low[name] == self.patience:
                self.low[name] = -10 * self.patience
                warnings.warn(_collapsed(name, ratio), CollapseWarning, stacklevel=2)


_HINTS = {
    "depth": "Check that the target is there (see the image grids), belongs to its picture and has "
    "its unknown pixels masked, that the learning rate is not near 0, and that the map is not "
    "drawn from raw logits. `--overfit-one-batch` shows whether the network can learn at all.",
    "alpha": "Check that the frame differs from its plate, that the mask belongs to its frame, and "
    "that the learning rate is not too high. `--overfit-one-batch` shows whether the network can "
    "learn at all.",
}


def _collapsed(name: str, ratio: float) -> str:
    word = {"plate_disparity": "plate's depth", "subject_disparity": "subject's depth"}.get(
        name, {"disparity": "depth"}.get(name, name)
    )
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
    pairs: dict[str, tuple[Tensor | None, Tensor, Tensor]] = {
        "alpha": (prediction.alpha, batch.alpha, torch.ones_like(batch.alpha)),
        "disparity": (prediction.disparity, batch.disparity, batch.valid),
        "plate_disparity": (prediction.plate_disparity, batch.plate_disparity, batch.plate_valid),
    }
    ratios: dict[str, float] = {}
    for name, (output, target, mask) in pairs.items():
        if output is None:
            continue
        wanted = _spread(target, mask)
        varies = wanted > 1e-3
        if bool(varies.any()):
            ratio = _spread(output.float(), mask)[varies] / wanted[varies]
            ratios[name] = float(ratio.median())
    return ratios


def _spread(values: Tensor, mask: Tensor) -> Tensor:
    """Compute the standard deviation over the masked pixels of each picture, (N,)."""
    weight = mask.sum((1, 2, 3)).clamp_min(1)
    mean = (values * mask).sum((1, 2, 3)) / weight
    squares = ((values - mean.view(-1, 1, 1, 1)).square() * mask).sum((1, 2, 3))
    return (squares / weight).sqrt()
