"""The subjects' disparity in a frame: from geometry, or from the network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cleanplate.arrays import Plane
from cleanplate.formats.pictures import resize
from cleanplate.predict.alignment.homography import Matrix
from cleanplate.predict.geometry.disparity_fusion import subject_everywhere
from cleanplate.predict.geometry.plate_depth import PlateDepth
from cleanplate.predict.geometry.subject_depth import SubjectDepth
from cleanplate.predict.geometry.subject_regions import MEASURING_SIZE
from cleanplate.predict.size import Size, working_size


class PlacedSubjects(NamedTuple):
    """The subjects of a frame.

    disparity: (h, w) float32 relative, everywhere that of the nearest subject.
    report: one entry per subject, largest first; empty if geometry does not place them.
    """

    disparity: Plane
    report: list[dict[str, Any]]


def place_subjects(
    *,
    regressor: SubjectDepth | None,
    alpha: Plane,
    network: Plane | None,
    plate: Plane,
    given: PlateDepth | None,
    matrix: Matrix | None,
    size: Size,
    focal: float | None,
) -> PlacedSubjects:
    """Find the disparity of each subject.

    Args:
        regressor: the model's; None = use the network's estimate.
        alpha: (h, w) the matte at working size.
        network: (h, w) relative disparity of the subject from the network; None = it has none.
        plate: (h, w) relative disparity of the plate, registered.
        given: the plate's metric depth, not registered; None = not known.
        matrix: (3, 3) the plate's registration; None = it is used where it lies.
        size: (height, width) of the frame.
        focal: focal length in pixels of the frame; None = not known.
    """
    small = working_size(size, MEASURING_SIZE)
    disparity = resize(plate, small) if given is None else given.small(small, matrix)
    if regressor is None or not np.isfinite(disparity).any():
        if network is not None:
            return PlacedSubjects(subject_everywhere(network, alpha), [])
        # `frame_disparity` then puts the subject just before the plate that it hides.
        return PlacedSubjects(np.full(alpha.shape, plate.min(), np.float32), [])
    placed = regressor.place(
        resize(alpha, small),
        np.asarray(disparity, np.float32),
        metric=given is not None,
        focal=None if focal is None else focal * small[1] / size[1],
    )
    relative = placed.disparity
    if given is not None:
        relative = given.normalisation.apply(relative)
    report = [one.as_report(size, metric=given is not None) for one in placed.subjects]
    return PlacedSubjects(relative, report)
