"""Numbered pictures as an output: whole files, one by one, and a JSON that lists them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import telling_write_faults
from cleanplate.files.ownership import (
    check_folder,
    check_replaceable,
    fingerprint,
    owned_by,
    read_record,
    replacing_own,
    write_sealed,
)
from cleanplate.video.clip import ClipFacts
from cleanplate.video.frame_layers import FrameLayers
from cleanplate.video.output_presets import Output
from cleanplate.video.output_record import document, record_path, tags
from cleanplate.video.picture_encoding import png, write_exr
from cleanplate.video.timecode import advanced

_CLAIMED = 64
"""Names at least that the JSON claims before their files are written."""


class SequenceWriter:
    """Writes numbered pictures; a picture's number is the clip's first number plus its index.

    Args:
        output: what to write, and where.
        facts: of the clip.
        made_with: what the layers were made with, for the JSON.
        overwrite: whether files may be replaced that are not the package's own.

    Raises:
        CleanplateError: the folder could not be written in.
    """

    def __init__(
        self,
        output: Output,
        facts: ClipFacts,
        *,
        made_with: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ):
        self.output, self._facts, self._overwrite = output, facts, overwrite
        self._made_with = dict(made_with or {})
        self.warnings: list[str] = []
        self._names = output.names
        self._record = record_path(output)
        check_folder(self._names.folder)
        check_replaceable([self._record], overwrite=overwrite)
        before = read_record(self._record)
        self._owns = owned_by(before)
        self._earlier = set(self._owns)
        self._times: dict[str, str] = dict((before or {}).get("times", {}))
        self._written: list[int] = []
        self._claimed: set[str] = set()
        self._timecode: str | None = None
        self._first_index = 0

    def write(self, layers: FrameLayers) -> None:
        """Write one frame.

        Raises:
            CleanplateError: the file cannot be written, or it is not the package's own.
        """
        number = self._facts.first_number + layers.index
        name = self._names.name(number)
        path = self._names.path(number)
        timecode = self._timecode_of(layers.index)
        if not self._written:
            self._first_index, self._timecode = layers.index, timecode
            with telling_write_faults(self._names.folder):
                self._names.folder.mkdir(parents=True, exist_ok=True)
        if name not in self._claimed:
            self._claim(number)
        with (
            replacing_own(path, self._owns, overwrite=self._overwrite) as temporary,
            telling_write_faults(path),
        ):
            if self.output.preset.name == "png":
                temporary.write_bytes(png(layers, self.output))
            else:
                write_exr(
                    temporary,
                    layers,
                    self.output,
                    frame_rate=self._facts.frame_rate,
                    timecode=timecode,
                    pixel_aspect=self._facts.pixel_aspect,
                )
            known = fingerprint(temporary)
        self._owns[name] = known
        self._written.append(number)
        if self._facts.variable:
            self._times[str(number)] = str(Fraction(layers.time))

    def _timecode_of(self, index: int) -> str | None:
        if self._facts.timecode is None:
            return None
        with suppress(CleanplateError):  # what is no timecode is left out
            return advanced(self._facts.timecode, index, self._facts.frame_rate)
        return None

    def _claim(self, number: int) -> None:
        """List the next names as ours, so that a run that is killed leaves no foreign files."""
        # More as the list grows, so that writing it again and again stays a small part.
        count = max(_CLAIMED, len(self._written) // 4)
        names = [self._names.name(number + ahead) for ahead in range(count)]
        foreign = [name for name in names if name not in self._owns]
        check_replaceable(
            [self._names.folder / name for name in foreign], self._owns, overwrite=self._overwrite
        )
        self._claimed = set(names)
        self._tell(complete=False, claims=dict.fromkeys(names))

    def finish(self, *, complete: bool) -> list[Path]:
        """List what was written.

        Raises:
            CleanplateError: the list cannot be written.
        """
        if not self._written:
            return []
        numbers = set(self._written)
        ours = (self._names.number(name) for name in self._earlier)
        later = [one for one in ours if one is not None and one > max(numbers)]
        if complete and any(self._names.path(one).exists() for one in later):
            self.warnings.append(
                f"{self._names.pattern}: files of an earlier run are still there from "
                f"{self._names.name(min(later))} on"
            )
        self._tell(complete=complete, claims={})
        return [*(self._names.path(number) for number in self._written), self._record]

    def discard(self) -> None:
        """List what was written before the fault: those files are whole."""
        if self._claimed:
            with suppress(CleanplateError, OSError):
                self._tell(complete=False, claims={})
            if not self._owns:
                with suppress(OSError):
                    self._record.unlink()

    def _tell(self, *, complete: bool, claims: dict[str, Any]) -> None:
        more: dict[str, Any] = {
            "files": self._names.pattern,
            "first_number": self._facts.first_number,
            "made_with": self._made_with,
            "warnings": self.warnings,
        }
        if self._times:
            more["times"] = self._times
        content = document(
            self.output,
            self._facts,
            complete=complete,
            frames=len(self._written),
            first_index=self._first_index,
            timecode=self._timecode,
            more=more,
        )
        write_sealed(self._record, content, claims | self._owns, overwrite=self._overwrite)


def whole_until(output: Output, facts: ClipFacts, start: int, made_with: Mapping[str, Any]) -> int:
    """Give the index of the first frame from `start` on that an earlier run did not write whole.

    Raises:
        CleanplateError: it is no sequence, or what is there was written otherwise.
    """
    if output.preset.kind != "sequence":
        raise CleanplateError(
            f"{output.preset.name} cannot be resumed", file=output.path, cure="Only sequences can."
        )
    record = read_record(record_path(output))
    if record is None:
        return start
    clip = record.get("clip", {})
    same = record.get("output") == tags(output) and clip.get("name") == Path(facts.name).name
    same = same and record.get("made_with") == json.loads(json.dumps(dict(made_with)))
    if not same or clip.get("size") != [facts.width, facts.height]:
        raise CleanplateError(
            "was begun with other options or of another clip",
            file=record_path(output),
            cure="Give the same options, or write into another folder.",
        )
    owns = owned_by(record)
    index = start
    while _is_whole(output, facts.first_number + index, owns):
        index += 1
    return index


def _is_whole(output: Output, number: int, owns: dict[str, Any]) -> bool:
    name = output.names.name(number)
    if name not in owns:
        return False
    path = output.names.path(number)
    try:
        size = path.stat().st_size
    except OSError:
        return False
    # Files get their names when they are whole, so one that is only claimed is whole, too.
    return owns[name] is None or owns[name].get("bytes") == size
