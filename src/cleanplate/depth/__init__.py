"""Depth and disparity: conversion, alignment, codecs, files, colour maps and point clouds.

Depth is planar depth, the distance along the optical axis, in metres: +inf where nothing is hit.
Disparity is 1 / depth in 1/m: 0 at infinity. NaN means unknown in both. Integer arrays are depth
in millimetres.
"""

from __future__ import annotations

from cleanplate.depth.conversion import (
    Intrinsics,
    Normalisation,
    colour_map,
    depth_to_disparity,
    disparity_to_depth,
    fit_scale_shift,
    point_cloud,
)
from cleanplate.depth.depth_files import (
    read_depth,
    read_disparity,
    write_depth,
    write_disparity,
    write_ply,
)

__all__ = [
    "Intrinsics",
    "Normalisation",
    "colour_map",
    "depth_to_disparity",
    "disparity_to_depth",
    "fit_scale_shift",
    "point_cloud",
    "read_depth",
    "read_disparity",
    "write_depth",
    "write_disparity",
    "write_ply",
]
