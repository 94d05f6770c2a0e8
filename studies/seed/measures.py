"""What a trained network is worth: its masks and its depth, against exact truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cleanplate import metrics
from cleanplate.diagnosis import cross_entropy
from cleanplate.formats.pictures import to_float
from studies.seed.camera import through
from studies.seed.sets import Pairs
from studies.seed.settings import Camera, Scale, Settings
from studies.seed.training import as_tensor, nearness, targets

CAMERAS: tuple[Camera, ...] = ("exposure", "noise", "shift", "jpeg", "all")
_CHUNK = 32
_STRESSED = 96
"""Pairs of which each camera's effect on masks is measured."""


class NotFiniteError(ValueError):
    """A network answers with NaN or infinity: its training has diverged, whatever it printed."""


class Answer(NamedTuple):
    """What a network says of N pairs, (N, S, S) float32; None where it says nothing.

    mask: in [0, 1]. logits: of depth. depth: in [0, 1], in the settings' direction.
    """

    mask: npt.NDArray[np.float32] | None
    logits: npt.NDArray[np.float32] | None
    depth: npt.NDArray[np.float32] | None


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Let BatchNorm use the mean and variance of each batch, as in training, and keep neither."""
    layers = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    kept = [(layer.running_mean, layer.running_var) for layer in layers]
    for layer in layers:
        layer.running_mean = layer.running_var = None
    try:
        yield
    finally:
        for layer, (mean, variance) in zip(layers, kept, strict=True):
            layer.running_mean, layer.running_var = mean, variance


def answers(
    settings: Settings, scale: Scale, model: nn.Module, pairs: Pairs, *, chunk: int = _CHUNK
) -> Answer:
    """Ask a network about pairs, so many at a time.

    Raises:
        NotFiniteError: if an answer is NaN or infinite.
    """
    masks, logits = [], []
    with torch.inference_mode():
        for first in range(0, len(pairs), chunk):
            some = pairs[first : first + chunk]
            shown = some.frame if settings.blind else some.plate
            plate, frame = (as_tensor(to_float(p), scale) for p in (shown, some.frame))
            with torch.autocast(scale.device, torch.bfloat16, enabled=scale.bfloat):
                answer = model(plate, frame)
            given = (answer.alpha_logits, answer.disparity_logits)
            if not all(bool(logit.isfinite().all()) for logit in given):
                raise NotFiniteError
            masks.append(answer.alpha_logits.float().mean(1).sigmoid().cpu().numpy())
            logits.append(answer.disparity_logits.float().mean(1).cpu())
    mask = np.concatenate(masks) if settings.task != "depth" else None
    if settings.task == "mask":
        return Answer(mask, None, None)
    stacked = torch.cat(logits)
    return Answer(mask, stacked.numpy(), stacked.sigmoid().numpy())


def mask_figures(mask: npt.NDArray[np.float32], pairs: Pairs) -> dict[str, float]:
    """Mean over pictures of IoU at 0.5 and MAD, and the cross-entropy as training prints it."""
    each = list(zip(mask, pairs.mask, strict=True))
    return {
        "iou": _mean(metrics.iou, each),
        "mad": _mean(metrics.mad, each),
        "mask_bce": cross_entropy(mask, pairs.mask),
    }


def depth_figures(near: npt.NDArray[np.float32], pairs: Pairs) -> dict[str, float]:
    """Mean over pictures of what a map, larger = nearer, tells of depth.

    delta1, abs_rel: after scale and shift in disparity (Ranftl et al. 2020), whole picture.
    ordinal: share of point pairs in the right order; 0.5 is chance and what a blank map gets.
    correlation: with true relative disparity, over the pixels of a picture.
    contrast: the map's standard deviation within a picture against its target's.
    subject_*: the same errors inside the subject after a fit on the scene alone.
    """
    kept: dict[str, list[float]] = {}
    for number, (one, truth) in enumerate(zip(near, pairs.disparity, strict=True)):
        found = dict[str, float]()
        errors = metrics.disparity_errors(one, truth, align=True)
        found["delta1"], found["abs_rel"] = errors["delta1"], errors["abs_rel"]
        found["ordinal"] = _or_nan(lambda: metrics.ordinal_accuracy(one, truth, pairs=2000))  # noqa: B023
        target = pairs.relative[number]
        spread = float(one.std()), float(target.std())
        found["contrast"] = spread[0] / max(spread[1], 1e-6)
        if min(spread) > 1e-6:
            found["correlation"] = float(np.corrcoef(one.ravel(), target.ravel())[0, 1])
        else:
            found["correlation"] = 0.0
        mask = pairs.mask[number]
        known = np.isfinite(truth) & (truth > 0)
        if (known & (mask > 0.5)).sum() >= 8 and (known & (mask < 0.05)).sum() >= 8:
            subject = metrics.subject_errors(one, truth, mask, align=True)
            found["subject_delta1"] = subject["delta1"]
            found["subject_abs_rel"] = subject["abs_rel"]
        for name, value in found.items():
            kept.setdefault(name, []).append(value)
    return {name: float(np.nanmean(values)) for name, values in kept.items()}


def measure(
    settings: Settings, scale: Scale, model: nn.Module, sets: dict[str, Pairs], seed: int
) -> dict[str, dict[str, float]]:
    """Every figure of a trained network, by validation set; masks also by camera.

    "known, batch statistics" and "train, batch statistics" are of BatchNorm in training mode, in
    batches as large as the training's: what the printed losses were computed with.

    Args:
        sets: `known`, `new`, `train` (pairs that were learned from, without jitter) and, where
            there are any, `pairs/clean` and `pairs/camera`.
        seed: of the cameras' draws.
    """
    found = {}
    for name, pairs in sets.items():
        answer = answers(settings, scale, model, pairs)
        found[name] = figures(settings, answer, pairs)
    with batch_statistics(model):
        for name in ("known", "train"):
            answer = answers(settings, scale, model, sets[name], chunk=scale.batch)
            found[f"{name}, batch statistics"] = figures(settings, answer, sets[name])
    if settings.task != "depth":
        some = sets["known"][:_STRESSED]
        for camera in CAMERAS:
            seen = through(some, camera, 7_000 + seed)
            mask = answers(settings, scale, model, seen).mask
            assert mask is not None
            found[f"known/{camera}"] = mask_figures(mask, seen)
    return found


def figures(settings: Settings, answer: Answer, pairs: Pairs) -> dict[str, float]:
    """Figures of one set's answers, with the cross-entropy of depth as the report prints it."""
    found = dict[str, float]()
    if answer.mask is not None:
        found |= mask_figures(answer.mask, pairs)
    if answer.depth is not None and answer.logits is not None:
        found |= depth_figures(nearness(settings, answer.depth), pairs)
        if settings.target == "report":  # its contrast is of the targets it was held to
            found["contrast"] /= 0.51 - 0.19
        truth = torch.from_numpy(targets(settings, pairs.relative))
        logits = torch.from_numpy(answer.logits)
        found["bce"] = float(nn.functional.binary_cross_entropy_with_logits(logits, truth))
    return found


def _mean(
    figure: Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], float],
    each: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
) -> float:
    return float(np.mean([figure(one, truth) for one, truth in each]))


def _or_nan(figure: Callable[[], float]) -> float:
    try:
        return figure()
    except ValueError:
        return float("nan")
