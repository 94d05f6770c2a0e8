"""What cross-entropy on grey targets can be at all: so that a flat curve can be read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cleanplate.diagnosis import loss_floors


def floors(targets: npt.NDArray[np.float32]) -> dict[str, float]:
    """Give `cleanplate.diagnosis.loss_floors` of (N, H, W), and the targets' 1 % and 99 %."""
    low, high = np.percentile(targets, (1, 99))
    return {**loss_floors(targets), "low": float(low), "high": float(high)}
