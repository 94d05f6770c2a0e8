"""Evaluation on frames with masks of labels: subject, shadow, unknown.

    NAME_plate.EXT  NAME_frame.EXT  NAME_labels.png     pairs, in one folder

or a video in the layout of CDnet, with a plate beside it:

    plate.EXT  input/in000001.EXT ...  groundtruth/gt000001.png ...  temporalROI.txt

There is no true alpha: a matte is compared where it is at least 0.5. `metrics.label_metrics` has
the labels. A video's counts are those of all its frames together, as CDnet's are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cleanplate.arrays import Bytes
from cleanplate.errors import CleanplateError
from cleanplate.evaluation.score_table import aligned_columns, json_number
from cleanplate.files.listing import PICTURE_SUFFIXES, natural_key
from cleanplate.formats.pictures import read_grey, read_image, to_uint8
from cleanplate.metrics.label_metrics import LabelCounts, label_counts
from cleanplate.pairs.protocols import (
    PairPredictor,
    PreparedScene,
    output_named,
    predict_outputs,
)

_FORM = (
    "It holds NAME_plate.*, NAME_frame.* and NAME_labels.*; or, of a CDnet video, plate.*, input "
    "and groundtruth."
)
_FIGURES = ("precision", "recall", "f_measure", "iou", "shadow_share")


@dataclass(frozen=True)
class LabelledFrame:
    """Files of a plate, a frame and its labels."""

    name: str
    plate_file: Path
    frame_file: Path
    labels_file: Path

    def labels(self) -> Bytes:
        """Read the labels, (H, W) uint8.

        Raises:
            CleanplateError: the file cannot be read, or is in colour.
        """
        return to_uint8(read_grey(self.labels_file))


class LabelledScore(NamedTuple):
    """The counts of one frame."""

    name: str
    counts: LabelCounts


def find_labelled(folder: str | Path) -> list[LabelledFrame]:
    """Find the frames with labels of a folder, in natural order.

    Raises:
        CleanplateError: there is no such folder, no frame with labels in it, or a part is missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CleanplateError("is not a folder", file=folder, cure=_FORM)
    if (folder / "groundtruth").is_dir():
        frames = _of_video(folder)
    else:
        names = [_name(path, "_labels") for path in sorted(folder.iterdir())]
        frames = [
            LabelledFrame(
                name,
                *(_picture(folder, f"{name}_{part}") for part in ("plate", "frame", "labels")),
            )
            for name in sorted(filter(None, names), key=natural_key)
        ]
    if not frames:
        raise CleanplateError("holds no frame with labels", file=folder, cure=_FORM)
    return frames


def _of_video(folder: Path) -> list[LabelledFrame]:
    try:
        plate = _picture(folder, "plate")
    except CleanplateError as error:
        cure = "Make one: cleanplate plate FOLDER/input -o FOLDER/plate.png"
        raise CleanplateError("has no plate.*", file=folder, cure=cure) from error
    first, last = _counted_frames(folder / "temporalROI.txt")
    frames = []
    for path in sorted((folder / "groundtruth").iterdir(), key=lambda one: natural_key(one.name)):
        number = re.fullmatch(r"gt(\d+)", path.stem)
        if number and path.suffix.lower() in PICTURE_SUFFIXES and first <= int(number[1]) <= last:
            frame = _picture(folder / "input", f"in{number[1]}")
            frames.append(LabelledFrame(path.stem, plate, frame, path))
    return frames


def _counted_frames(path: Path) -> tuple[int, int]:
    """Read the numbers of the first and the last frame that count; all, without the file."""
    if not path.is_file():
        return 0, 2**31
    try:
        first, last = (int(part) for part in path.read_text(encoding="ascii").split())
    except (OSError, ValueError) as error:
        raise CleanplateError(
            "is not two numbers of frames", file=path, cure="Like: 470 1700."
        ) from error
    return first, last


def _name(path: Path, part: str) -> str:
    """Give what stands before `part` in a picture's name; "" if it is no such picture."""
    fits = path.suffix.lower() in PICTURE_SUFFIXES and path.stem.endswith(part)
    return path.stem.removesuffix(part) if fits and not path.name.startswith(".") else ""


def _picture(folder: Path, stem: str) -> Path:
    found = sorted(
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.stem == stem and path.suffix.lower() in PICTURE_SUFFIXES
    )
    if not found:
        raise CleanplateError(f"lacks {stem}.*", file=folder, cure=_FORM)
    return found[0]


def score_labelled(
    predictor: PairPredictor,
    frames: Sequence[LabelledFrame],
    progress: Callable[[Sequence[LabelledFrame]], Iterable[LabelledFrame]] = iter,
) -> Iterator[LabelledScore]:
    """Score a predictor on each frame; frames that follow each other share their plate's scene.

    Raises:
        CleanplateError: a file is bad, sizes differ, or the predictor has no alpha.
    """
    plate_file: Path | None = None
    scene: PreparedScene | None = None
    for one in progress(frames):
        if scene is None or one.plate_file != plate_file:
            plate_file, scene = one.plate_file, predictor.scene(read_image(one.plate_file))
        frame, labels = read_image(one.frame_file), one.labels()
        if labels.shape != frame.shape[:2]:
            raise CleanplateError("differs in size from its frame", file=one.labels_file)
        alpha = output_named(predict_outputs(scene, frame, "alpha"), "alpha")
        if alpha is None:
            raise CleanplateError("this predictor has no alpha")
        try:
            yield LabelledScore(one.name, label_counts(alpha, labels))
        except ValueError as error:
            raise CleanplateError(str(error), file=one.labels_file) from error


def as_labelled_table(rows: Sequence[LabelledScore]) -> str:
    """Format the scores as plain text: a row for each frame of few, and one for all."""
    shown = list(rows) if len(rows) <= 20 else []
    lines = [["frames", "", "precision", "recall", "F", "IoU", "of shadow", "pixels"]]
    for name, counts in [*shown, LabelledScore(f"all {len(rows)}", _sum(rows))]:
        cells = ["-" if np.isnan(v := getattr(counts, key)) else f"{v:.3f}" for key in _FIGURES]
        lines.append([name, "", *cells, str(counts.counted)])
    title = "Matte at alpha 0.5 against labels; shadow is no subject, what is unknown not counted"
    return f"{title}\n{aligned_columns(lines)}"


def as_labelled_document(rows: Sequence[LabelledScore]) -> dict[str, Any]:
    """Convert the scores to values for JSON; nan becomes None."""

    def told(counts: LabelCounts) -> dict[str, Any]:
        figures = {key: json_number(getattr(counts, key)) for key in _FIGURES}
        return {**asdict(counts), **figures}

    return {
        "all": told(_sum(rows)),
        "frames": [{"name": name, **told(counts)} for name, counts in rows],
    }


def _sum(rows: Sequence[LabelledScore]) -> LabelCounts:
    return sum((counts for _, counts in rows), LabelCounts())
