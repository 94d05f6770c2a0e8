"""The report of a result: what was measured and done, in plain numbers and words."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from cleanplate.predict.frame_outputs import Arrays, FrameSources
from cleanplate.predict.geometry.plate_depth import PlateDepth
from cleanplate.predict.prediction_settings import PredictionSettings
from cleanplate.predict.session import PairSession
from cleanplate.predict.size import Size


def frame_report(
    *,
    session: PairSession,
    settings: PredictionSettings,
    network: Size,
    sources: FrameSources,
    given: PlateDepth | None,
    plate_depth_source: dict[str, Any] | None,
    arrays: Arrays,
    no_depth: str | None,
) -> dict[str, Any]:
    """Report what was found in one frame; JSON gives it back unchanged.

    Args:
        session: the network.
        settings: the predictor's.
        network: (height, width) at which the network saw it.
        sources: what was found.
        given: the plate's metric depth; None = not known.
        plate_depth_source: what the plate's depth comes from; None = the model estimates it.
        arrays: the outputs.
        no_depth: why no output of depth can be given, if so.
    """
    plate, hidden, working = sources.plate, sources.hidden, sources.matte.small.shape
    metric = given is not None
    return {
        "model": {"name": session.model.name, "sha256": session.model.hash},
        "providers": list(session.providers),
        "threads": session.threads,
        "size": _named(plate.size),
        "working_size": _named((working[0], working[1])),
        "network_size": _named(network),
        "health": plate.health.with_matte(sources.matte.small).as_report(),
        "align": settings.align,
        "alignment": None if plate.registration is None else plate.registration.as_report(),
        "exposure": plate.exposure.as_report(),
        "not_covered": 0.0 if hidden is None else round(float(hidden.mean()), 4),
        "alpha_mean": alpha_mean(sources.matte.full),
        "subjects": None if sources.depth is None else sources.depth.report,
        "metric": metric,
        "plate_depth": (
            None
            if given is None
            else {
                **deepcopy(given.report),
                "holes": settings.depth_holes,
                "measured": measured_share(arrays),
            }
        ),
        "plate_depth_source": deepcopy(plate_depth_source),
        "units": {
            "depth": "m along the optical axis" if metric else None,
            "disparity": (None if no_depth else "1/m" if metric else "relative, larger is nearer"),
        },
        "no_depth": no_depth,
    }


def alpha_mean(alpha: np.ndarray[Any, Any]) -> float:
    """Give the share of the picture that the matte covers."""
    return round(float(alpha.mean(dtype=np.float64)), 6)


def measured_share(arrays: Arrays) -> float | None:
    """Give the share of pixels whose depth was measured; None where that was not asked for."""
    measured = arrays.get("depth_measured")
    return None if measured is None else round(float(measured.mean(dtype=np.float64)), 4)


def _named(size: Size) -> dict[str, int]:
    return {"width": size[1], "height": size[0]}
