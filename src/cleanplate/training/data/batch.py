"""Batch: samples (NumPy) collated to tensors, and their conversion to relative disparity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cleanplate.training.disparity_normalisation import normalisation

RELATIVE_LIMIT = 50.0
"""Pixels with a larger |relative disparity| (a subject close to a flat wall) are masked out."""

_COLOUR = ("plate", "frame", "foreground")
_PLANES = ("alpha", "shadow")
_DISPARITY = {
    "plate_disparity": "plate_valid",
    "disparity": "valid",
    "subject_disparity": "subject_valid",
}


class Batch(NamedTuple):
    """N samples of one size, float32. Disparity: 1/m from the loader, relative after `relative`."""

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
    depth_given: Tensor  # (N,) 1 where the plate's disparity is an input of the network
    index: Tensor  # type: ignore[assignment]  # (N,) int64, the sample's number in the run


def collate(samples: Sequence[Mapping[str, Any]]) -> Batch:
    """Stack samples of one size; unknown (nan) disparity becomes 0 with a mask.

    Args:
        samples: dicts of arrays as `cleanplate.synthesis` makes them, optionally with
            `depth_given` (bool, default True): whether the plate's disparity is an input.
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


def relative(batch: Batch) -> Batch:
    """Convert every disparity of a batch to the normalisation of its plate.

    The masks of pictures whose plate has no known depth become 0, so that only alpha and shadow
    are learned from them; likewise those of pixels beyond `RELATIVE_LIMIT`.
    """
    median, spread = normalisation(batch.plate_disparity, batch.plate_valid)
    has_depth = batch.plate_valid.amax(dim=(1, 2, 3), keepdim=True)
    fields: dict[str, Tensor] = {"depth_given": batch.depth_given * has_depth.view(-1)}
    for name, mask in _DISPARITY.items():
        values = (getattr(batch, name) - median) / spread
        known = getattr(batch, mask) * has_depth * (values.abs() <= RELATIVE_LIMIT)
        fields[name], fields[mask] = values * known, known
    return batch._replace(**fields)
