"""Matte formulas: compositing, foreground estimation, shadow, trimap, choke, feather, despill.

Pure functions on arrays, without file access. Colours are mixed in linear light by default.
"""

from __future__ import annotations

from cleanplate.matte.compositing import darken, over, premultiply, trimap
from cleanplate.matte.foreground import solve_foreground
from cleanplate.matte.interpolation import push_pull
from cleanplate.matte.mixing_space import MixingSpace

__all__ = [
    "MixingSpace",
    "darken",
    "over",
    "premultiply",
    "push_pull",
    "solve_foreground",
    "trimap",
]
