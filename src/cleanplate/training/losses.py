"""Loss functions of alpha, shadow and disparity, and their weighted sum.

Alpha, shadow and masks are (N, 1, H, W) in [0, 1]; disparity is relative, (N, 1, H, W). Every
function returns a scalar unless it says otherwise, in float32 whatever the network's precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from cleanplate.training.disparity_normalisation import normalisation
from cleanplate.training.networks.contract import Prediction

Objective: TypeAlias = Callable[[Prediction, Mapping[str, Tensor]], dict[str, Tensor]]
"""What a run minimises: the parts of the loss by name, each a scalar, and their sum `total`.

Called with the network's outputs and the batch's tensors as in `matte_losses`.
"""


def masked_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Average `values` weighted by `weights` (same shape); 0 if all weights are 0."""
    return (values * weights).sum() / weights.sum().clamp_min(1e-6)


def masked_mean_each(values: Tensor, weights: Tensor) -> Tensor:
    """Average `values` per picture as `masked_mean`, then over pictures with any weight.

    A small subject counts as much as a large one.
    """
    weight = weights.sum((1, 2, 3))
    means = (values * weights).sum((1, 2, 3)) / weight.clamp_min(1e-6)
    present = (weight > 1e-6).float()
    return (means * present).sum() / present.sum().clamp_min(1.0)


