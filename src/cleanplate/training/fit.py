"""One run: a recipe in, a folder with checkpoints and logs out; started again, it goes on."""

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
from cleanplate.training import recipes, weights_licence
from cleanplate.training.callbacks import CollapseWatch, Pace, Progress, SaveLast, Stopped
from cleanplate.training.checkpoint import CHECKPOINT, RECIPE, WholeFiles, read_checkpoint
from cleanplate.training.data.data_module import PairData, Source, open_sources
from cleanplate.training.data_check import demand_usable
from cleanplate.training.image_logging import PictureGrids
from cleanplate.training.json_log import LineLog
from cleanplate.training.lightning_module import PairModule
from cleanplate.training.losses import Objective
from cleanplate.training.recipes import Recipe

LOG = "log.jsonl"


@dataclass(frozen=True)
class Launch:
    """How a run is carried out; nothing here changes what is learned."""

    workers: int = 2
    """Processes that make samples."""
    threads: int = 0
    """Threads of the training process on a CPU; 0 = one for each core but one."""
    devices: int = 1
    nodes: int = 1
    accelerator: str = "auto"
    checkpoint_steps: int = 500
    checkpoint_minutes: float = 10.0
    log_every: int = 10
    pictures_every: int = 500
    quiet: bool = False
    asset_cache: Path | None = None
    """A folder for decoded assets, which workers and runs share; None = each decodes its own."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: Literal["complete", "interrupted", "already complete"]
    step: int
    checkpoint: Path
    rank: int = 0
    """Of this process among those that trained together; the first speaks for all."""


def _check_recipe(recipe: Recipe, run: Path) -> None:
    """Refuse a run that was started with another recipe."""
    path = run / RECIPE
    if not path.exists():
        return
    try:
        old = read_json(path)
    except ValueError as error:
        raise CleanplateError("not a recipe", file=path, cure="Choose a new folder.") from error
    different = recipes.changes(old, recipe)
    if different:
        raise CleanplateError(
            "this run was started with another recipe:\n  " + "\n  ".join(different),
            file=run,
            cure="Give the same fields to go on, or another --run folder to start anew.",
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
    launch: Launch | None = None,
    *,
    sources: tuple[Source, Source | None] | None = None,
    objective: Objective | None = None,
    callbacks: tuple[Callback, ...] = (),
) -> Outcome:
    """Train by `recipe` in the folder `run`, from its last checkpoint if it has one.

    Writes `recipe.json`, `last.ckpt`, `log.jsonl`, `tensorboard/` and `pictures/`.

    Args:
        sources: training and validation samples, instead of the recipe's own.
        objective: the loss, instead of the recipe's own. `recipe.json` does not record it.
        callbacks: more Lightning callbacks.

    Raises:
        CleanplateError: if the folder belongs to another recipe, the data is unusable, or the
            loss is no longer finite.
    """
    launch = launch or Launch()
    ranks = launch.devices * launch.nodes
    torch.set_num_threads(launch.threads or max(1, available_cores() // ranks - 1))
    _check_batches(recipe, ranks)
    _check_recipe(recipe, run)
    checkpoint = run / CHECKPOINT
    start = 0
    if checkpoint.exists():
        start = int(read_checkpoint(checkpoint)["global_step"])
        if start >= recipe.steps:
            return Outcome("already complete", start, checkpoint)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if getattr(rank_zero_only, "rank", 0):  # the first process speaks for all
        logging.getLogger("cleanplate").setLevel(logging.ERROR)
    training, validation = sources or open_sources(recipe, launch.asset_cache)
    if sources is None and not start and not getattr(rank_zero_only, "rank", 0):
        demand_usable(recipe.data, lambda files: tqdm(files, "check", disable=launch.quiet or None))
    if not (run / RECIPE).exists():  # only now: with data that cannot be used no run begins
        run.mkdir(parents=True, exist_ok=True)
        recipes.save(recipe, run / RECIPE)
    data = PairData(recipe, training, validation, workers=launch.workers)
    told = {weights_licence.KEY: _licensing(recipe, checkpoint, own=sources is not None)}
    saver = SaveLast(checkpoint, launch.checkpoint_steps, launch.checkpoint_minutes, told)
    watching: list[Callback] = [
        Pace(),
        CollapseWatch(),
        PictureGrids(run / "pictures", launch.pictures_every),
        saver,
        *callbacks,
    ]
    if not launch.quiet:
        watching.append(Progress(recipe.steps))
    validates = bool(recipe.validation_every and validation) and not recipe.overfit_one_batch
    trainer = Trainer(
        accelerator=launch.accelerator,
        devices=launch.devices,
        num_nodes=launch.nodes,
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
        log_every_n_steps=launch.log_every,
        logger=_loggers(run, start),
        callbacks=watching,
        plugins=[WholeFiles()],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=not launch.quiet,
        default_root_dir=run,
    )
    module = PairModule(recipe, objective)
    if recipe.start is not None and not checkpoint.exists():
        module.begin_with(recipe.start, read_checkpoint(recipe.start))
    with warnings.catch_warnings(), saver.listening():
        # Of the libraries about themselves; and how many workers there are is the person's choice.
        warnings.filterwarnings("ignore", message=".*LeafSpec")
        warnings.filterwarnings("ignore", message=".*does not have many workers")
        try:
            trainer.fit(module, data, ckpt_path=str(checkpoint) if checkpoint.exists() else None)
        except Stopped:  # the step before this validation is saved
            return Outcome("interrupted", trainer.global_step, checkpoint, trainer.global_rank)
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # as Lightning ends on it
                raise KeyboardInterrupt from None
            raise
    status: Literal["interrupted", "complete"] = "interrupted" if saver.interrupted else "complete"
    return Outcome(status, trainer.global_step, checkpoint, trainer.global_rank)


def _licensing(recipe: Recipe, checkpoint: Path, *, own: bool) -> dict[str, Any]:
    """Say what the data are licensed under: as the run began, even if folders have moved since."""
    if checkpoint.exists():
        content = read_checkpoint(checkpoint)
        if weights_licence.KEY in content:
            told: dict[str, Any] = content[weights_licence.KEY]
            return told
    if own:
        unknown = ("the samples came from a source that the caller made",)
        return weights_licence.DataLicensing(unknown=unknown).as_json()
    return weights_licence.licensing_of(recipes.to_json(recipe)).as_json()


def _loggers(run: Path, start: int) -> list[Logger]:
    return [
        LineLog(run / LOG, start),
        TensorBoardLogger(run, name="tensorboard", version="", purge_step=start or None),
    ]
