"""Image logging: grids of inputs, predictions and truth, for TensorBoard and as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from cleanplate.depth import colour_map
from cleanplate.formats.pictures import write_image
from cleanplate.training.data.batch import Batch
from cleanplate.training.networks.contract import Prediction

Bytes = npt.NDArray[np.uint8]

COLUMNS = (
    "plate",
    "frame",
    "alpha: truth",
    "alpha",
    "disparity: truth",
    "disparity",
    "shadow: truth",
    "shadow",
)
"""Columns of a grid from left to right; one sample a row."""


def picture_grid(batch: Batch, prediction: Prediction, rows: int = 4) -> Bytes:
    """Draw samples as rows, with the columns of `COLUMNS`.

    Truth and prediction of disparity share one colour scale, that of the truth, so that a constant
    or shifted prediction is visible. Unknown disparity, and outputs that are None, are grey.

    Args:
        batch: relative disparity, (N, C, H, W).
        prediction: of the same size.
        rows: at most.

    Returns:
        (rows * H, 8 * W, 3) uint8, sRGB.
    """
    count = min(rows, len(batch.plate))
    return np.concatenate([_row(batch, prediction, number) for number in range(count)])


def _row(batch: Batch, prediction: Prediction, number: int) -> Bytes:
    def plane(tensor: Tensor) -> npt.NDArray[np.float32]:
        values: npt.NDArray[np.float32] = tensor[number, 0].float().cpu().numpy()
        return values

    def grey(tensor: Tensor) -> Bytes:
        coded = np.rint(plane(tensor).clip(0, 1) * 255).astype(np.uint8)
        return np.repeat(coded[:, :, None], 3, 2)

    def colour(tensor: Tensor) -> Bytes:
        channels_last = tensor[number].float().cpu().numpy().transpose(1, 2, 0)
        coded: Bytes = np.rint(channels_last * 255).astype(np.uint8)
        return coded

    truth, valid = plane(batch.disparity), plane(batch.valid) > 0
    made = prediction.plate_disparity if prediction.disparity is None else prediction.disparity
    disparity = truth * 0 if made is None else plane(made)
    known = np.zeros(truth.shape, bool) if made is None else None
    shown = truth[valid] if valid.any() else disparity
    low, high = (float(q) for q in np.quantile(shown, (0.01, 0.99)))
    high = max(high, low + 1e-3)
    shadow = batch.shadow * 0 + 0.5 if prediction.shadow is None else prediction.shadow
    return np.concatenate(
        [
            colour(batch.plate),
            colour(batch.frame),
            grey(batch.alpha),
            grey(batch.alpha * 0 + 0.5 if prediction.alpha is None else prediction.alpha),
            colour_map(truth, valid, low, high),
            colour_map(disparity, known, low, high),
            grey(batch.shadow),
            grey(shadow),
        ],
        axis=1,
    )


class ImageLogger(Callback):
    """Log a grid to TensorBoard and to `folder/step-NNNNNNN.png` at regular steps.

    Args:
        folder: for the PNG files; made if it is not there.
        every: steps between grids; 0 = never.
    """

    def __init__(self, folder: Path, every: int):
        self.folder, self.every = folder, every

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log a grid every `every` steps, in the first process."""
        step = trainer.global_step
        if not self.every or step % self.every or not trainer.is_global_zero:
            return
        grid = picture_grid(outputs["batch"], outputs["prediction"])
        self.folder.mkdir(exist_ok=True)
        write_image(self.folder / f"step-{step:07d}.png", grid)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("samples", grid, step, dataformats="HWC")
