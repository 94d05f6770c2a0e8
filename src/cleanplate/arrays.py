"""Names for the arrays that travel through the package."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Coded: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""A picture at the package's edges: (H, W, 3) RGB, sRGB-coded, full integer range."""

Picture: TypeAlias = npt.NDArray[np.float32]
"""A picture inside the package: (H, W, 3) RGB in [0, 1], sRGB-coded unless named linear."""

Plane: TypeAlias = npt.NDArray[np.float32]
"""One float per pixel: (H, W). Alpha and shadow in [0, 1], depth in metres, disparity in 1/m."""

Mask: TypeAlias = npt.NDArray[np.bool_]
"""(H, W), True where something holds."""

Bytes: TypeAlias = npt.NDArray[np.uint8]
"""Samples of eight bits, in whatever shape the text beside says."""
