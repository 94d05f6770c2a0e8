"""Clips with ground truth: search in a folder, and frames with their truth one by one.

    clips.json              the plan: settings, sources, licences
    NNNNNN/                 one clip
      plate.png             the clean plate; plate.json its camera
      plate_depth.png       its depth
      frames/NNNN.png       the frames
      alpha/NNNN.png        their true alpha, 16 bits
      depth/NNNN.png        their true depth
      clip.json             how it was made

Depth is in millimetres by the convention `dataset` (docs/depth.md). `cleanplate synth clips`
writes such folders.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cleanplate.arrays import Coded, Plane
from cleanplate.depth.depth_codec import DATASET
from cleanplate.depth.depth_files import read_depth
from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import read_json
from cleanplate.formats.pictures import read_alpha, read_image

PLAN = "clips.json"
RECORD = "clip.json"
PLATE, PLATE_DEPTH, PLATE_CAMERA = "plate.png", "plate_depth.png", "plate.json"
FRAMES, ALPHA, DEPTH = "frames", "alpha", "depth"

_FORM = "`cleanplate synth clips` makes such folders."


@dataclass(frozen=True)
class TrueFrame:
    """One frame of a clip and its truth, all of one size (H, W).

    frame: (H, W, 3) uint8 sRGB.
    alpha: (H, W) float32 in [0, 1].
    depth: (H, W) float32 metres, +inf = nothing hit, NaN = unknown.
    index: of the frame, from 0.
    """

    frame: Coded
    alpha: Plane
    depth: Plane
    index: int


@dataclass(frozen=True)
class TrueClip:
    """A folder with one clip and its truth."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Content of `clip.json`.

        Raises:
            CleanplateError: if it cannot be read or lacks what every clip has.
        """
        return _json_object(self.folder / RECORD, ("frames", "frame_rate", "width", "height"))

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return int(self.facts["frames"])

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return float(self.facts["frame_rate"])

    @property
    def focal(self) -> float | None:
        """Focal length in pixels; None if it is not known."""
        found = (self.facts.get("camera") or {}).get("fx")
        return float(found) if isinstance(found, (int, float)) else None

    def plate(self) -> Coded:
        """Read the clean plate, (H, W, 3) uint8 sRGB.

        Raises:
            CleanplateError: if it cannot be read.
        """
        return read_image(self.folder / PLATE)

    def plate_depth(self) -> Plane:
        """Read the plate's depth, (H, W) float32 metres.

        Raises:
            CleanplateError: if it cannot be read.
        """
        return read_depth(self.folder / PLATE_DEPTH, convention=DATASET)

    def frames(self) -> Iterator[TrueFrame]:
        """Read the frames in their order.

        Raises:
            CleanplateError: if a file is missing or damaged, or its size is not the frame's.
        """
        for index in range(self.frame_count):
            name = frame_name(index)
            paths = [self.folder / part / name for part in (FRAMES, ALPHA, DEPTH)]
            frame = read_image(paths[0])
            alpha, depth = read_alpha(paths[1]), read_depth(paths[2], convention=DATASET)
            for path, plane in zip(paths[1:], (alpha, depth), strict=True):
                if plane.shape != frame.shape[:2]:
                    raise CleanplateError("its size is not the frame's", file=path)
            yield TrueFrame(frame, alpha, depth, index)


def frame_name(index: int) -> str:
    """Give the file name that all parts of a frame share."""
    return f"{index:04}.png"


def holds_clips(folder: str | Path) -> bool:
    """Tell whether a folder is one that `cleanplate synth clips` made: it has `clips.json`."""
    return (Path(folder) / PLAN).is_file()


def find_clips(folder: str | Path) -> list[TrueClip]:
    """Find the complete clips in a folder, sorted by name.

    Raises:
        CleanplateError: if the folder is no folder of clips, or holds none that is complete.
    """
    folder = Path(folder)
    if not holds_clips(folder):
        raise CleanplateError("is no folder of clips with truth", file=folder, cure=_FORM)
    found = [TrueClip(record.parent) for record in sorted(folder.glob(f"[0-9]*/{RECORD}"))]
    if not found:
        raise CleanplateError("holds no complete clip", file=folder, cure=_FORM)
    return found


def _json_object(path: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    try:
        facts = read_json(path)
    except (OSError, ValueError) as error:
        raise CleanplateError(f"cannot be read as JSON: {error}", file=path) from error
    missing = [key for key in needed if not isinstance(facts, dict) or key not in facts]
    if missing:
        raise CleanplateError(f"lacks {', '.join(missing)}", file=path, cure=_FORM)
    found: dict[str, Any] = facts
    return found
