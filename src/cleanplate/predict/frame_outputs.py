"""The outputs of a frame: their names, and how each is computed from what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Mask, Picture, Plane
from cleanplate.bilinear import Enlarged, enlarge
from cleanplate.depth import Normalisation
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import to_float
from cleanplate.matte import MixingSpace
from cleanplate.matte.foreground import Layers, spread_foreground, subject_region
from cleanplate.matte.matte_controls import despill
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.frame_pixels import FramePixels
from cleanplate.predict.geometry import disparity_fusion
from cleanplate.predict.stage_timer import StageTimer
from cleanplate.predict.upsample import Matte

OUTPUTS = (
    "alpha",
    "foreground",
    "shadow",
    "disparity",
    "depth",
    "subject_disparity",
    "depth_measured",
    "plate",
    "subjects",
)
"""Names of the outputs; `ResultData` describes each. Alpha is always computed."""

OF_DEPTH = frozenset(("disparity", "depth", "subject_disparity", "depth_measured", "subjects"))
"""Those that need the subjects' disparity."""

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class DepthSources:
    """What the frame's disparity is computed from.

    subject: (h, w) relative disparity of the nearest subject, carried beyond its edge.
    plate: (h, w) relative disparity of the plate, registered.
    given: (H, W) the plate's metric disparity, not registered, nan where unknown; None = not known.
    normalisation: what turns relative disparity into 1/m; None = there are no metres.
    holes: what becomes of pixels that `given` does not know.
    report: one entry per subject, largest first.
    """

    subject: Plane
    plate: Plane
    given: Plane | None
    normalisation: Normalisation | None
    holes: disparity_fusion.Holes
    report: list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class FrameSources:
    """What the outputs of a frame are computed from, for this matte or an adjusted one.

    plate: aligned with the frame.
    hidden: (h, w) bool where the registered plate shows nothing; None = nowhere.
    matte: as it was measured, before controls other than a known mask.
    shadow: (h, w) the network's estimate.
    depth: None where no output of depth was asked for.
    """

    plate: AlignedPlate
    hidden: Mask | None
    matte: Matte
    shadow: Plane
    depth: DepthSources | None


def check_outputs(
    outputs: Iterable[str] | str | None,
    available: Sequence[str],
    no_depth: CleanplateError | None = None,
) -> tuple[str, ...]:
    """Check which outputs are asked for, and put them in the order of `OUTPUTS`.

    Args:
        outputs: names, or one name; None = all that are available.
        available: what the scene can give.
        no_depth: why it can give no output of depth, if so.

    Raises:
        CleanplateError: an unknown name, or an output that this scene cannot give.
    """
    if outputs is None:
        return tuple(available)
    wanted = {"alpha", *((outputs,) if isinstance(outputs, str) else outputs)}
    unknown = sorted(wanted.difference(OUTPUTS))
    if unknown:
        raise CleanplateError(
            f"there is no output {', '.join(unknown)}", cure=f"choose of: {', '.join(OUTPUTS)}"
        )
    if no_depth is not None and wanted & OF_DEPTH:
        raise no_depth
    if "depth" in wanted and "depth" not in available:
        raise no_metres()
    if "depth" in wanted:
        wanted.add("disparity")
    return tuple(name for name in OUTPUTS if name in wanted)


def no_plate_disparity() -> CleanplateError:
    """Give the error of who asks for disparity where the plate's is neither given nor estimated."""
    return CleanplateError(
        "there is no disparity: this model does not estimate the plate's depth",
        cure="give it: predictor.scene(plate, depth=...), on the command line --plate-depth; or "
        "take a model that has plate_depth.onnx",
    )


def no_subject_disparity() -> CleanplateError:
    """Give the error of who asks for disparity where nothing places the subjects."""
    return CleanplateError(
        "there is no disparity: this model does not estimate the subject's depth",
        cure="`cleanplate export RUN -o FOLDER --subject-depth RUN` adds a regressor of it",
    )


def no_metres() -> CleanplateError:
    """Give the error of who asks for metres where the plate's depth is not known."""
    return CleanplateError(
        "depth in metres needs the plate's depth; without it there is only `disparity`, relative",
        cure="predictor.scene(plate, depth=...), on the command line --plate-depth",
    )


def compute_outputs(
    outputs: Iterable[str],
    frame: FramePixels,
    alpha: Plane,
    sources: FrameSources,
    timer: StageTimer,
    *,
    space: MixingSpace = "linear",
    despill_amount: float = 0.0,
) -> Arrays:
    """Compute the arrays among `outputs` at the frame's size, without alpha.

    Args:
        outputs: names of `OUTPUTS`; "depth" and "subjects" are no arrays of their own.
        frame: that the outputs are of, (H, W).
        alpha: (H, W) the final matte. Colour is solved from the measured one in `sources`: a
            choked or feathered matte is no coverage.
        sources: what was found in the frame.
        timer: takes the stages "plate", "shadow", "foreground" and "depth".
        space: in which values the foreground will be mixed.
        despill_amount: 0 to 1, how much of a one-coloured plate's reflection is taken out.
    """
    wanted, found = set(outputs), Arrays()
    if "plate" in wanted:
        with timer.stage("plate"):
            found["plate"] = sources.plate.full()
    if "shadow" in wanted:
        with timer.stage("shadow"):
            behind = enlarge(_shadow_behind(sources), sources.plate.size)
            found["shadow"] = disparity_fusion.shadow_seen(behind, alpha)
    if "foreground" in wanted:
        with timer.stage("foreground"):
            colour = _foreground(frame, sources, space)
            if despill_amount:
                colour = despill(colour, sources.plate.full(), despill_amount)
            found["foreground"] = colour
    if wanted & OF_DEPTH:
        with timer.stage("depth"):
            found |= _of_depth(wanted, alpha, sources)
    return {name: found[name] for name in OUTPUTS if name in wanted and name in found}


def _shadow_behind(sources: FrameSources) -> Plane:
    """Give the shadow at working size, carried on behind the subject."""
    return disparity_fusion.shadow_behind(sources.shadow, sources.matte.small)


def _foreground(frame: FramePixels, sources: FrameSources, space: MixingSpace) -> Picture:
    """Solve the subject's colour; frame, plate and shadow are computed in its region alone."""
    alpha = sources.matte.full
    region = subject_region(alpha)
    if region is None:
        return np.array(to_float(frame.rgb))
    rows, columns = region
    shadow = Enlarged(_shadow_behind(sources), sources.plate.size).part(rows, columns)
    plate = sources.plate.part(rows, columns)
    layers = Layers(frame.part(rows, columns), plate, alpha[region], shadow, space)
    return spread_foreground(layers, region, alpha.shape)


def _of_depth(wanted: set[str], alpha: Plane, sources: FrameSources) -> Arrays:
    depth = sources.depth
    if depth is None:
        raise CleanplateError(
            "this result was made without depth",
            cure='scene.predict(frame, outputs=(..., "disparity"))',
        )
    given = None if depth.given is None else sources.plate.moved_disparity(depth.given)
    found = Arrays()
    if "disparity" in wanted:
        found["disparity"] = disparity_fusion.frame_disparity(
            alpha, depth.subject, depth.plate, given, depth.normalisation, holes=depth.holes
        )
    if "depth_measured" in wanted:
        found["depth_measured"] = disparity_fusion.measured(alpha, given)
    if "subject_disparity" in wanted:
        carried = enlarge(depth.subject, sources.plate.size)
        if depth.normalisation is not None:
            carried = np.maximum(depth.normalisation.invert(carried), np.float32(0))
        found["subject_disparity"] = carried
    return found
