"""The depth of each subject from geometry: how much nearer it is than what it hides.

An opaque subject is nearer than everything that it hides; where its feet are seen on the floor,
this bound is tight. A small regressor estimates from the quantities of `subject_regions.measure`
by which factor the subject's disparity exceeds the bound, with its uncertainty.
docs/subject_depth.md has the method and what it was compared with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Plane
from cleanplate.errors import CleanplateError
from cleanplate.predict.geometry.lying import lying_disparity
from cleanplate.predict.geometry.subject_regions import Subject, connected, measure, names

FIELD_OF_VIEW = 60.0
"""Degrees along the long side, where no focal length is known."""
TIGHT = 0.1
"""A subject that stands is placed by contact if it is no nearer than its bound by this share."""
ON_SURFACE = 0.05
"""Logarithmic uncertainty of a subject that lies on a known surface: a few centimetres."""
UNKNOWN = 0.7
"""Logarithmic uncertainty of a subject that hides nothing known."""
_LIFT = 0.1
_SPAN = (0.02, 0.98)
"""These quantiles of a relative plate are brought to `_LIFT` and 1 + `_LIFT`."""

Floats = npt.NDArray[np.float32]


class SubjectDistance(NamedTuple):
    """Disparity of one subject.

    box: top, left, bottom, right as shares of the picture's height and width.
    disparity: in the unit of the plate's disparity.
    uncertainty: half of the 68 % interval of ln(disparity).
    source: "surface" if it lies on one, "contact" if it is seen to stand and the bound is tight,
        else "size".
    """

    box: tuple[float, float, float, float]
    disparity: float
    uncertainty: float
    source: str

    def as_report(self, size: tuple[int, int], *, metric: bool) -> dict[str, Any]:
        """Give the entry in `Result.report`: the box in pixels, distance, interval, source.

        `size` is the frame's (height, width). Without metres there is a relative `disparity` in
        place of `distance_m`.
        """
        height, width = size
        top, left, bottom, right = self.box
        entry: dict[str, Any] = {
            "box": {
                "left": round(left * width),
                "top": round(top * height),
                "right": round(right * width),
                "bottom": round(bottom * height),
            },
            "source": self.source,
            "uncertainty": float(f"{self.uncertainty:.3g}"),
        }
        if not metric:
            return {**entry, "disparity": float(f"{self.disparity:.4g}")}
        factor = math.exp(self.uncertainty)
        near, middle, far = (
            float(f"{share / self.disparity:.4g}") for share in (1 / factor, 1.0, factor)
        )
        return {**entry, "distance_m": middle, "distance_m_68": [near, far]}


class Level(NamedTuple):
    """A shift and scale of disparity."""

    low: float
    span: float

    def apply(self, disparity: Plane) -> Plane:
        """Shift and scale; nan stays nan."""
        return ((disparity - np.float32(self.low)) / np.float32(self.span)).astype(np.float32)

    def invert(self, value: float) -> float:
        """Bring a shifted and scaled value back."""
        return value * self.span + self.low


def relative_level(disparity: Plane) -> Level:
    """Find the shift and scale after which a plate's farthest parts are at 0.1, its nearest at 1.1.

    The answers do not depend on the scale and shift that relative disparity came with.

    Args:
        disparity: (h, w) of the plate; nan where unknown.
    """
    known = disparity[np.isfinite(disparity)]
    low, high = (float(value) for value in np.quantile(known, _SPAN))
    span = max(high - low, 1e-3 * max(abs(high), 1e-3))
    return Level(low - _LIFT * span, span)


class Placed(NamedTuple):
    """All subjects of a frame.

    subjects: largest first.
    disparity: (h, w) float32, everywhere that of the nearest subject; the plate's nearest if
        there is no subject at all.
    """

    subjects: tuple[SubjectDistance, ...]
    disparity: Plane


@dataclass(frozen=True)
class Regressor:
    """Several small networks of two hidden layers; their mean counts.

    mean, deviation: (k,) of the quantities in training.
    layers: weights (E, n, m) and offsets (E, m) of E networks, three layers.
    calibration: factor on the uncertainty, from validation.
    """

    mean: Floats
    deviation: Floats
    layers: tuple[tuple[Floats, Floats], ...]
    calibration: float = 1.0

    def __call__(self, quantities: Floats) -> tuple[Floats, Floats]:
        """Give ln(disparity / bound) >= 0 and half of its 68 % interval, each (N,).

        Args:
            quantities: (N, k).
        """
        x: npt.NDArray[Any] = np.clip((quantities - self.mean) / self.deviation, -5, 5)[None]
        for place, (weights, offsets) in enumerate(self.layers):
            x = x @ weights + offsets[:, None]
            if place + 1 < len(self.layers):
                x = np.asarray(np.maximum(x, 0))
        ratio = np.logaddexp(x[..., 0], 0)
        scale = np.exp(np.clip(x[..., 1], -5, 1))
        # Of a Laplace distribution 68 % lie within 1.14 scales; networks that disagree are unsure.
        spread = np.hypot(1.14 * scale.mean(0), ratio.std(0))
        return ratio.mean(0).astype(np.float32), (self.calibration * spread).astype(np.float32)


@dataclass(frozen=True)
class SubjectDepth:
    """The regressors of a model: for plates in metres, and for relative ones."""

    metric: Regressor
    relative: Regressor

    @classmethod
    def read(cls, path: str | Path) -> SubjectDepth:
        """Read what `write` wrote.

        Raises:
            CleanplateError: if the file is missing, damaged or of another version.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            return cls(_unpacked(arrays, "metric"), _unpacked(arrays, "relative"))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise CleanplateError(
                f"is no regressor of the subject's depth ({error})",
                file=path,
                cure="`cleanplate train subject-depth` makes one for this version",
            ) from error

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give what `read` reads, for `numpy.savez_compressed`; weights of 16 bits."""
        out: dict[str, npt.NDArray[Any]] = {}
        for kind in ("metric", "relative"):
            regressor: Regressor = getattr(self, kind)
            out[f"{kind}_names"] = np.array(names(metric=kind == "metric"))
            out[f"{kind}_mean"], out[f"{kind}_deviation"] = regressor.mean, regressor.deviation
            out[f"{kind}_calibration"] = np.array([regressor.calibration], np.float32)
            for place, (weights, offsets) in enumerate(regressor.layers):
                out[f"{kind}_weights_{place}"] = weights.astype(np.float16)
                out[f"{kind}_offsets_{place}"] = offsets.astype(np.float16)
        return out

    def place(
        self, alpha: Plane, disparity: Plane, *, metric: bool, focal: float | None = None
    ) -> Placed:
        """Estimate the disparity of each subject of a frame.

        Args:
            alpha: (h, w) the matte, its long side `subject_regions.MEASURING_SIZE`.
            disparity: (h, w) of the plate; nan where unknown; in 1/m if `metric`.
            metric: whether apparent sizes are in metres.
            focal: focal length in pixels of this size; None = not known.
        """
        subjects, own = connected(alpha)
        known = disparity[np.isfinite(disparity)]
        if not known.size:
            raise ValueError("the plate's disparity is known nowhere")
        level = Level(0.0, 1.0) if metric else relative_level(disparity)
        levelled = level.apply(disparity)
        if not subjects:
            return Placed((), np.full(alpha.shape, np.float32(known.max()), np.float32))
        height, width = alpha.shape
        lens = (focal, True) if focal else (assumed_focal(height, width), False)
        found = [measure(one, alpha, levelled, lens if metric else None) for one in subjects]
        regressor = self.metric if metric else self.relative
        measurable = [one for one in found if one is not None]
        answers: Iterator[tuple[float, float]] = iter(())
        if measurable:
            ratios, spreads = regressor(np.stack([one.quantities for one in measurable]))
            answers = iter(zip(ratios.tolist(), spreads.tolist(), strict=True))
        placed = []
        lying: list[tuple[Subject, Plane]] = []
        for subject, measured in zip(subjects, found, strict=True):
            surface = lying_disparity(subject, disparity, lens[0]) if metric else None
            answer = None if measured is None else next(answers)
            if surface is not None:
                lying.append((subject, surface))
                value = float(np.median(surface[subject.mask]))
                spread, source = ON_SURFACE, "surface"
            elif measured is None or answer is None:
                value, spread, source = float(np.median(known)), UNKNOWN, "size"
            else:
                ratio, spread = answer
                value = level.invert(measured.bound * math.exp(ratio))
                tight = measured.stands and ratio < math.log(1 + TIGHT)
                source = "contact" if tight else "size"
            placed.append(SubjectDistance(_shares(subject, height, width), value, spread, source))
        values = np.array([one.disparity for one in placed], np.float32)[own]
        for subject, surface in lying:
            values[subject.inside][subject.mask] = surface[subject.mask]
        return Placed(tuple(placed), values)


def assumed_focal(height: float, width: float) -> float:
    """Focal length in pixels for a field of view of 60 degrees along the long side."""
    return max(height, width) / 2 / math.tan(math.radians(FIELD_OF_VIEW / 2))


def _shares(subject: Subject, height: int, width: int) -> tuple[float, float, float, float]:
    top, left, bottom, right = subject.box
    return top / height, left / width, bottom / height, right / width


def _unpacked(arrays: dict[str, npt.NDArray[Any]], kind: str) -> Regressor:
    if tuple(arrays[f"{kind}_names"].tolist()) != names(metric=kind == "metric"):
        raise ValueError("it measures other quantities")
    layers = tuple(
        (
            arrays[f"{kind}_weights_{place}"].astype(np.float32),
            arrays[f"{kind}_offsets_{place}"].astype(np.float32),
        )
        for place in range(3)
    )
    calibration = float(arrays[f"{kind}_calibration"][0])
    return Regressor(arrays[f"{kind}_mean"], arrays[f"{kind}_deviation"], layers, calibration)
