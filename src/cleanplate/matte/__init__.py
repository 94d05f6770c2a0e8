"""Matte formulas: compositing, foreground estimation, shadow, trimap, choke, feather, despill.

Pure functions on arrays, without file access. Colours are mixed in linear light by default.
"""

from __future__ import annotations

from cleanplate.matte.compositing import (
    MixingSpace,
    darken,
    over,
    premultiply,
    push_pull,
    solve_foreground,
    trimap,
)

__all__ = [
    "MixingSpace",
    "darken",
    "over",
    "premultiply",
    "push_pull",
    "solve_foreground",
    "trimap",
]
