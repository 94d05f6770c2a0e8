"""The matte: mixing, un-mixing, shadow, trimap, and the controls that compositors turn.

Formulas on arrays, no files. Mixed in linear light by default.
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
