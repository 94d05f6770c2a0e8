"""Samples in a fixed order: step s sees the same ones whatever the workers, ranks or restarts."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from cleanplate.errors import CleanplateError
from cleanplate.training.data.batch import Batch, collate
from cleanplate.training.data.folder_reader import Folders
from cleanplate.training.data.mapped_pairs import mapped_pairs
from cleanplate.training.data.pair_augmentation import Mixture, Retakes, open_pairs
from cleanplate.training.data.sample_schedule import step_samples
from cleanplate.training.data.shard_reader import Shards
from cleanplate.training.data.stored_samples import split
from cleanplate.training.recipes import Recipe

_VALIDATION_SEED = 1_000_003
"""Added to the run's seed, so that validation draws other samples than training."""


class Source(Protocol):
    """Anything that makes sample `index`, the same one each time."""

    def sample(self, index: int, size: tuple[int, int], /) -> Mapping[str, Any]:
        """Make the sample, a dict of arrays at `size` = (height, width)."""
        ...


class Key(NamedTuple):
    """Which sample, at which size."""

    number: int
    height: int
    width: int


class StepSampler(Sampler[list[Key]]):
    """The keys of each step from `start` on; every rank takes its own part of each step.

    The order is a function of the recipe alone. A resumed run therefore goes on with exactly the
    samples that an uninterrupted one would see, and ranks never share a sample.
    """

    def __init__(self, recipe: Recipe, start: int = 0, rank: int = 0, ranks: int = 1):
        self.recipe, self.start, self.rank, self.ranks = recipe, start, rank, ranks

    def __iter__(self) -> Iterator[list[Key]]:
        for indices, stage in step_samples(self.recipe, self.start):
            own = indices[self.rank :: self.ranks]
            yield [Key(index, stage.height, stage.width) for index in own]


class _One(Sampler[list[Key]]):
    """The first step's batch, for ever: what `--overfit-one-batch` learns by heart."""

    def __init__(self, recipe: Recipe, rank: int, ranks: int):
        self.keys = next(iter(StepSampler(recipe, 0, rank, ranks)))
        self.steps = recipe.steps

    def __iter__(self) -> Iterator[list[Key]]:
        for _ in range(self.steps):
            yield self.keys


class Samples(Dataset["dict[str, Any] | CleanplateError"]):
    """A source behind torch's interface; decides which samples hide their plate's depth."""

    def __init__(self, source: Source, seed: int, plate_depth_dropout: float):
        self.source, self.seed, self.dropout = source, seed, plate_depth_dropout

    def __getitem__(self, key: Key) -> dict[str, Any] | CleanplateError:
        try:
            sample = self.source.sample(key.number, (key.height, key.width))
        except CleanplateError as error:
            # Raised here, it would come to the training process wrapped in a worker's traceback.
            return CleanplateError(str(error))
        draw = np.random.default_rng([self.seed, key.number, 0xD0]).random()
        given = sample.get("depth_given", True) and draw >= self.dropout
        return {**sample, "index": key.number, "depth_given": bool(given)}


class PairData(LightningDataModule):
    """Training and validation loaders over one kind of source.

    Args:
        recipe: order, sizes and batches.
        training: where training samples come from.
        validation: where validation samples come from; None = no validation.
        workers: processes that make samples; 0 = the training process itself.
    """

    def __init__(
        self,
        recipe: Recipe,
        training: Source,
        validation: Source | None,
        *,
        workers: int = 0,
    ):
        super().__init__()
        self.recipe, self.training, self.validation = recipe, training, validation
        self.workers = workers

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches from the trainer's current step on."""
        assert self.trainer is not None
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        sampler: Sampler[list[Key]]
        if self.recipe.overfit_one_batch:
            sampler = _One(self.recipe, rank, ranks)
        else:
            sampler = StepSampler(self.recipe, self.trainer.global_step, rank, ranks)
        return self._loader(self.training, sampler, self.recipe.data.plate_depth_dropout)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Give the same samples at every validation, at the last stage's size."""
        recipe = self.recipe
        if self.validation is None or recipe.overfit_one_batch or not recipe.validation_every:
            return []
        assert self.trainer is not None
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        stage = self.recipe.stages[-1]
        keys = [
            Key(index, stage.height, stage.width)
            for index in range(rank, self.recipe.validation_samples, ranks)
        ]
        batches = [keys[i : i + stage.batch] for i in range(0, len(keys), stage.batch)]
        return [self._loader(self.validation, batches, 0.5)]

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Raise what a worker could not read, when its step comes."""
        if isinstance(batch, CleanplateError):
            raise batch
        return batch

    def _loader(self, source: Source, order: Any, dropout: float) -> DataLoader[Any]:
        seed = self.recipe.seed + (_VALIDATION_SEED if source is self.validation else 0)
        # One thread to each worker. Set here, before they are forked: a forked worker that closes
        # the threads of its parent's OpenCV waits for ever, because it never had them.
        cv2.setNumThreads(1)
        return DataLoader(
            Samples(source, seed, dropout),
            batch_sampler=order,
            collate_fn=_collate,
            num_workers=self.workers,
            worker_init_fn=_start_worker,
            prefetch_factor=3 if self.workers else None,
            pin_memory=torch.cuda.is_available(),
        )


def _collate(samples: list[dict[str, Any] | CleanplateError]) -> Batch | CleanplateError:
    good: list[dict[str, Any]] = []
    for sample in samples:
        if isinstance(sample, CleanplateError):
            return sample
        good.append(sample)
    return collate(good)


def _start_worker(number: int) -> None:
    """Leave Ctrl-C to the training process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if multiprocessing.get_start_method() != "fork":
        cv2.setNumThreads(1)


def open_sources(recipe: Recipe, cache: Path | None = None) -> tuple[Source, Source | None]:
    """Open the recipe's sources for training and validation.

    Validation composes plates and cutouts that training never sees, and no stored pairs, so that
    runs with and without those can be compared. `cache` is a folder for decoded assets, which
    changes no sample (`cleanplate.synthesis.assets.asset_cache`).

    Raises:
        CleanplateError: if a folder is missing or holds nothing usable.
    """
    training, validation = _main_sources(recipe, cache)
    data = recipe.data
    if data.pairs is not None:
        stored = open_pairs(data.pairs)
        if cache is not None:
            stored = mapped_pairs(stored, data.pairs, cache)
        pairs = Retakes(stored, recipe.seed, data.compositor)
        training = Mixture(training, pairs, data.pairs_share, recipe.seed)
    return training, validation


def _main_sources(recipe: Recipe, cache: Path | None) -> tuple[Source, Source | None]:
    from cleanplate.synthesis import Composer, ProceduralComposer

    data = recipe.data
    data.demand_places()

    def composer(part: Literal["training", "validation"]) -> Source:
        seed = recipe.seed + (_VALIDATION_SEED if part == "validation" else 0)
        if data.kind == "procedural":
            return ProceduralComposer(seed, settings=data.compositor)
        return Composer.from_folders(
            data.plates,
            data.cutouts,
            seed=seed,
            settings=data.compositor,
            subset=part,
            cache=cache,
        )

    if data.kind in ("composites", "procedural"):
        return composer("training"), composer("validation")
    assert data.path is not None
    collection = Shards(data.path) if data.kind == "shards" else Folders(data.path, data.depth)
    return split(collection, recipe.seed)
