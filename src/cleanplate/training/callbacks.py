"""Lightning callbacks: the last checkpoint and signals, throughput, the progress bar."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

from cleanplate.training.data.batch import Batch
from cleanplate.training.recipes import Recipe

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ValidationInterrupted(Exception):
    """A signal came during validation; the checkpoint before it is saved."""


class LastCheckpoint(Callback):
    """Save `last.ckpt` at regular steps or minutes, at the end, and on Ctrl-C or SIGTERM.

    A checkpoint is saved between two steps only, so that a resumed run computes the same as one
    that was not interrupted. On the first signal the current step is finished and saved, and no
    validation starts; during a validation, before which a checkpoint is always saved,
    `ValidationInterrupted` is raised. `interrupted` is then True. On the second signal
    KeyboardInterrupt ends the run at once.

    Args:
        path: of the checkpoint.
        every_steps: between two checkpoints; 0 = by time only.
        every_minutes: likewise.
        extra_content: further content of every checkpoint, plain values by key.
    """

    def __init__(
        self,
        path: Path,
        every_steps: int,
        every_minutes: float,
        extra_content: Mapping[str, Any] | None = None,
    ):
        self.path, self.every_steps, self.every_seconds = path, every_steps, every_minutes * 60
        self.extra_content = dict(extra_content or {})
        self.interrupted = False
        self._saved_at = time.monotonic()
        self._saved_step = -1

    @contextmanager
    def restored_signal_handlers(self) -> Iterator[None]:
        """Restore the handlers of Ctrl-C and SIGTERM when the block is left.

        They are replaced when training starts, because Lightning sets its own before that.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                if handler is not None:  # None: set by C code, and Python cannot restore it
                    signal.signal(number, handler)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handle Ctrl-C and SIGTERM from now on."""
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step
        if threading.current_thread() is threading.main_thread():
            for number in _STOP_SIGNALS:
                signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time, before a validation, and before stopping."""
        step = trainer.global_step
        late = time.monotonic() - self._saved_at >= self.every_seconds
        if trainer.world_size > 1:
            late = trainer.strategy.reduce_boolean_decision(late, all=False)
        stop = self._is_interrupted(trainer)
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
        """Raise on a signal: the means of a part of the validation would be misleading."""
        recipe = _recipe(pl_module)
        # The decision is a collective operation, so only at batches that every process has.
        common = recipe.validation_samples // trainer.world_size // recipe.stages[-1].batch
        if trainer.world_size > 1 and batch_idx >= common:
            return
        if self._is_interrupted(trainer):
            raise ValidationInterrupted

    def _is_interrupted(self, trainer: Trainer) -> bool:
        if trainer.world_size > 1:
            self.interrupted = trainer.strategy.reduce_boolean_decision(self.interrupted, all=False)
        return self.interrupted

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the final state."""
        self._save(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the extra content."""
        checkpoint.update(self.extra_content)

    def _save(self, trainer: Trainer) -> None:
        if self._saved_step != trainer.global_step:
            trainer.save_checkpoint(self.path)
        self._saved_at, self._saved_step = time.monotonic(), trainer.global_step


def _recipe(module: LightningModule) -> Recipe:
    recipe = module.recipe
    assert isinstance(recipe, Recipe)
    return recipe


class ThroughputMonitor(Callback):
    """Log `samples/s` and `loader`, the share of the time spent waiting for data, in [0, 1].

    Both are exponential averages over about twenty steps; validation is not counted.
    """

    def __init__(self) -> None:
        self._end: float | None = None
        self._start = 0.0
        self.loading = 0.0
        self.total = 0.0
        self.samples = 0.0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Note the time: between the last step and now the run waited for data."""
        self._start = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Log the throughput."""
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
        """Exclude validation from the time."""
        self._end = None


class RunProgressBar(TQDMProgressBar):
    """Progress bar over the run's steps on stderr, with loss and throughput.

    Args:
        steps: of the whole run.
    """

    def __init__(self, steps: int):
        super().__init__(refresh_rate=1, leave=True)
        self.steps = steps

    @property
    def total_train_batches(self) -> int:
        """Number of steps: the whole run is one epoch."""
        return self.steps

    def init_train_tqdm(self) -> Tqdm:
        """Make the bar on stderr: stdout is for results."""
        return Tqdm(desc="train", dynamic_ncols=True, file=sys.stderr, smoothing=0.1)

    def init_validation_tqdm(self) -> Tqdm:
        """Make a second bar, which is removed after validation."""
        return Tqdm(desc="validate", position=1, leave=False, dynamic_ncols=True, file=sys.stderr)

    def get_metrics(self, trainer: Trainer, model: LightningModule) -> dict[str, Any]:
        """Return loss, samples per second and the loader's share."""
        metrics = super().get_metrics(trainer, model)
        metrics.pop("v_num", None)
        loss = trainer.callback_metrics.get("train/total")
        return {**({} if loss is None else {"loss": f"{float(loss):.4f}"}), **metrics}
