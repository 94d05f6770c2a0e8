"""From samples (NumPy, one picture pair each) to a batch (torch), and to relative disparity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

RELATIVE_LIMIT = 50.0
"""Relative disparities beyond this (a subject right before a flat wall) teach no depth."""

_COLOUR = ("plate", "frame", "foreground")
_PLANES = ("alpha", "shadow")
_DISPARITY = {
    "plate_disparity": "plate_valid",
    "disparity": "valid",
    "subject_disparity": "subject_valid",
}


class Batch(NamedTuple):
    """N samples of one size. Disparity is in 1/m from the loader, relative inside the module."""

    plate: Tensor  # (N, 3, H, W) sRGB in [0, 1]
    frame: Tensor  # (N, 3, H, W)
    foreground: Tensor  # (N, 3, H, W) straight
    alpha: Tensor  # (N, 1, H, W) in [0, 1]
    shadow: Tensor  # (N, 1, H, W) in (0, 1]
    plate_disparity: Tensor  # (N, 1, H, W), 0 where unknown
    plate_valid: Tensor  # (N, 1, H, W), 1 where known
    disparity: Tensor  # (N, 1, H, W) of the frame
    valid: Tensor  # (N, 1, H, W)
    subject_disparity: Tensor  # (N, 1, H, W)
    subject_valid: Tensor  # (N, 1, H, W)
    depth_given: Tensor  # (N,) 1 where the network is shown the plate's disparity
    index: Tensor  # type: ignore[assignment]  # (N,) int64, the sample's number in the run


def collate(samples: Sequence[Mapping[str, Any]]) -> Batch:
    """Stack samples of one size; unknown (nan) disparity becomes 0 with a mask.

    Args:
        samples: dicts as `cleanplate.synthesis` makes them, optionally with `depth_given` (bool,
            default True): whether the network is shown the plate's disparity.
    """
    fields: dict[str, Tensor] = {}
    for name in _COLOUR:
        stacked = np.stack([sample[name] for sample in samples])
        channels_first = np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))
        fields[name] = torch.from_numpy(channels_first).float().div_(255)
    for name in _PLANES:
        stacked = np.stack([sample[name] for sample in samples]).astype(np.float32)
        fields[name] = torch.from_numpy(stacked).unsqueeze(1)
    for name, mask in _DISPARITY.items():
        stacked = np.stack([sample[name] for sample in samples]).astype(np.float32)
        known = np.isfinite(stacked)
        fields[name] = torch.from_numpy(np.where(known, stacked, np.float32(0))).unsqueeze(1)
        fields[mask] = torch.from_numpy(known.astype(np.float32)).unsqueeze(1)
    given = np.array([sample.get("depth_given", True) for sample in samples], np.float32)
    index = np.array([sample["index"] for sample in samples], np.int64)
    return Batch(**fields, depth_given=torch.from_numpy(given), index=torch.from_numpy(index))


def normalisation(disparity: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Median and mean absolute deviation from it, per picture, over its valid pixels.

    The torch twin of `cleanplate.depth.Normalisation.of` (Ranftl et al. 2020, eq. 5).

    Args:
        disparity: (N, 1, H, W).
        valid: (N, 1, H, W), 1 where known.

    Returns:
        Median and spread, both (N, 1, 1, 1); 0 and 1 for a picture without a valid pixel.
    """
    medians, spreads = [], []
    for picture, known in zip(disparity.float(), valid > 0, strict=True):
        values = picture[known]
        if values.numel() == 0:
            medians.append(picture.new_zeros(()))
            spreads.append(picture.new_ones(()))
            continue
        median = torch.quantile(values, 0.5)
        floor = 1e-3 * median.clamp_min(1e-3)
        medians.append(median)
        spreads.append((values - median).abs().mean().maximum(floor))
    shape = (-1, 1, 1, 1)
    return torch.stack(medians).view(shape), torch.stack(spreads).view(shape)


def relative(batch: Batch) -> Batch:
    """Put every disparity of a batch in its plate's normalisation.

    A picture whose plate has no known depth has no normalisation: its masks become 0, so it
    teaches alpha and shadow only, and so do pixels beyond `RELATIVE_LIMIT`.
    """
    median, spread = normalisation(batch.plate_disparity, batch.plate_valid)
    has_depth = batch.plate_valid.amax(dim=(1, 2, 3), keepdim=True)
    fields: dict[str, Tensor] = {"depth_given": batch.depth_given * has_depth.view(-1)}
    for name, mask in _DISPARITY.items():
        values = (getattr(batch, name) - median) / spread
        known = getattr(batch, mask) * has_depth * (values.abs() <= RELATIVE_LIMIT)
        fields[name], fields[mask] = values * known, known
    return batch._replace(**fields)
