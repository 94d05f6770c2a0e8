"""Several clips of one run: which they are, and the plate and the outputs of each."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.listing import PICTURE_SUFFIXES, is_hidden, natural_key
from cleanplate.files.ownership import own_names
from cleanplate.predict.frames.frame_names import stems
from cleanplate.video.output_presets import PRESETS
from cleanplate.video.sequence_names import SequenceNames, is_pattern

NAME = "{name}"
"""Stands for the clip's name in paths of plates and outputs."""

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".mxf", ".ogv", ".ts", ".webm", ".wmv", ".y4m"}
)
"""Suffixes of the video files of a folder, lower case."""

DEPTH_SUFFIXES = frozenset({".exr", ".npy", ".png", ".tif", ".tiff"})
"""Suffixes of depth files of a folder, lower case."""

_OUTPUT_SUFFIXES = frozenset(suffix for one in PRESETS.values() for suffix in one.suffixes)


@dataclass(frozen=True)
class Clips:
    """The clips among what was named.

    single: whether one clip was named by itself, so that its outputs need no name of a clip.
    remarks: on what was left out.
    """

    paths: list[str]
    single: bool
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ClipTask:
    """One clip, its plate and its outputs.

    name: of the clip, unlike that of any other of the run.
    """

    clip: str
    name: str
    plate: str
    plate_depth: str | None
    save_plate: str | None
    outputs: tuple[str, ...]

    def options(self) -> dict[str, Any]:
        """Give the options of `cleanplate video` that are the clip's own."""
        return {
            "clip": self.clip,
            "plate": self.plate,
            "plate_depth": self.plate_depth,
            "save_plate": self.save_plate,
            "outputs": self.outputs,
        }


def find_clips(given: Sequence[str]) -> Clips:
    """Find the clips among files, folders, patterns and "-".

    A folder with video files stands for these files, in natural order, without those that
    Cleanplate wrote; a folder of pictures alone is one clip, and so is `shot.%04d.png`. Patterns
    with `*`, `?` or `[...]` stand for the video files that match. No file is taken twice.

    Raises:
        CleanplateError: "-" is not alone, or a folder or pattern has no clip.
    """
    if "-" in given and len(given) > 1:
        raise CleanplateError(
            "- is one clip on the standard input, and stands alone",
            cure="Name either - or files.",
        )
    found: dict[str, str] = {}
    remarks: list[str] = []
    for one in given:
        for path in _clips_of(one, remarks):
            found.setdefault(os.path.realpath(path), path)
    paths = list(found.values())
    return Clips(paths, paths == list(given) and len(paths) == 1, remarks)


def clip_tasks(
    clips: Clips,
    outputs: Sequence[str],
    presets: Sequence[str],
    *,
    plate: str,
    plate_depth: str | None = None,
    save_plate: str | None = None,
) -> list[ClipTask]:
    """Give each clip its name, plate and outputs; the files of all plates are there.

    Args:
        clips: of `find_clips`.
        outputs: of each clip: a path with `{name}`, or a folder in which the clip's name and the
            preset's suffix name the file. Of a single clip also the path itself.
        presets: of the outputs, in their order; the others go by their suffix.
        plate: a file for all clips; with `{name}`, or a folder of pictures with the clips' names,
            one for each.
        plate_depth: likewise.
        save_plate: a path with `{name}`; of a single clip also the path itself.

    Raises:
        CleanplateError: an output would be the same for several clips or is a clip, a plate does
            not exist, or two clips cannot be told apart by name.
    """
    names = ["frame"] if clips.paths == ["-"] else stems([_named(path) for path in clips.paths])
    kinds = [*presets, *[None] * len(outputs)]
    tasks = []
    for path, name in zip(clips.paths, names, strict=True):
        made = tuple(
            _output_of(output, preset, name, single=clips.single)
            for output, preset in zip(outputs, kinds, strict=False)
        )
        saved = save_plate
        if saved is not None:
            saved = _output_of(saved, None, name, single=clips.single)
        own_plate = _file_of(plate, name, path, "plate", PICTURE_SUFFIXES)
        depth = plate_depth
        if depth is not None:
            depth = _file_of(depth, name, path, "plate depth", DEPTH_SUFFIXES)
        tasks.append(ClipTask(path, name, own_plate, depth, saved, made))
    _check_inputs_stay(tasks)
    return tasks


