"""Metrics of alpha mattes and depth maps: pure functions with conventions as arguments.

- `alpha_metrics`: SAD, MAD, MSE, Grad, Conn, dtSSD, foreground MSE.
- `alpha_conventions`: region and factors of published figures.
- `temporal_metrics`: dtSSD of depth, jitter of a distance, lag.
- `shape_metrics`: IoU and boundary F measure.
- `label_metrics`: F measure, IoU and the share of shadow, against masks of labels.
- `depth_metrics`: depth errors with and without alignment, ordinal accuracy, boundary recall, and
  errors of the subject's depth.

`docs/metrics.md` has the definitions and the settings that reproduce published figures.
"""

from __future__ import annotations

from cleanplate.metrics.alpha_conventions import (
    BGMV2,
    PLAIN,
    RVM,
    AlphaConvention,
    alpha_errors,
)
from cleanplate.metrics.alpha_metrics import (
    conn,
    dtssd,
    foreground_mse,
    grad,
    mad,
    mse,
    sad,
    unknown_band,
)
from cleanplate.metrics.depth_metrics import (
    align_disparity,
    boundary_recall,
    depth_errors,
    disparity_errors,
    ordinal_accuracy,
    subject_errors,
)
from cleanplate.metrics.label_metrics import LabelCounts, label_counts
from cleanplate.metrics.shape_metrics import boundary_f, iou
from cleanplate.metrics.temporal_metrics import depth_dtssd, distance_jitter, lag

__all__ = [
    "BGMV2",
    "PLAIN",
    "RVM",
    "AlphaConvention",
    "LabelCounts",
    "align_disparity",
    "alpha_errors",
    "boundary_f",
    "boundary_recall",
    "conn",
    "depth_dtssd",
    "depth_errors",
    "disparity_errors",
    "distance_jitter",
    "dtssd",
    "foreground_mse",
    "grad",
    "iou",
    "label_counts",
    "lag",
    "mad",
    "mse",
    "ordinal_accuracy",
    "sad",
    "subject_errors",
    "unknown_band",
]
