"""`fit`: train a network by a recipe in a run folder, resuming from its last checkpoint."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only
from tqdm import tqdm

from cleanplate.engines.cores import available_cores
from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import read_json
from cleanplate.training import recipe_json, weights_licence
from cleanplate.training.callbacks import (
    LastCheckpoint,
    RunProgressBar,
    ThroughputMonitor,
    ValidationInterrupted,
)
from cleanplate.training.checkpoint import CHECKPOINT, RECIPE, AtomicCheckpointIO, read_checkpoint
from cleanplate.training.collapse_monitor import CollapseMonitor
from cleanplate.training.data.data_module import PairData, Source, open_sources
from cleanplate.training.data_check import raise_if_unusable
from cleanplate.training.image_logging import ImageLogger
from cleanplate.training.json_log import JsonLinesLogger
from cleanplate.training.lightning_module import PairModule
from cleanplate.training.losses import Objective
from cleanplate.training.recipes import Recipe

LOG = "log.jsonl"


@dataclass(frozen=True)
class RunOptions:
    """Options that do not change what is learned: processes, devices, logging, checkpoints."""

    workers: int = 2
    """Processes that make samples."""
    threads: int = 0
    """Threads of the training process on a CPU; 0 = one for each core but one."""
    devices: int = 1
    """On each node (DDP)."""
    nodes: int = 1
    accelerator: str = "auto"
    """As for `lightning.Trainer`: cpu, gpu, mps, auto."""
    checkpoint_steps: int = 500
    """Steps between checkpoints; 0 = by time only."""
    checkpoint_minutes: float = 10.0
    """Minutes between checkpoints."""
    log_every: int = 10
    """Steps between lines of the log."""
    pictures_every: int = 500
    """Steps between image grids; 0 = never."""
    quiet: bool = False
    """No progress bar."""
    asset_cache: Path | None = None
    """A folder for decoded assets, shared by workers and runs; None = each worker decodes."""


@dataclass(frozen=True)
class RunResult:
    """State in which a run ended."""

    status: Literal["complete", "interrupted", "already complete"]
    step: int
    checkpoint: Path
    rank: int = 0
    """Of this process in distributed training; only rank 0 prints."""


def _check_recipe(recipe: Recipe, run: Path) -> None:
    """Raise if the run was started with another recipe."""
    path = run / RECIPE
    if not path.exists():
        return
    try:
        old = read_json(path)
    except ValueError as error:
        raise CleanplateError("not a recipe", file=path, cure="Choose a new folder.") from error
    different = recipe_json.changes(old, recipe)
    if different:
        raise CleanplateError(
            "this run was started with another recipe:\n  " + "\n  ".join(different),
            file=run,
            cure="Give the same fields to resume it, or another --run folder for a new run.",
        )


def _check_batches(recipe: Recipe, ranks: int) -> None:
    for stage in recipe.stages:
        if stage.batch % ranks:
            raise CleanplateError(
                f"a batch of {stage.batch} cannot be shared by {ranks} devices",
                cure="choose a batch that is a multiple of them",
            )


def fit(
    recipe: Recipe,
    run: Path,
    options: RunOptions | None = None,
    *,
    sources: tuple[Source, Source | None] | None = None,
    objective: Objective | None = None,
    callbacks: tuple[Callback, ...] = (),
) -> RunResult:
    """Train by a recipe in a run folder, resuming from its last checkpoint if there is one.

    Writes `recipe.json`, `last.ckpt`, `log.jsonl`, `tensorboard/` and `pictures/`.

    Args:
        recipe: what is learned.
        run: the folder; made if it is not there.
        options: how it is carried out; None = the defaults.
        sources: training and validation samples, instead of the recipe's own.
        objective: the loss, instead of the recipe's own. `recipe.json` does not record it.
        callbacks: additional Lightning callbacks.

    Raises:
        CleanplateError: if the folder belongs to another recipe, the data is unusable, or the
            loss is no longer finite.
    """
    options = options or RunOptions()
    ranks = options.devices * options.nodes
    torch.set_num_threads(options.threads or max(1, available_cores() // ranks - 1))
    _check_batches(recipe, ranks)
    _check_recipe(recipe, run)
    checkpoint = run / CHECKPOINT
    start = 0
    if checkpoint.exists():
        start = int(read_checkpoint(checkpoint)["global_step"])
        if start >= recipe.steps:
            return RunResult("already complete", start, checkpoint)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if getattr(rank_zero_only, "rank", 0):  # only rank 0 logs
        logging.getLogger("cleanplate").setLevel(logging.ERROR)
    training, validation = sources or open_sources(recipe, options.asset_cache)
    if sources is None and not start and not getattr(rank_zero_only, "rank", 0):
        raise_if_unusable(
            recipe.data, lambda files: tqdm(files, "check", disable=options.quiet or None)
        )
    if not (run / RECIPE).exists():  # after the checks: unusable data leave no folder behind
        run.mkdir(parents=True, exist_ok=True)
        recipe_json.save(recipe, run / RECIPE)
    data = PairData(recipe, training, validation, workers=options.workers)
    licensing = {weights_licence.KEY: _licensing(recipe, checkpoint, own=sources is not None)}
    last_checkpoint = LastCheckpoint(
        checkpoint, options.checkpoint_steps, options.checkpoint_minutes, licensing
    )
    all_callbacks: list[Callback] = [
        ThroughputMonitor(),
        CollapseMonitor(),
        ImageLogger(run / "pictures", options.pictures_every),
        last_checkpoint,
        *callbacks,
    ]
    if not options.quiet:
        all_callbacks.append(RunProgressBar(recipe.steps))
    validates = bool(recipe.validation_every and validation) and not recipe.overfit_one_batch
    trainer = Trainer(
        accelerator=options.accelerator,
        devices=options.devices,
        num_nodes=options.nodes,
        strategy=DDPStrategy() if ranks > 1 else "auto",
        precision=recipe.precision,
        max_epochs=1,
        max_steps=recipe.steps,
        gradient_clip_val=recipe.clip,
        use_distributed_sampler=False,
        val_check_interval=recipe.validation_every if validates else None,
        check_val_every_n_epoch=None if validates else 1,
        limit_val_batches=None if validates else 0,
        num_sanity_val_steps=0,
        log_every_n_steps=options.log_every,
        logger=_loggers(run, start),
        callbacks=all_callbacks,
        plugins=[AtomicCheckpointIO()],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=not options.quiet,
        default_root_dir=run,
    )
    module = PairModule(recipe, objective)
    if recipe.start is not None and not checkpoint.exists():
        module.load_pretrained(recipe.start, read_checkpoint(recipe.start))
    if recipe.teacher is not None:
        module.load_teacher(read_checkpoint(recipe.teacher), copy=not checkpoint.exists())
    with warnings.catch_warnings(), last_checkpoint.restored_signal_handlers():
        # A deprecation inside the libraries; and the number of workers is the user's choice.
        warnings.filterwarnings("ignore", message=".*LeafSpec")
        warnings.filterwarnings("ignore", message=".*does not have many workers")
        try:
            trainer.fit(module, data, ckpt_path=str(checkpoint) if checkpoint.exists() else None)
        except ValidationInterrupted:  # a checkpoint was saved before this validation
            return RunResult("interrupted", trainer.global_step, checkpoint, trainer.global_rank)
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # Lightning exits on it
                raise KeyboardInterrupt from None
            raise
    interrupted = last_checkpoint.interrupted
    status: Literal["interrupted", "complete"] = "interrupted" if interrupted else "complete"
    return RunResult(status, trainer.global_step, checkpoint, trainer.global_rank)


def _licensing(recipe: Recipe, checkpoint: Path, *, own: bool) -> dict[str, Any]:
    """Collect the data's licences: those in the checkpoint, as folders may have moved since."""
    if checkpoint.exists():
        content = read_checkpoint(checkpoint)
        if weights_licence.KEY in content:
            stored: dict[str, Any] = content[weights_licence.KEY]
            return stored
    if own:
        unknown = ("the samples came from a source that the caller made",)
        return weights_licence.DataLicensing(unknown=unknown).as_json()
    return weights_licence.licensing_of(recipe_json.to_json(recipe)).as_json()


def _loggers(run: Path, start: int) -> list[Logger]:
    return [
        JsonLinesLogger(run / LOG, start),
        TensorBoardLogger(run, name="tensorboard", version="", purge_step=start or None),
    ]
