"""Evaluation on RGB-D pairs: predicted depth of objects against a depth camera's.

    NAME_plate.EXT  NAME_frame.EXT                    pictures of one fixed camera
    NAME_plate_depth.EXT  NAME_frame_depth.EXT        measured depth, 16-bit PNG in millimetres with
                                                      0 = no reading, or metres in NPY, EXR, TIFF

There is no true alpha. Object pixels are those with measured depth in both that are nearer in the
frame by more than `MOVED`; depth is scored on those of them where the predicted alpha is > 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cleanplate.arrays import Coded, Plane
from cleanplate.depth.depth_files import read_depth
from cleanplate.errors import CleanplateError
from cleanplate.files.listing import PICTURE_SUFFIXES, natural_key
from cleanplate.formats.pictures import read_image
from cleanplate.pairs.protocols import PairPredictor, output_named, predict_outputs

MOVED = 0.01
"""Metres by which object pixels are nearer than the plate; depth cameras have some mm of noise."""
_FORM = (
    "Such a pair is NAME_plate.*, NAME_frame.*, NAME_plate_depth.* and NAME_frame_depth.*, in one "
    "folder."
)
_DEPTHS = (".png", ".npy", ".exr", ".tif", ".tiff")


@dataclass(frozen=True)
class MeasuredPair:
    """Files of a plate, a frame and their measured depths."""

    name: str
    plate_file: Path
    frame_file: Path
    plate_depth_file: Path
    frame_depth_file: Path

    def read(self) -> tuple[Coded, Coded, Plane, Plane]:
        """Read plate, frame and the depths of both, in metres, nan where not measured.

        Raises:
            CleanplateError: if a file cannot be read or differs in size from the frame.
        """
        plate, frame = read_image(self.plate_file), read_image(self.frame_file)
        depths = read_depth(self.plate_depth_file), read_depth(self.frame_depth_file)
        for array, file in (
            (plate, self.plate_file),
            (depths[0], self.plate_depth_file),
            (depths[1], self.frame_depth_file),
        ):
            if array.shape[:2] != frame.shape[:2]:
                raise CleanplateError(
                    "differs in size from the frame",
                    file=file,
                    cure="All files of a pair have one size.",
                )
        return plate, frame, *depths


class MeasuredScore(NamedTuple):
    """The metrics of one pair; errors are medians of |d - d*| / d*.

    objects: number of object pixels.
    found: share of them with predicted alpha > 0.5.
    error: of the predicted depth, on those.
    plate_error: of the plate's depth, on those, for comparison.
    within_10: share of those with an error of at most 0.1.
    """

    name: str
    objects: int
    found: float
    error: float
    plate_error: float
    within_10: float


def find_measured(folder: str | Path) -> list[MeasuredPair]:
    """Find the pairs of a folder, sorted by name.

    Raises:
        CleanplateError: if there is no such folder, no pair in it, or a pair lacks a part.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CleanplateError("is not a folder", file=folder, cure=_FORM)
    files = [file for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
    marks = {file.stem.removesuffix("_frame_depth") for file in files if _is_depth(file)}
    pairs = []
    for name in sorted(marks, key=natural_key):
        found = {
            part: next(
                (f for f in files if f.stem == f"{name}_{part}" and f.suffix.lower() in kinds), None
            )
            for part, kinds in (
                ("plate", PICTURE_SUFFIXES),
                ("frame", PICTURE_SUFFIXES),
                ("plate_depth", _DEPTHS),
                ("frame_depth", _DEPTHS),
            )
        }
        there = [file for file in found.values() if file is not None]
        if len(there) < len(found):
            missing = ", ".join(f"{name}_{part}.*" for part, file in found.items() if file is None)
            raise CleanplateError(f"pair {name!r} lacks {missing}", file=folder, cure=_FORM)
        pairs.append(MeasuredPair(name, *there))
    if not pairs:
        raise CleanplateError("holds no pair with measured depth", file=folder, cure=_FORM)
    return pairs


def score_measured(predictor: PairPredictor, pair: MeasuredPair) -> MeasuredScore:
    """Score a predictor, with the plate's measured depth as input, on one pair.

    Raises:
        CleanplateError: if a file is bad, the predictor has no alpha or no metric depth, or the
            pair has no object pixel.
    """
    plate, frame, plate_depth, frame_depth = pair.read()
    prediction = predict_outputs(predictor.scene(plate, plate_depth), frame, "alpha", "disparity")
    alpha, disparity = output_named(prediction, "alpha"), output_named(prediction, "disparity")
    if alpha is None or disparity is None or not prediction.metric:
        raise CleanplateError("this predictor has no alpha, or no depth in metres")
    return measured_scores(pair.name, alpha, disparity, plate_depth, frame_depth)


def measured_scores(
    name: str, alpha: Plane, disparity: Plane, plate_depth: Plane, frame_depth: Plane
) -> MeasuredScore:
    """Compare a predicted disparity with the frame's measured depth.

    Args:
        name: of the pair.
        alpha: (H, W) predicted, in [0, 1].
        disparity: (H, W) predicted, 1/m.
        plate_depth: (H, W) measured, metres, nan where unknown.
        frame_depth: likewise.

    Raises:
        CleanplateError: if the pair has no object pixel.
    """
    with np.errstate(invalid="ignore"):
        objects = np.isfinite(frame_depth) & (plate_depth - frame_depth > MOVED)
        objects &= np.isfinite(plate_depth)
    if not objects.any():
        raise CleanplateError(
            f"pair {name!r}: nothing is nearer in the frame by more than {MOVED:g} m"
        )
    held = objects & (alpha > 0.5)
    if not held.any():
        return MeasuredScore(name, int(objects.sum()), 0.0, float("nan"), float("nan"), 0.0)
    truth = frame_depth[held].astype(np.float64)
    plate = np.abs(plate_depth[held] / truth - 1)
    found = np.nan_to_num(disparity[held].astype(np.float64), nan=0.0)
    errors = np.abs(1 / (np.maximum(found, 1e-3) * truth) - 1)
    return MeasuredScore(
        name,
        int(objects.sum()),
        float(held.sum() / objects.sum()),
        float(np.median(errors)),
        float(np.median(plate)),
        float((errors <= 0.1).mean()),
    )


def as_measured_table(rows: Sequence[MeasuredScore]) -> str:
    """Format the scores as a plain text table."""
    lines = [
        "Depth of objects against a depth camera's, where alpha > 0.5: median |d - d*| / d*",
        f"{'pair':<16}{'pixels':>8}{'found':>8}{'error':>8}{'plate':>8}{'in 10 %':>9}",
    ]
    lines += [
        f"{row.name:<16}{row.objects:>8}{row.found:>8.3f}{row.error:>8.3f}{row.plate_error:>8.3f}"
        f"{row.within_10:>9.2f}"
        for row in rows
    ]
    return "\n".join(lines)


def as_measured_document(rows: Sequence[MeasuredScore]) -> dict[str, Any]:
    """Convert the scores to values for JSON; nan becomes None."""
    return {
        "pairs": [
            {key: None if _unknown(value) else value for key, value in row._asdict().items()}
            for row in rows
        ]
    }


def _unknown(value: str | float) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _is_depth(file: Path) -> bool:
    return file.stem.endswith("_frame_depth") and file.suffix.lower() in _DEPTHS
