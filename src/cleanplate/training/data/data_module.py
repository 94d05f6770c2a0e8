"""Lightning data module: samples in a fixed order, whatever the workers, ranks or restarts."""

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
from cleanplate.training.data.pair_augmentation import AugmentedPairs, MixedSource, open_pairs
from cleanplate.training.data.sample_schedule import step_samples
from cleanplate.training.data.shard_reader import Shards
from cleanplate.training.data.stored_samples import split_collection
from cleanplate.training.recipes import Recipe

_VALIDATION_SEED = 1_000_003
"""Added to the run's seed, so that validation has other samples than training."""


class Source(Protocol):
    """A source of samples by index; the same index always gives the same sample."""

    def sample(self, index: int, size: tuple[int, int], /) -> Mapping[str, Any]:
        """Make a sample.

        Args:
            index: of the sample in the run, from 0.
            size: (height, width) in pixels.

        Returns:
            plate, frame, foreground (H, W, 3) uint8; alpha, shadow, plate_disparity, disparity,
            subject_disparity (H, W) float32, disparity in 1/m, nan where unknown; index.
        """
        ...


class SampleKey(NamedTuple):
    """Number and size in pixels of a sample."""

    number: int
    height: int
    width: int


class StepSampler(Sampler[list[SampleKey]]):
    """Yield the keys of each step from `start` on; every rank gets its own part of each step.

    The order is a function of the recipe alone. A resumed run therefore gets exactly the samples
    of an uninterrupted one, and ranks never share a sample.
    """

    def __init__(self, recipe: Recipe, start: int = 0, rank: int = 0, ranks: int = 1):
        self.recipe, self.start, self.rank, self.ranks = recipe, start, rank, ranks

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for indices, stage in step_samples(self.recipe, self.start):
            own = indices[self.rank :: self.ranks]
            yield [SampleKey(index, stage.height, stage.width) for index in own]


class SingleBatchSampler(Sampler[list[SampleKey]]):
    """Yield the first step's batch in every step, for `--overfit-one-batch`."""

    def __init__(self, recipe: Recipe, rank: int, ranks: int):
        self.keys = next(iter(StepSampler(recipe, 0, rank, ranks)))
        self.steps = recipe.steps

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for _ in range(self.steps):
            yield self.keys


class SourceDataset(Dataset["dict[str, Any] | CleanplateError"]):
    """A source as a torch dataset; decides which samples hide their plate's depth."""

    def __init__(self, source: Source, seed: int, plate_depth_dropout: float):
        self.source, self.seed, self.dropout = source, seed, plate_depth_dropout

    def __getitem__(self, key: SampleKey) -> dict[str, Any] | CleanplateError:
        try:
            sample = self.source.sample(key.number, (key.height, key.width))
        except CleanplateError as error:
            # Raised here, it would reach the training process wrapped in a worker's traceback.
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
        """Make the loader of batches from the trainer's current step on."""
        assert self.trainer is not None
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        sampler: Sampler[list[SampleKey]]
        if self.recipe.overfit_one_batch:
            sampler = SingleBatchSampler(self.recipe, rank, ranks)
        else:
            sampler = StepSampler(self.recipe, self.trainer.global_step, rank, ranks)
        return self._loader(self.training, sampler, self.recipe.data.plate_depth_dropout)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Make the loader of the validation samples, always the same, at the last stage's size."""
        recipe = self.recipe
        if self.validation is None or recipe.overfit_one_batch or not recipe.validation_every:
            return []
        assert self.trainer is not None
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        stage = self.recipe.stages[-1]
        keys = [
            SampleKey(index, stage.height, stage.width)
            for index in range(rank, self.recipe.validation_samples, ranks)
        ]
        batches = [keys[i : i + stage.batch] for i in range(0, len(keys), stage.batch)]
        return [self._loader(self.validation, batches, 0.5)]

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Raise a worker's error in the step of its sample."""
        if isinstance(batch, CleanplateError):
            raise batch
        return batch

    def _loader(self, source: Source, order: Any, dropout: float) -> DataLoader[Any]:
        seed = self.recipe.seed + (_VALIDATION_SEED if source is self.validation else 0)
        # One thread in each worker. Set here, before the fork: a forked worker that stops its
        # parent's OpenCV threads would wait forever, because they do not exist in it.
        cv2.setNumThreads(1)
        return DataLoader(
            SourceDataset(source, seed, dropout),
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
    """Ignore Ctrl-C, which the training process handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if multiprocessing.get_start_method() != "fork":
        cv2.setNumThreads(1)


def open_sources(recipe: Recipe, cache: Path | None = None) -> tuple[Source, Source | None]:
    """Open the recipe's sources for training and validation.

    Validation has plates and cutouts that are not in training, and no stored pairs, so that runs
    with and without pairs can be compared.

    Args:
        recipe: of the run.
        cache: a folder for decoded assets (`cleanplate.synthesis.assets.asset_cache`), which
            changes no sample; None = no cache.

    Raises:
        CleanplateError: if a folder is missing or holds nothing usable.
    """
    training, validation = _main_sources(recipe, cache)
    data = recipe.data
    if data.pairs is not None:
        stored = open_pairs(data.pairs)
        if cache is not None:
            stored = mapped_pairs(stored, data.pairs, cache)
        pairs = AugmentedPairs(stored, recipe.seed, data.compositor)
        training = MixedSource(training, pairs, data.pairs_share, recipe.seed)
    return training, validation


def _main_sources(recipe: Recipe, cache: Path | None) -> tuple[Source, Source | None]:
    from cleanplate.synthesis import Composer, ProceduralComposer

    data = recipe.data
    data.raise_if_incomplete()

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
    return split_collection(collection, recipe.seed)
