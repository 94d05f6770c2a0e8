"""Table of measured subjects with their true distance: training data of the regressor."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError
from cleanplate.predict.geometry.subject_depth import assumed_focal, relative_level
from cleanplate.predict.geometry.subject_regions import connected, measure
from cleanplate.training.subject_geometry.subject_scenes import (
    CLOSEST,
    SubjectScene,
    as_measured,
    damaged,
)

KINDS = ("metric", "relative")
_TRUE_ALPHA_SHARE = 0.7
"""Share of scenes whose true alpha is measured besides the damaged one."""
_DEPTH_CAMERA_SHARE = 0.3
"""Share of scenes whose plate has the holes and noise of a depth camera."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Table:
    """Measured subjects, one row each.

    quantities: (n, k) inputs of the regressor.
    ratio: (n,) target, ln(true disparity / bound).
    stands: (n,) whether the lower edge is visible, where the plate's depth has no step.
    weight: (n,) relative probability of being sampled.
    """

    quantities: Floats
    ratio: Floats
    stands: npt.NDArray[np.bool_]
    weight: Floats

    def __len__(self) -> int:
        return len(self.ratio)

    @classmethod
    def joined(cls, tables: Iterable[Table]) -> Table:
        """Concatenate tables."""
        every = list(tables)
        return cls(
            *(
                np.concatenate([getattr(table, field.name) for table in every])
                for field in dataclasses.fields(cls)
            )
        )


class Scenes(Protocol):
    """A source of scenes by index."""

    def scene(self, index: int) -> SubjectScene | None:
        """Make the scene; None where it holds no subject."""
        ...


def subjects_of(
    scenes: Scenes, count: int, seed: int, *, weight: float = 1.0, start: int = 0
) -> dict[str, Table]:
    """Measure the subjects of `count` scenes, with damaged and partly also with true alpha.

    Args:
        scenes: the source.
        count: number of scenes, from `start` on.
        seed: of the damage, and of the choice of scenes with a known focal length.
        weight: of each row.
        start: the first scene's index.

    Returns:
        Tables by kind of plate: "metric" (metres) and "relative".

    Raises:
        CleanplateError: if no scene has a subject with known depth.
    """
    rows: dict[str, list[tuple[Floats, float, bool]]] = {kind: [] for kind in KINDS}
    for index in range(start, start + count):
        scene = scenes.scene(index)
        if scene is None or not (np.isfinite(scene.plate).any() and (scene.alpha > 0.9).any()):
            continue
        rng = np.random.default_rng([abs(seed), index])
        if rng.random() < _DEPTH_CAMERA_SHARE:
            scene = scene._replace(plate=as_measured(rng, scene.plate))
            if not np.isfinite(scene.plate).any():
                continue
        mattes = [damaged(rng, scene.alpha)]
        if rng.random() < _TRUE_ALPHA_SHARE:
            mattes.append(scene.alpha)
        for alpha in mattes:
            for kind in KINDS:
                rows[kind] += _rows(rng, scene, alpha, metric=kind == "metric")
    if not rows["metric"]:
        raise CleanplateError("none of the scenes holds a subject whose depth is known")
    return {kind: _as_table(found, weight) for kind, found in rows.items()}


def _as_table(rows: list[tuple[Floats, float, bool]], weight: float) -> Table:
    quantities, ratio, stands = zip(*rows, strict=True)
    return Table(
        np.stack(quantities),
        np.array(ratio, np.float32),
        np.array(stands),
        np.full(len(rows), weight, np.float32),
    )


def _rows(
    rng: np.random.Generator, scene: SubjectScene, alpha: Plane, *, metric: bool
) -> Iterator[tuple[Floats, float, bool]]:
    height, width = alpha.shape
    plate, subject = scene.plate, scene.subject
    lens = None
    if metric:
        lens = (assumed_focal(height, width), False)
        if scene.focal is not None and rng.random() < 0.5:
            lens = (scene.focal, True)
    else:
        level = relative_level(plate)
        plate, subject = level.apply(plate), level.apply(subject)
    for one in connected(alpha)[0]:
        true = subject[one.inside]
        counted = one.mask & (scene.alpha[one.inside] > 0.9) & np.isfinite(true) & (true > 0)
        if counted.sum() < max(12, 0.3 * one.mask.sum()):
            continue
        measured = measure(one, alpha, plate, lens)
        near = one.mask & np.isfinite(scene.subject[one.inside])
        if near.any() and float(np.median(scene.subject[one.inside][near])) > 1 / CLOSEST:
            continue
        if measured is not None:
            ratio = math.log(float(np.median(true[counted])) / measured.bound)
            yield measured.quantities, ratio, measured.stands
