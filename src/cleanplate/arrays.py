"""Type aliases of the NumPy arrays that the package uses, with shape, dtype and range."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Coded: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Input or output picture: (H, W, 3) RGB, uint8 or uint16, sRGB-coded, full integer range."""

Picture: TypeAlias = npt.NDArray[np.float32]
"""Picture inside the package: (H, W, 3) float32 RGB in [0, 1], sRGB-coded unless named linear."""

Plane: TypeAlias = npt.NDArray[np.float32]
"""Map of one float32 per pixel, (H, W): alpha or shadow in [0, 1], depth in m, disparity in 1/m."""

Mask: TypeAlias = npt.NDArray[np.bool_]
"""Boolean mask, (H, W)."""

Bytes: TypeAlias = npt.NDArray[np.uint8]
"""8-bit samples, uint8; the shape is documented where the alias is used."""
