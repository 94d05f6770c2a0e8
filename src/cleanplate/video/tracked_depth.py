"""The depth of a clip's frames, with the subjects at their tracked distances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from cleanplate.arrays import Plane
from cleanplate.depth import disparity_to_depth
from cleanplate.formats.pictures import resize
from cleanplate.predict.frame_outputs import compute_outputs
from cleanplate.predict.geometry.subject_regions import MEASURING_SIZE, connected
from cleanplate.predict.result import Result
from cleanplate.predict.size import working_size
from cleanplate.predict.stage_timer import StageTimer
from cleanplate.video.subject_tracking import Labels, Measurement, SubjectTracker


def tracked_depth(
    result: Result, tracker: SubjectTracker, frame: int, time: Fraction, timer: StageTimer
) -> Plane:
    """Compute a frame's depth from the distances that its subjects have over time.

    Args:
        result: of the frame, in metres, asked for "subjects".
        tracker: of the clip; it takes what was measured in this frame.
        frame: number of the frame.
        time: of it, seconds.
        timer: takes the stages "track subjects" and "depth".

    Returns:
        (H, W) float32 metres, +inf where nothing is hit, nan where unknown.
    """
    sources = result.sources
    assert sources.depth is not None
    with timer.stage("track subjects"):
        found = followed_subjects(result, tracker, frame, time)
        if found is not None:
            disparity = (1 / np.array(found.distances, np.float64)).astype(np.float32)
            assert sources.depth.normalisation is not None
            subject = sources.depth.normalisation.apply(disparity[found.nearest])
            sources = replace(sources, depth=replace(sources.depth, subject=subject))
    arrays = compute_outputs(("disparity",), result.pixels, result.alpha, sources, timer)
    return disparity_to_depth(arrays["disparity"])


class FollowedSubjects(NamedTuple):
    """Subjects of a frame with their filtered distances.

    distances: metres, by number.
    own: (h, w) number of the subject at each of its pixels, -1 where there is none.
    nearest: (h, w) number of the nearest subject at every pixel.
    """

    distances: list[float]
    own: Labels
    nearest: Labels


def followed_subjects(
    result: Result, tracker: SubjectTracker, frame: int, time: Fraction
) -> FollowedSubjects | None:
    """Take what was measured of the subjects of a frame; None if there are none.

    Args:
        result: of the frame, in metres, asked for "subjects".
        tracker: of the clip; it takes what was measured in this frame.
        frame: number of the frame.
        time: of it, seconds.
    """
    sources = result.sources
    assert sources.depth is not None
    found = [_measurement(entry) for entry in sources.depth.report]
    if not found:
        return None
    size = (result.alpha.shape[0], result.alpha.shape[1])
    alpha = resize(sources.matte.small, working_size(size, MEASURING_SIZE))
    _, nearest = connected(alpha)
    own = np.where(alpha >= 0.5, nearest, np.int32(-1))
    distances = tracker.update(own, found, frame, float(time))
    return FollowedSubjects(distances, own, nearest)


def _measurement(entry: Mapping[str, Any]) -> Measurement:
    return Measurement(float(entry["distance_m"]), float(entry["uncertainty"]))
