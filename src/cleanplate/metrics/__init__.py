"""Metrics of mattes and depth maps: pure functions on arrays, every convention an argument.

`alpha` holds SAD, MAD, MSE, Grad, Conn, dtSSD and the foreground's error; `shape` IoU and
boundary F; `depth` depth errors with and without alignment, ordinal accuracy, boundary recall and
the subject's depth error. `docs/metrics.md` gives the definitions and how to match published ones.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanplate.metrics.alpha_metrics import (
        BGMV2,
        PLAIN,
        RVM,
        AlphaConvention,
        alpha_errors,
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
    from cleanplate.metrics.shape_metrics import boundary_f, iou

_NAMES = {
    "alpha_metrics": (
        "BGMV2 PLAIN RVM AlphaConvention alpha_errors conn dtssd foreground_mse grad mad mse sad "
        "unknown_band"
    ),
    "depth_metrics": (
        "align_disparity boundary_recall depth_errors disparity_errors ordinal_accuracy "
        "subject_errors"
    ),
    "shape_metrics": "boundary_f iou",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "BGMV2",
    "PLAIN",
    "RVM",
    "AlphaConvention",
    "align_disparity",
    "alpha_errors",
    "boundary_f",
    "boundary_recall",
    "conn",
    "depth_errors",
    "disparity_errors",
    "dtssd",
    "foreground_mse",
    "grad",
    "iou",
    "mad",
    "mse",
    "ordinal_accuracy",
    "sad",
    "subject_errors",
    "unknown_band",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
