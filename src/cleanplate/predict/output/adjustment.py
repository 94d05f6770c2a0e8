"""Matte controls on a result: what compositors change after it was measured."""

from __future__ import annotations

import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import cv2
import numpy as np

from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_alpha
from cleanplate.matte import MixingSpace
from cleanplate.matte.matte_controls import WIDEST, check_known, choke, feather, hold
from cleanplate.predict.alignment.registration import covered, warp
from cleanplate.predict.inputs import MaskSource
from cleanplate.predict.size import Size

if TYPE_CHECKING:
    from cleanplate.predict.result import Result

_KEPT = ("plate", "_moved_given", "_shadow_behind")
"""What a result has computed that does not depend on its final matte."""


def adjust(
    result: Result,
    *,
    known_mask: MaskSource | None,
    choke: float,
    feather: float,
    despill: float,
    foreground_space: MixingSpace | None,
) -> Result:
    """Give a result after matte controls; see `Result.adjusted`."""
    check_controls(choke, feather, despill, foreground_space)
    new = copy.copy(result)
    for name in list(new.__dict__):
        if name not in _KEPT and isinstance(getattr(type(new), name, None), cached_property):
            del new.__dict__[name]
    if foreground_space is not None:
        new.foreground_space = foreground_space
    new._despill = despill
    # A copy of an adjusted result starts from what was measured.
    alpha = result.alpha if result._measured is None else result._measured
    known = None if known_mask is None else _in_frame(result, known_of(known_mask))
    if known is not None:
        alpha = hold(alpha, known)
    new._measured = alpha
    new.alpha = _shaped(alpha, known, choke, feather)
    new.report = {
        **result.report,
        "alpha_mean": round(float(new.alpha.mean(dtype=np.float64)), 6),
        "foreground": {**result.report.get("foreground", {}), "space": new.foreground_space},
        "controls": _told(known_mask, choke, feather, despill),
    }
    return new


def known_of(source: MaskSource) -> Plane:
    """Read a known mask: (H, W) float32 in [0, 1].

    Raises:
        CleanplateError: it cannot be read, is in colour, or leaves nothing to decide.
    """
    if not isinstance(source, (str, Path)):
        return check_known(np.asarray(source))
    plane = read_alpha(source)
    try:
        return check_known(plane)
    except CleanplateError as error:
        raise CleanplateError(error.what, file=source, cure=error.cure) from error


def check_known_size(known: Plane, plate: Size) -> None:
    """Refuse a known mask that is not of the plate's size, (height, width)."""
    if known.shape != plate:
        raise CleanplateError(
            f"the known mask is {known.shape[1]} x {known.shape[0]} and the plate "
            f"{plate[1]} x {plate[0]}",
            cure="paint it over the plate itself, at the plate's size",
        )


def check_controls(
    choke: float, feather: float, despill: float, foreground_space: str | None
) -> None:
    """Refuse values that no control takes, before any work."""
    for name, value, low, high in (
        ("choke", choke, -WIDEST, WIDEST),
        ("feather", feather, 0.0, WIDEST),
        ("despill", despill, 0.0, 1.0),
    ):
        if not low <= value <= high:
            raise CleanplateError(
                f"{name} {value:g} is not possible", cure=f"give {low:g} to {high:g}"
            )
    if foreground_space not in (None, *get_args(MixingSpace)):
        raise CleanplateError(
            f"there is no foreground space {foreground_space!r}",
            cure="choose linear or display",
        )


def _shaped(alpha: Plane, known: Plane | None, choked: float, feathered: float) -> Plane:
    shaped = alpha
    if choked:
        shaped = choke(shaped, choked)
    if feathered:
        shaped = feather(shaped, feathered)
    # Always out stays out, and always in stays in, whatever the controls carried there.
    return shaped if known is None or shaped is alpha else hold(shaped, known)


def _in_frame(result: Result, known: Plane) -> Plane:
    """Bring a mask of the plate to the frame's view and size, without mixing its values."""
    view = result._view
    if known.shape != view.size:
        if not result.report.get("plate_resampled"):
            check_known_size(known, view.size)
        known = np.asarray(
            cv2.resize(known, view.size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.float32
        )
    if view.matrix is None:
        return known
    moved = warp(known, view.matrix, nearest=True)
    # Beyond the plate's edge the mask says nothing.
    return np.where(covered(view.size, view.matrix), moved, np.float32(0.5))


def _told(
    known_mask: MaskSource | None, choked: float, feathered: float, despilled: float
) -> dict[str, Any]:
    given = isinstance(known_mask, (str, Path))
    return {
        "known_mask": str(known_mask) if given else None if known_mask is None else "array",
        "choke_px": choked,
        "feather_px": feathered,
        "despill": despilled,
    }
