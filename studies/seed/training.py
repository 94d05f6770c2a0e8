"""One training, from settings and a seed to weights: a plain loop that reads like the report's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cleanplate.formats.pictures import to_float
from cleanplate.training.networks import PairNetwork
from studies.seed import network as networks
from studies.seed.camera import jitter, through
from studies.seed.losses import depth_loss
from studies.seed.sets import Pairs, shrunk
from studies.seed.settings import Scale, Settings

LOW, HIGH = 0.19, 0.51
"""Between these lies a depth picture of the report, near is LOW."""


@dataclass
class Course:
    """What a training printed: the mean of each loss by epoch.

    `seen` holds what `look` found after each epoch, where one was given.
    `diverged` tells that a loss became infinite or NaN, and the training ended there.
    """

    mask: list[float] = field(default_factory=list)
    depth: list[float] = field(default_factory=list)
    seen: list[dict[str, float]] = field(default_factory=list)
    diverged: bool = False


def targets(settings: Settings, relative: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn relative disparity in [0, 1] into what the network is held to."""
    if settings.target == "full":
        return relative
    return (HIGH - (HIGH - LOW) * relative).astype(np.float32)


def nearness(settings: Settings, depth: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn a predicted map so that larger is nearer."""
    return depth if settings.target == "full" else -depth


def train(
    settings: Settings,
    scale: Scale,
    pairs: Pairs,
    seed: int,
    *,
    look: Callable[[PairNetwork], dict[str, float]] | None = None,
) -> tuple[PairNetwork, Course]:
    """Train one network.

    Args:
        settings: of the training.
        scale: width and, if it says so, epochs.
        pairs: to learn from; `relative` holds depth as the teacher gives it.
        seed: of the weights, the order and everything drawn.
        look: asked for figures of the network after each epoch; None = nothing is measured.
    """
    torch.manual_seed(seed)
    model = networks.build(settings, scale.width)
    model.to(device=scale.device, memory_format=layout_of(settings, scale))  # type: ignore[call-overload]
    pairs = through(pairs, settings.camera, seed)
    depth = _paired(pairs.relative, settings.mispaired, seed)
    pairs = replace(pairs, relative=targets(settings, depth))
    small = shrunk(pairs) if settings.small_first else pairs
    epochs = scale.epochs or settings.epochs
    of_epoch = steps_of_epoch(settings, scale, len(pairs))
    steps = epochs * of_epoch
    optimiser = _optimiser(settings, scale, model)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: rate_factor(settings, step, steps, epochs)
    )
    course = Course()
    rng = np.random.default_rng([seed, 0x7E])
    stream = _numbers(len(pairs), scale.batch, rng)
    last = last_step(settings, epochs, of_epoch)
    for epoch in range(epochs):
        if epoch * of_epoch >= last:
            break
        late = 2 * epoch >= epochs
        if settings.order == "depth-first" and late:
            networks.freeze_depth(model)
        shown: dict[str, list[float]] = {"mask": [], "depth": []}
        for _ in range(min(of_epoch, last - epoch * of_epoch)):
            some = (pairs if late else small)[next(stream)]
            batch = _batch(some, settings, scale, rng)
            parts = _losses(settings, model, batch, scale)
            wanted = {name: part for name, part in parts.items() if _counts(settings, name, late)}
            optimiser.zero_grad()
            sum(_weight(settings, name) * part for name, part in wanted.items()).backward()  # type: ignore[union-attr]
            optimiser.step()
            schedule.step()
            if not all(math.isfinite(float(part.detach())) for part in parts.values()):
                course.diverged = True
                return model.eval(), course
            for name, part in parts.items():
                shown[name].append(float(part.detach()))
        if not all(bool(value.isfinite().all()) for value in model.state_dict().values()):
            course.diverged = True  # by the last step: no loss has seen it
            return model.eval(), course
        for name, values in shown.items():
            if values:
                getattr(course, name).append(float(np.mean(values)))
        if look is not None:
            course.seen.append(_looked(model, look))
    return model.eval(), course


def _looked(
    model: PairNetwork, look: Callable[[PairNetwork], dict[str, float]]
) -> dict[str, float]:
    modes = {part: part.training for part in model.modules()}  # parts may be frozen
    found = look(model.eval())
    for part, mode in modes.items():
        part.training = mode
    return found


def _paired(relative: npt.NDArray[np.float32], share: float, seed: int) -> npt.NDArray[np.float32]:
    """Give a share of the samples the depth of another one, as an unsorted listing may."""
    rng = np.random.default_rng([seed, 0xBAD])
    wrong = rng.permutation(len(relative))[: round(share * len(relative))]
    mixed = relative.copy()
    mixed[wrong] = relative[np.roll(wrong, 1)]
    return mixed


def steps_of_epoch(settings: Settings, scale: Scale, pairs: int) -> int:
    """Count the steps of an epoch, given how many pairs there are to draw from."""
    full = pairs // scale.batch
    if settings.more:
        full = max(1, full // scale.more)
    return max(1, round(settings.stretch * full))


def last_step(settings: Settings, epochs: int, of_epoch: int) -> int:
    """Count the steps of a training, which may stop before its schedule ends."""
    return round(min(epochs, settings.stop or epochs) * of_epoch)


def _numbers(count: int, batch: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Give numbers of batches without end, in a new random order each time all have been drawn.

    A last batch of an order that is not full is left out.
    """
    while True:
        order = rng.permutation(count)
        for first in range(0, count - batch + 1, batch):
            yield order[first : first + batch]


def _batch(
    some: Pairs, settings: Settings, scale: Scale, rng: np.random.Generator
) -> dict[str, Tensor]:
    if settings.jitter == "none":
        plate, frame = to_float(some.plate), to_float(some.frame)
    else:
        plate, frame = jitter(some.plate, some.frame, rng, joint=settings.jitter == "joint")
    return {
        "plate": as_tensor(frame if settings.blind else plate, scale),
        "frame": as_tensor(frame, scale),
        "mask": torch.from_numpy(some.mask)[:, None].to(scale.device),
        "depth": torch.from_numpy(some.relative)[:, None].to(scale.device),
    }


def layout_of(settings: Settings, scale: Scale) -> torch.memory_format:
    """Weights' layout: bfloat16 and CompactNet's depthwise convolutions want channels last.

    SeedNet in float32 does not get it: torch 2.13 corrupts memory in its backward pass on a CPU
    where there are few channels (width 1/16).
    """
    if scale.bfloat or settings.network == "compact":
        return torch.channels_last
    return torch.contiguous_format


def as_tensor(pictures: npt.NDArray[np.float32], scale: Scale) -> Tensor:
    """(N, H, W, 3) to (N, 3, H, W), where the scale computes."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous().to(scale.device)


def _losses(
    settings: Settings, model: nn.Module, batch: dict[str, Tensor], scale: Scale
) -> dict[str, Tensor]:
    with torch.autocast(scale.device, torch.bfloat16, enabled=scale.bfloat):
        answer = model(batch["plate"], batch["frame"])
    parts = {}
    if settings.task != "depth":
        logits, truth = _flat(answer.alpha_logits, batch["mask"])
        parts["mask"] = F.binary_cross_entropy_with_logits(logits, truth)
    if settings.task != "mask":
        logits, truth = _flat(answer.disparity_logits, batch["depth"])
        parts["depth"] = depth_loss(settings.loss, logits, truth)
    return parts


def _flat(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """RGB outputs as three grey ones, each with the same target."""
    channels = logits.shape[1]
    return logits.float().flatten(0, 1)[:, None], truth.repeat_interleave(channels, 0)


def _counts(settings: Settings, name: str, late: bool) -> bool:
    return settings.order == "both" or name == ("mask" if late else "depth")


def _weight(settings: Settings, name: str) -> float:
    return settings.mask_weight if name == "mask" else 1.0


def _optimiser(settings: Settings, scale: Scale, model: nn.Module) -> torch.optim.Optimizer:
    weights = list(model.parameters())
    if settings.optimiser == "sgd":
        rate = settings.rate * scale.sgd * settings.sgd
        return torch.optim.SGD(weights, lr=rate, momentum=0.9, weight_decay=1e-5, fused=True)
    return torch.optim.Adam(weights, lr=settings.rate, fused=True)


def rate_factor(settings: Settings, step: int, steps: int, epochs: int) -> float:
    """Give the share of the learning rate that step `step` of `steps` uses.

    The report's schedule counts in shares of its nine epochs, so that a shorter run has the same
    stretches of it.
    """
    done = step / steps
    if settings.schedule == "report":
        return float(0.01 ** (math.floor(done * max(settings.epochs, epochs)) // 2))
    warm = steps / 20 if settings.optimiser == "adam" else 0
    factor = min(1.0, (step + 1) / warm) if warm else 1.0
    if settings.schedule == "cosine":
        factor *= 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return factor
