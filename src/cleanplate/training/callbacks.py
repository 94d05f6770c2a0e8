"""What watches a run: checkpoints, the progress bar, pictures, and a warning when it goes dead."""

from __future__ import annotations

import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from torch import Tensor

from cleanplate.diagnosis import Diagnosis, relative_updates
from cleanplate.training.batch import Batch
from cleanplate.training.networks.contract import Prediction
from cleanplate.training.recipes import Recipe

_STOPPING = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """A validation was asked to stop; the step before it is saved."""


class SaveLast(Callback):
    """Keep `last.ckpt` fresh: every so many steps or minutes, at the end and on Ctrl-C.

    The state is saved between two steps only, so that a run goes on exactly where it was.
    On the first Ctrl-C or SIGTERM the current step is finished and saved, and no validation
    begins; in a validation, whose step is saved before it, `Stopped` ends the run.
    `interrupted` is then True. On the second one KeyboardInterrupt ends it at once.

    Args:
        path: of the checkpoint.
        every_steps: between two savings; 0 = by time only.
        every_minutes: likewise.
        saved_for_all: what every checkpoint holds besides, plain values by key.
    """

    def __init__(
        self,
        path: Path,
        every_steps: int,
        every_minutes: float,
        saved_for_all: Mapping[str, Any] | None = None,
    ):
        self.path, self.every_steps, self.every_seconds = path, every_steps, every_minutes * 60
        self.saved_for_all = dict(saved_for_all or {})
        self.interrupted = False
        self._saved_at = time.monotonic()
        self._saved_step = -1

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Give Ctrl-C and SIGTERM back as they were when the block is left.

        They are taken when training starts: Lightning sets handlers of its own before.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                if handler is not None:  # None: of a library in C, which Python cannot set again
                    signal.signal(number, handler)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen for Ctrl-C and SIGTERM."""
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step
        if threading.current_thread() is threading.main_thread():
            for number in _STOPPING:
                signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time, if a validation comes next, or to stop."""
        step = trainer.global_step
        late = time.monotonic() - self._saved_at >= self.every_seconds
        if trainer.world_size > 1:
            late = trainer.strategy.reduce_boolean_decision(late, all=False)
        stop = self._asked_to_stop(trainer)
        if stop:
            trainer.should_stop = True
            trainer.limit_val_batches = 0  # else Lightning would validate before it stops
        every = self.every_steps
        validates = trainer.enable_validation and step % _recipe(pl_module).validation_every == 0
        if stop or late or validates or (every and step % every == 0):
            self._save(trainer)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Leave a validation that is asked to stop; its figures would be of a part of it."""
        recipe = _recipe(pl_module)
        # Processes decide together, so only at batches that each of them has.
        common = recipe.validation_samples // trainer.world_size // recipe.stages[-1].batch
        if trainer.world_size > 1 and batch_idx >= common:
            return
        if self._asked_to_stop(trainer):
            raise Stopped

    def _asked_to_stop(self, trainer: Trainer) -> bool:
        if trainer.world_size > 1:
            self.interrupted = trainer.strategy.reduce_boolean_decision(self.interrupted, all=False)
        return self.interrupted

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end."""
        self._save(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add what every checkpoint holds besides."""
        checkpoint.update(self.saved_for_all)

    def _save(self, trainer: Trainer) -> None:
        if self._saved_step != trainer.global_step:
            trainer.save_checkpoint(self.path)
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step


def _recipe(module: LightningModule) -> Recipe:
    recipe = module.recipe
    assert isinstance(recipe, Recipe)
    return recipe


class Pace(Callback):
    """Samples per second, and the loader's share of the time, over the last steps."""

    def __init__(self) -> None:
        self._end: float | None = None
        self._start = 0.0
        self.loading = 0.0
        self.total = 0.0
        self.samples = 0.0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Note the time: what lies between the last step and now was waiting."""
        self._start = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Log the pace, averaged over about twenty steps."""
        now = time.perf_counter()
        if self._end is not None:
            keep = 0.95
            self.loading = keep * self.loading + self._start - self._end
            self.total = keep * self.total + now - self._end
            self.samples = keep * self.samples + len(batch.index) * trainer.world_size
            pl_module.log("samples/s", self.samples / self.total, prog_bar=True)
            pl_module.log("loader", self.loading / self.total, prog_bar=True)
        self._end = now

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave validation out of training time."""
        self._end = None


class Progress(TQDMProgressBar):
    """Lightning's bar, over the run's steps, on stderr, with the loss."""

    def __init__(self, steps: int):
        super().__init__(refresh_rate=1, leave=True)
        self.steps = steps

    @property
    def total_train_batches(self) -> int:
        """The whole run is one pass."""
        return self.steps

    def init_train_tqdm(self) -> Tqdm:
        """Draw on stderr: stdout is for results."""
        return Tqdm(desc="train", dynamic_ncols=True, file=sys.stderr, smoothing=0.1)

    def init_validation_tqdm(self) -> Tqdm:
        """Draw a second bar, gone when validation is."""
        return Tqdm(desc="validate", position=1, leave=False, dynamic_ncols=True, file=sys.stderr)

    def get_metrics(self, trainer: Trainer, model: LightningModule) -> dict[str, Any]:
        """Loss, pace and the loader's share."""
        metrics = super().get_metrics(trainer, model)
        metrics.pop("v_num", None)
        loss = trainer.callback_metrics.get("train/total")
        return {**({} if loss is None else {"loss": f"{float(loss):.4f}"}), **metrics}


class CollapseWarning(UserWarning):
    """An output has become flat where its target is not."""


class CollapseWatch(Callback):
    """Warn when an output is constant, or knows nothing of its own picture.

    The 2020 report ended with blank depth maps that a glance at the loss could not tell from
    learned ones. Here the ratio of standard deviations (median over the batch's pictures) is
    logged as `spread/...` and, when it stays below `least`, said in words. What
    `cleanplate.diagnosis` finds in two windows of training batches, one after the other, is said
    once: outputs that are no better than the mean map or copy brightness, targets of other frames,
    frames without contrast, a learning rate that no longer changes the weights.

    Args:
        every: steps between two batches that are looked at.
        patience: batches in which an output must stay constant; at least so many in a window.
        least: ratio of spreads below which an output is constant.
        start: steps before anything is said.
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
        self._said: set[tuple[str, str]] = set()

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
            if (subject, code) not in self._said:
                self._said.add((subject, code))
                what = "your training" if subject == "run" else f"your {_word(name)}"
                warnings.warn(f"{what}: {found[code]}", CollapseWarning, stacklevel=3)
        self._last[name] = set(found)


_WATCHED = {"mean-map", "brightness-copy", "inverted", "pairing", "input-scaling", "schedule"}
"""Findings that a training warns of; constant outputs have a rule and words of their own."""
_OF_THE_RUN = {"input-scaling", "schedule"}
"""Said once, whichever output they were found beside."""

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
    """Divide each output's standard deviation in a picture by its target's; median over them.

    Pictures whose target is itself flat are left out; an output without any is left out too.
    """
    ratios: dict[str, float] = {}
    for name, (output, target, mask) in _compared(prediction, batch).items():
        wanted = _spread(target, mask)
        lively = wanted > 1e-3
        if bool(lively.any()):
            ratio = _spread(output.float(), mask)[lively] / wanted[lively]
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
    """Measure the standard deviation over the masked pixels of each picture, (N,)."""
    weight = mask.sum((1, 2, 3)).clamp_min(1)
    mean = (values * mask).sum((1, 2, 3)) / weight
    squares = ((values - mean.view(-1, 1, 1, 1)).square() * mask).sum((1, 2, 3))
    return (squares / weight).sqrt()