def _clips_of(given: str, remarks: list[str]) -> list[str]:
    path = Path(given)
    if path.is_dir():
        names = {one.name: one for one in path.iterdir() if one.is_file()}
        videos = _videos(names.values())
        if not videos:
            return [given]
        others = [one for one in names.values() if one.suffix.lower() in PICTURE_SUFFIXES]
        if others:
            remarks.append(
                f"{given}: {len(videos)} video files are the clips; {len(others)} pictures are none"
            )
        return _not_own(videos, given)
    if path.exists() or given == "-" or is_pattern(given) or not glob.has_magic(given):
        return [given]  # what is not there is told where it is opened
    videos = _videos(map(Path, glob.glob(given, recursive=True)))
    if not videos:
        raise CleanplateError(
            "no video file matches this pattern", file=given, cure="Check the path."
        )
    return _not_own(videos, given)


def _videos(paths: Iterable[Path]) -> list[Path]:
    found = [
        path
        for path in paths
        if path.suffix.lower() in VIDEO_SUFFIXES and not is_hidden(path.name) and path.is_file()
    ]
    return sorted(found, key=natural_key)


def _not_own(videos: list[Path], given: str) -> list[str]:
    """Leave out what an earlier run wrote beside its clips."""
    own = {folder: own_names(folder) for folder in {path.parent for path in videos}}
    kept = [str(path) for path in videos if path.name not in own[path.parent]]
    if not kept:
        raise CleanplateError(
            "all video files in it were written by Cleanplate",
            file=given,
            cure="Name one alone to take it as a clip all the same.",
        )
    return kept


def _named(clip: str) -> Path:
    """Give a path whose stem is the clip's name; a folder's name has no suffix."""
    path = Path(os.path.abspath(clip))
    if path.is_dir():
        return path.with_name(f"{path.name}.frames")
    if is_pattern(clip) and not path.exists():
        before = SequenceNames.of(clip).before.rstrip("._- ")
        return path.with_name(f"{before}.frames") if before else _named(str(path.parent))
    return path


def _output_of(given: str, preset: str | None, name: str, *, single: bool) -> str:
    if NAME in given:
        return given.replace(NAME, name)
    suffix = Path(given).suffix.lower()
    kind = PRESETS.get(preset or "")
    is_folder = Path(given).is_dir() or not (suffix in _OUTPUT_SUFFIXES or is_pattern(given))
    if is_folder and kind is not None and kind.kind == "movie":
        return str(Path(given) / f"{name}{kind.suffixes[0]}")
    if single:
        return given
    if is_folder and kind is not None and kind.kind == "sequence":
        return str(Path(given) / name)
    if is_folder:
        raise CleanplateError(
            "what to write into this folder is not clear",
            file=given,
            cure=f"Name a --preset, or the files: {Path(given) / NAME}.mov",
        )
    raise CleanplateError(
        "is one output for several clips",
        file=given,
        cure=f"Put {NAME} into the path, or name a folder and a --preset.",
    )


def _file_of(given: str, name: str, clip: str, what: str, suffixes: frozenset[str]) -> str:
    if NAME in given:
        path = given.replace(NAME, name)
        if not Path(path).exists():
            raise CleanplateError(
                f"does not exist; it would be the {what} of {clip}",
                file=path,
                cure="Add it, or name one file for all clips.",
            )
        return path
    folder = Path(given)
    if not folder.is_dir():
        return given
    found = [
        path
        for path in folder.iterdir()
        if path.stem == name and path.suffix.lower() in suffixes and not is_hidden(path.name)
    ]
    if len(found) != 1:
        raise CleanplateError(
            f"has {len(found) or 'no'} files named {name}.*, and one is to be the {what} of {clip}",
            file=folder,
            cure=f"Name it like the clip, or give a path with {NAME} in it.",
        )
    return str(found[0])


def _check_inputs_stay(tasks: Sequence[ClipTask]) -> None:
    inputs = {os.path.realpath(path) for task in tasks for path in (task.clip, task.plate)}
    for task in tasks:
        for path in (*task.outputs, *filter(None, [task.save_plate])):
            if path != "-" and os.path.realpath(path) in inputs:
                raise CleanplateError(
                    "is an input of this run", file=path, cure="Write to another folder or name."
                )
