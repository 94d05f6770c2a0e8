"""How long a scale takes, from a few timed steps of each kind of training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from studies.seed.measures import measure
from studies.seed.runs import planned, set_up
from studies.seed.sets import Pairs, spread
from studies.seed.settings import REPORT, Scale, Settings
from studies.seed.training import last_step, steps_of_epoch, train


@dataclass(frozen=True)
class Kind:
    """Trainings whose steps cost the same.

    Args:
        name: what they have in common.
        trainings: of them.
        steps: of all of them.
        milliseconds: of a step, processor time.
    """

    name: str
    trainings: int
    steps: int
    milliseconds: float

    @property
    def seconds(self) -> float:
        """Processor time of all steps."""
        return self.steps * self.milliseconds / 1000


@dataclass(frozen=True)
class Estimate:
    """Processor time of a scale's trainings and measurements."""

    kinds: tuple[Kind, ...]
    trainings: int
    measuring: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return sum(kind.seconds for kind in self.kinds) + self.trainings * self.measuring

    def lines(self) -> Iterator[str]:
        """Tell it kind by kind."""
        for kind in sorted(self.kinds, key=lambda one: -one.seconds):
            yield (
                f"{kind.seconds:8.0f} s  {kind.trainings:4} trainings  {kind.steps:7} steps of "
                f"{kind.milliseconds:6.1f} ms  {kind.name}"
            )
        yield f"{self.trainings * self.measuring:8.0f} s  measuring, {self.measuring:.1f} s each"


def estimated(scale: Scale, steps: int = 5) -> Estimate:
    """Time `steps` steps of each kind of training of a scale, on one thread."""
    threads = torch.get_num_threads()
    set_up(1)
    plan = planned(scale)
    kinds: dict[str, list[Settings]] = {}
    for run in plan:
        kinds.setdefault(_kind(run.settings), []).append(run.settings)
    found = []
    for name, members in kinds.items():
        total = sum(steps_of(settings, scale) for settings in members)
        found.append(Kind(name, len(members), total, _timed(members[0], scale, steps)))
    pairs = _made(scale.validation, scale.size)
    model, _ = train(REPORT, replace(scale, epochs=1), pairs[: scale.batch], 0)
    sets = dict.fromkeys(("known", "new", "train"), pairs)
    began = time.process_time()
    measure(REPORT, scale, model, sets, 0)
    measuring = time.process_time() - began
    torch.set_num_threads(threads)
    return Estimate(tuple(found), len(plan), measuring)


def steps_of(settings: Settings, scale: Scale) -> int:
    """Count the steps of a training."""
    pairs = scale.pairs * (scale.more if settings.more else 1)
    epochs = scale.epochs or settings.epochs
    return last_step(settings, epochs, steps_of_epoch(settings, scale, pairs))


def _kind(settings: Settings) -> str:
    told = [settings.network, settings.task, f"mask from {settings.mask_from}"]
    told += [settings.loss] if settings.task != "mask" else []
    told += [f"x {settings.widen:g}"] if settings.widen != 1 else []
    told += ["RGB outputs"] if settings.channels != 1 else []
    told += ["small first"] if settings.small_first else []
    told += [settings.order] if settings.order != "both" else []
    return ", ".join(told)


def _timed(settings: Settings, scale: Scale, steps: int) -> float:
    plain = replace(settings, more=False, stretch=1.0, stop=0.0)
    once = replace(scale, epochs=2)  # of both halves, where they differ
    pairs = _made(scale.batch * steps, scale.size)
    train(plain, once, pairs[: scale.batch], 0)
    began = time.process_time()
    train(plain, once, pairs, 0)
    return 1000 * (time.process_time() - began) / (2 * steps)


def _made(count: int, side: int) -> Pairs:
    """Noise with a box: any pictures cost the same."""
    rng = np.random.default_rng(0)
    mask = np.zeros((count, side, side), np.float32)
    mask[:, side // 4 : side // 2, side // 4 : side // 2] = 1
    pictures = rng.integers(0, 255, (2, count, side, side, 3), np.uint8)
    slope = np.linspace(0.1, 1, side, dtype=np.float32)[None, :, None]
    disparity = (np.broadcast_to(slope, mask.shape) + mask).astype(np.float32)
    relative = np.stack([spread(one) for one in disparity])
    return Pairs(pictures[0], pictures[1], mask, disparity, relative)