def alpha_l1(alpha: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of two alphas."""
    return (alpha - truth).abs().mean()


def _blur(picture: Tensor) -> Tensor:
    """Blur by the binomial 5 x 5 filter, borders reflected (Burt & Adelson 1983)."""
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=picture.device) / 16.0
    mode = "reflect" if min(picture.shape[-2:]) > 2 else "replicate"
    padded = F.pad(picture, (2, 2, 2, 2), mode=mode)
    return F.conv2d(F.conv2d(padded, taps.view(1, 1, 1, 5)), taps.view(1, 1, 5, 1))


def laplacian_pyramid(picture: Tensor, levels: int) -> list[Tensor]:
    """Compute a Laplacian pyramid's band-pass levels, finest first, without the low-pass residual.

    Args:
        picture: (N, 1, H, W).
        levels: at most; there are fewer where a side would be below 4 pixels.

    Returns:
        (N, 1, ceil(H / 2^k), ceil(W / 2^k)) for k = 0, 1, ...
    """
    bands = []
    current = picture
    for _ in range(levels):
        if min(current.shape[-2:]) < 4:
            break
        low = _blur(current)
        smaller = low[..., ::2, ::2]
        up = F.interpolate(smaller, size=current.shape[-2:], mode="bilinear", align_corners=False)
        bands.append(current - up)
        current = smaller
    return bands


def laplacian_l1(alpha: Tensor, truth: Tensor, levels: int = 5) -> Tensor:
    """Laplacian pyramid loss of alpha: sum over levels of 2^level times the mean L1.

    Hou & Liu 2019 (Context-Aware Image Matting, eq. 3); used by Forte & Pitie 2020 (F, B, Alpha
    Matting). Divided by the number of levels, so that its magnitude does not depend on them. The
    pyramid is linear, so one pyramid of the difference is enough.
    """
    bands = laplacian_pyramid(alpha - truth, levels)
    total = torch.stack([2**level * band.abs().mean() for level, band in enumerate(bands)]).sum()
    return total / len(bands)


def empty_pair_loss(alpha: Tensor, truth: Tensor) -> Tensor:
    """Mean predicted alpha over pairs without a subject (true alpha 0 everywhere); 0 if none is."""
    empty = (truth.amax((1, 2, 3)) <= 0).float()
    return (alpha.mean((1, 2, 3)) * empty).sum() / empty.sum().clamp_min(1.0)


def jaccard(alpha: Tensor, truth: Tensor) -> Tensor:
    """Soft Jaccard loss, 1 - intersection over union, averaged over pictures with a subject.

    Intersection and union are the sums of the smaller and of the larger values (Ruzicka
    similarity). A small subject counts as much as a large one.
    """
    smaller = torch.minimum(alpha, truth).sum((1, 2, 3))
    larger = torch.maximum(alpha, truth).sum((1, 2, 3))
    there = (truth.amax((1, 2, 3)) > 0).float()
    loss = 1 - smaller / larger.clamp_min(1e-6)
    return (loss * there).sum() / there.sum().clamp_min(1.0)


def shadow_log_l1(shadow: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of |log shadow - log truth|: shadow is a factor on light, in (0, 1].

    Args:
        shadow: predicted.
        truth: likewise.
        weights: 1 where the scene is visible, 0 where the subject hides it.
    """
    difference = shadow.clamp_min(1e-3).log() - truth.clamp_min(1e-3).log()
    return masked_mean(difference.abs(), weights)


def gradient_l1(difference: Tensor, valid: Tensor, scales: int = 4) -> Tensor:
    """Multi-scale L1 of the gradients of a disparity difference.

    Ranftl et al. 2020, eq. 11, after Li & Snavely 2018: on every 2^k-th pixel for k = 0 to
    `scales` - 1, between pixels that are both valid.
    """
    total = difference.new_zeros(())
    for scale in range(scales):
        step = 2**scale
        d, v = difference[..., ::step, ::step], valid[..., ::step, ::step]
        for axis in (2, 3):
            if d.shape[axis] < 2:
                continue
            both = v.narrow(axis, 1, v.shape[axis] - 1) * v.narrow(axis, 0, v.shape[axis] - 1)
            total = total + masked_mean(d.diff(dim=axis).abs(), both)
    return total / scales


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term of the loss."""

    alpha: float = 1.0
    laplacian: float = 1.0
    empty_pair: float = 0.5
    """Mean alpha on pairs without a subject."""
    jaccard: float = 0.0
    shadow: float = 0.2
    plate_disparity: float = 0.25
    subject_disparity: float = 0.2
    gradient: float = 0.1
    teacher: float = 1.0
    """Difference from a teacher's alpha and shadow; only with `Recipe.teacher`."""


def matte_losses(prediction: Prediction, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute every term of the loss, unweighted.

    With the plate's depth as an input, disparity is compared in the plate's normalisation, by
    plain L1. Without it, the plate's disparity is compared up to scale and shift (Ranftl et al.
    2020), and the subject's with the scale and shift of its plate. The subject's error is divided
    by 1 + |true relative disparity|: a face at arm's length is ten times the plate's spread away
    from its room, and one such portrait would dominate the batch.

    Args:
        prediction: with alpha; terms of outputs that are None are left out.
        batch: alpha, shadow, plate_disparity, plate_valid, subject_disparity, subject_valid,
            disparity and valid, (N, 1, H, W), disparities in the plate's normalisation; and
            depth_given, (N,) in {0, 1}: whether the plate's depth was an input.

    Returns:
        Name of a term, as in `LossWeights` -> scalar.
    """
    assert prediction.alpha is not None
    alpha, truth = prediction.alpha.float(), batch["alpha"]
    parts = {
        "alpha": alpha_l1(alpha, truth),
        "laplacian": laplacian_l1(alpha, truth),
        "empty_pair": empty_pair_loss(alpha, truth),
        "jaccard": jaccard(alpha, truth),
    }
    if prediction.shadow is not None:
        seen = 1.0 - truth
        parts["shadow"] = shadow_log_l1(prediction.shadow.float(), batch["shadow"], seen)
    if prediction.disparity is None:
        return parts
    if prediction.plate_disparity is None:
        parts.update(_frame_disparity(prediction.disparity.float(), batch))
        return parts
    plate, valid = prediction.plate_disparity.float(), batch["plate_valid"]
    given = batch["depth_given"].view(-1, 1, 1, 1)
    median, spread = normalisation(plate, valid)
    median, spread = median * (1 - given), spread * (1 - given) + given
    target_median, target_spread = normalisation(batch["plate_disparity"], valid)

    def aligned(disparity: Tensor) -> Tensor:
        return (disparity - median) / spread

    def target(disparity: Tensor) -> Tensor:
        normal = (disparity - target_median) / target_spread
        return torch.where(given > 0, disparity, normal)

    difference = aligned(plate) - target(batch["plate_disparity"])
    parts["plate_disparity"] = masked_mean_each(difference.abs(), valid)
    parts["gradient"] = gradient_l1(difference, valid)
    # A plain L1 with a small weight keeps the free scale near the plate's own: without it the
    # scale may drift, and small numbers lose precision.
    parts["plate_disparity"] = parts["plate_disparity"] + 0.1 * masked_mean_each(
        (plate - batch["plate_disparity"]).abs(), valid
    )
    if prediction.subject_disparity is not None:
        subject, truth = (
            aligned(prediction.subject_disparity.float()),
            target(batch["subject_disparity"]),
        )
        weights = batch["alpha"] * batch["subject_valid"] * valid.amax((2, 3), keepdim=True)
        parts["subject_disparity"] = masked_mean_each(
            (subject - truth).abs() / (1.0 + truth.abs()), weights
        )
    return parts


def _frame_disparity(disparity: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute the terms of a network with one disparity for the whole frame, as SeedNet."""
    valid = batch["valid"]
    median, spread = normalisation(disparity, valid)
    target_median, target_spread = normalisation(batch["disparity"], valid)
    difference = (disparity - median) / spread - (
        batch["disparity"] - target_median
    ) / target_spread
    return {
        "plate_disparity": masked_mean_each(difference.abs(), valid),
        "gradient": gradient_l1(difference, valid),
    }


def plate_depth_losses(prediction: Prediction, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute the terms of the plate's disparity, compared up to scale and shift.

    Ranftl et al. 2020, eqs. 5 to 11. A plain L1 with a small weight keeps the free scale near the
    plate's own.

    Args:
        prediction: with plate_disparity.
        batch: as for `matte_losses`; only plate_disparity and plate_valid are used.

    Returns:
        Name of a term, as in `LossWeights` -> scalar.
    """
    assert prediction.plate_disparity is not None
    plate, valid = prediction.plate_disparity.float(), batch["plate_valid"]
    target = batch["plate_disparity"]
    (median, spread), (target_median, target_spread) = (
        normalisation(disparity, valid) for disparity in (plate, target)
    )
    difference = (plate - median) / spread - (target - target_median) / target_spread
    plain = masked_mean_each((plate - target).abs(), valid)
    return {
        "plate_disparity": masked_mean_each(difference.abs(), valid) + 0.1 * plain,
        "gradient": gradient_l1(difference, valid),
    }


class MatteLoss:
    """Weighted sum of `matte_losses`."""

    parts = staticmethod(matte_losses)

    def __init__(self, weights: LossWeights | None = None):
        self.weights = asdict(weights or LossWeights())

    def __call__(self, prediction: Prediction, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute each term, unweighted, and their weighted sum as `total`; see `matte_losses`."""
        parts = self.parts(prediction, batch)
        total = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        return {**parts, "total": total}


class PlateDepthLoss(MatteLoss):
    """Weighted sum of `plate_depth_losses`."""

    parts = staticmethod(plate_depth_losses)
