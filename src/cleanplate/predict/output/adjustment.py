"""Matte controls on a result: what compositors change after it was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, get_args

import cv2
import numpy as np

from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_alpha
from cleanplate.matte import MixingSpace
from cleanplate.matte import matte_controls as controls
from cleanplate.matte.matte_controls import WIDEST, check_known
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.alignment.homography import covered, warp
from cleanplate.predict.frame_outputs import OUTPUTS, check_outputs, compute_outputs
from cleanplate.predict.inputs import MaskSource
from cleanplate.predict.prediction_report import alpha_mean, measured_share
from cleanplate.predict.result_data import ResultData
from cleanplate.predict.size import Size
from cleanplate.predict.stage_timer import StageTimer

AnyResult = TypeVar("AnyResult", bound=ResultData)


def adjust(
    result: AnyResult,
    *,
    known_mask: MaskSource | None = None,
    choke: float = 0.0,
    feather: float = 0.0,
    despill: float = 0.0,
    foreground_space: MixingSpace | None = None,
    outputs: Iterable[str] | str | None = None,
) -> AnyResult:
    """Give a result after matte controls; `result` stays as it is. See docs/predict.md.

    An adjusted result that is adjusted again starts from the measured matte, with the known mask.

    Args:
        result: of `Scene.predict`.
        known_mask: a path or (H, W) array of the plate's size: black (0) = always out, white
            = always in, mid-grey = as found.
        choke: pixels by which the matte shrinks; below 0 it grows.
        feather: pixels to each side over which its edge is softened.
        despill: 0 to 1, how much of a one-coloured plate's reflection is taken out of the
            foreground.
        foreground_space: "linear" or "display": in which values the foreground will be laid
            over a new background; it is solved for that. None = as it is.
        outputs: what the new result holds, as `Scene.predict` takes it; None = what `result`
            holds. Those of depth need a result that was made with one of them.

    Raises:
        CleanplateError: a value is out of range, the mask does not fit the frame, or an output
            cannot be given.
    """
    check_controls(choke, feather, despill, foreground_space)
    space = result.foreground_space if foreground_space is None else foreground_space
    available = tuple(name for name in OUTPUTS if result.metric or name != "depth")
    wanted = check_outputs(result.outputs if outputs is None else outputs, available)
    measured, known = result.sources.matte, None
    if known_mask is not None:
        resampled = bool(result.report["plate_resampled"])
        known = _in_frame(known_of(known_mask), result.sources.plate, resampled)
        measured = measured._replace(full=controls.hold(measured.full, known))
    alpha = _shaped(measured.full, known, choke, feather)
    sources = replace(result.sources, matte=measured)
    timer = StageTimer(result.report["seconds"])
    arrays = compute_outputs(
        wanted, result.pixels, alpha, sources, timer, space=space, despill_amount=despill
    )
    report = {
        **result.report,
        "outputs": list(wanted),
        "alpha_mean": alpha_mean(alpha),
        "foreground": {**result.report.get("foreground", {}), "space": space},
        "controls": _controls_report(known_mask, choke, feather, despill),
        "seconds": timer.seconds(),
    }
    if report["plate_depth"] is not None:
        report["plate_depth"] = {**report["plate_depth"], "measured": measured_share(arrays)}
    return replace(
        result, alpha=alpha, arrays=arrays, sources=sources, report=report, foreground_space=space
    )


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


def _shaped(alpha: Plane, known: Plane | None, choke: float, feather: float) -> Plane:
    shaped = alpha
    if choke:
        shaped = controls.choke(shaped, choke)
    if feather:
        shaped = controls.feather(shaped, feather)
    # Always out stays out, and always in stays in, whatever the controls carried there.
    return shaped if known is None or shaped is alpha else controls.hold(shaped, known)


def _in_frame(known: Plane, plate: AlignedPlate, resampled: bool) -> Plane:
    """Bring a mask of the plate to the frame's view and size, without mixing its values."""
    if known.shape != plate.size:
        if not resampled:
            check_known_size(known, plate.size)
        known = np.asarray(
            cv2.resize(known, plate.size[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.float32
        )
    if plate.matrix is None:
        return known
    moved = warp(known, plate.matrix, nearest=True)
    # Beyond the plate's edge the mask says nothing.
    return np.where(covered(plate.size, plate.matrix), moved, np.float32(0.5))


def _controls_report(
    known_mask: MaskSource | None, choke: float, feather: float, despill: float
) -> dict[str, Any]:
    given = isinstance(known_mask, (str, Path))
    return {
        "known_mask": str(known_mask) if given else None if known_mask is None else "array",
        "choke_px": choke,
        "feather_px": feather,
        "despill": despill,
    }
