"""Alpha conventions: by which region and factors a publication computes its figures of a matte.

`PLAIN` is this project's; `RVM` and `BGMV2` are those of the papers of these names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.metrics.alpha_metrics import conn, grad, mad, mse, sad, unknown_band


@dataclass(frozen=True)
class AlphaConvention:
    """Metric convention of a publication: region and scale factors of `alpha_errors`.

    Attributes:
        name: short name.
        region: "whole" picture, or the "unknown" region of a trimap.
        sad: scale of SAD.
        mad: scale of MAD.
        mse: scale of MSE.
        grad: scale of the gradient error.
        conn: scale of the connectivity error.
    """

    name: str
    region: Literal["whole", "unknown"]
    sad: float
    mad: float
    mse: float
    grad: float
    conn: float


PLAIN = AlphaConvention("plain", "whole", sad=1e-3, mad=1.0, mse=1.0, grad=1e-3, conn=1e-3)
"""Convention of this project: whole picture, unscaled means, sums in thousands."""

RVM = AlphaConvention("rvm", "whole", sad=1e-3, mad=1e3, mse=1e3, grad=1e-3, conn=1e-3)
"""RobustVideoMatting's `evaluate_lr.py`: whole picture, MAD and MSE in thousandths."""

BGMV2 = AlphaConvention("bgmv2", "unknown", sad=1e-3, mad=1.0, mse=1.0, grad=1.0, conn=1.0)
"""BackgroundMattingV2's `eval/*.m`: the trimap's unknown region; it does not report MAD."""


def alpha_errors(
    alpha: Plane,
    truth: Plane,
    *,
    convention: AlphaConvention = PLAIN,
    trimap: npt.NDArray[np.uint8] | None = None,
) -> dict[str, float]:
    """Compute SAD, MAD, MSE, gradient and connectivity errors in one convention.

    Args:
        alpha: (H, W) predicted, float in [0, 1].
        truth: (H, W) true, float in [0, 1].
        convention: region and scale factors.
        trimap: (H, W) uint8 of 0, 128, 255; used if the convention's region is "unknown".

    Returns:
        "sad", "mad", "mse", "grad", "conn" -> value.

    Raises:
        ValueError: as `sad`, or if the convention needs a trimap and none is given.

    Examples:
        >>> alpha, truth = np.array([[1.0, 0.5]]), np.array([[1.0, 0.0]])
        >>> alpha_errors(alpha, truth)["mad"]  # (0 + 0.5) / 2
        0.25
        >>> alpha_errors(alpha, truth, convention=RVM)["mad"]  # the same in thousandths
        250.0
    """
    region = None
    if convention.region == "unknown":
        if trimap is None:
            raise ValueError(f"the convention {convention.name!r} counts only a trimap's 128")
        region = unknown_band(trimap)
    return {
        "sad": sad(alpha, truth, region=region, scale=convention.sad),
        "mad": mad(alpha, truth, region=region, scale=convention.mad),
        "mse": mse(alpha, truth, region=region, scale=convention.mse),
        "grad": grad(alpha, truth, region=region, scale=convention.grad),
        "conn": conn(alpha, truth, region=region, scale=convention.conn),
    }
