"""Depth in OpenEXR files, by whichever library can.

OpenCV reads them where it was built with OpenEXR (the 4.x wheels are, the 5.x are not);
the OpenEXR library itself, the extra `exr`, comes first when it is installed.
"""

from __future__ import annotations

import os
from pathlib import Path

# OpenCV looks at this when it first meets an EXR file; without it its codec is off.
os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")


from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError

_DEPTH_NAMES = ("Z", "Y", "depth.Z", "Depth.Z", "ViewLayer.Depth.Z", "depth", "Depth", "V")


def read(path: str | Path) -> Plane:
    """Read the depth channel of an EXR as (H, W) float32."""
    raise CleanplateError("EXR")


def write(path: str | Path, depth: Plane) -> None:
    """Write (H, W) float32 as the channel Z of an EXR."""
    raise CleanplateError("EXR")
