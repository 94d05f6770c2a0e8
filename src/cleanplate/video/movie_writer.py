"""A video file as an output: written under a temporary name, and named when it is whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import telling_write_faults
from cleanplate.files.ownership import (
    check_replaceable,
    check_target,
    fingerprint,
    owned_by,
    read_record,
    replacing_own,
    write_sealed,
)
from cleanplate.video.audio_copy import left_out
from cleanplate.video.clip import ClipFacts
from cleanplate.video.frame_coding import check_encoder
from cleanplate.video.frame_layers import FrameLayers
from cleanplate.video.movie_encoder import MovieEncoder
from cleanplate.video.output_presets import Output
from cleanplate.video.output_record import document, record_path
from cleanplate.video.timecode import advanced


class MovieWriter:
    """Writes one video file and the JSON beside it.

    Args:
        output: what to write, and where.
        facts: of the clip.
        audio: the clip whose audio is copied; None = none.
        cut: whether the frames are a part of the clip.
        threads: of the encoder; 0 = as many as it likes.
        made_with: what the layers were made with, for the JSON.
        overwrite: whether files may be replaced that are not the package's own.

    Raises:
        CleanplateError: the file could not be written.
    """

    def __init__(
        self,
        output: Output,
        facts: ClipFacts,
        *,
        audio: Path | None = None,
        cut: bool = False,
        threads: int = 0,
        made_with: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ):
        self.output, self._facts = output, facts
        self._audio, self._cut, self._threads = audio, cut, threads
        self._overwrite = overwrite
        self._made_with = dict(made_with or {})
        self._record = record_path(output)
        self._before = read_record(self._record)
        check_encoder(output)
        check_target(output.path, overwrite=True)
        check_replaceable([output.path, self._record], owned_by(self._before), overwrite=overwrite)
        self.warnings = [] if audio is None else left_out(output.suffix, facts.audio)
        self._encoder: MovieEncoder | None = None
        self._frames = 0
        self._first = 0
        self._timecode: str | None = None

    def write(self, layers: FrameLayers) -> None:
        """Write one frame.

        Raises:
            CleanplateError: the file cannot be written.
        """
        with telling_write_faults(self.output.path):
            if self._encoder is None:
                self._encoder = self._begin(layers)
            self._encoder.write(layers)
        self._frames += 1

    def _begin(self, layers: FrameLayers) -> MovieEncoder:
        facts = self._facts
        self._first = layers.index
        if facts.timecode is not None:
            with suppress(CleanplateError):  # what is no timecode is left out
                self._timecode = advanced(facts.timecode, layers.index, facts.frame_rate)
        size = layers.size()
        if self.output.suffix in (".mp4", ".mov") and self.output.preset.name in ("h264", "matte"):
            padded = [side + side % 2 for side in size]
            if padded != list(size):
                self.warnings.append(
                    f"{self.output.path.name} is {padded[0]} x {padded[1]}: H.264 has even sizes "
                    "only, the last column or row is repeated"
                )
        path = self.output.path
        self._standing = path.exists()
        owns = owned_by(self._before)
        self._tell(self._record, complete=False, owns=owns | {path.name: None})
        try:
            self._replacing: AbstractContextManager[Path] = replacing_own(
                path, owns, overwrite=self._overwrite
            )
            self._temporary = self._replacing.__enter__()
        except BaseException:
            self._restore_record()
            raise
        try:
            # What the clip's own line calls its begin is 0; of a part, its first frame.
            origin = facts.start if layers.index == 0 else layers.time
            return MovieEncoder(
                self._temporary,
                self.output,
                facts,
                size,
                min(origin, layers.time),
                timecode=self._timecode,
                audio=self._audio if facts.audio else None,
                cut=self._cut,
                threads=self._threads,
            )
        except BaseException:
            self._drop()
            raise

    def finish(self, *, complete: bool) -> list[Path]:
        """Close the file and give it its name; nothing if there is no frame.

        One that is not complete does not take the place of an earlier one: it is named
        `NAME.part.SUFFIX`.

        Returns:
            the paths that were written.

        Raises:
            CleanplateError: the file cannot be written; then it is discarded.
        """
        if self._encoder is None:
            return []
        path = self.output.path
        try:
            with telling_write_faults(path):
                self._encoder.finish(complete=complete)
                known = fingerprint(self._temporary)
        except BaseException:
            self.discard()
            raise
        self._encoder = None
        if not complete and self._standing:
            return self._set_aside(known)
        self._replacing.__exit__(None, None, None)
        self._tell(
            self._record, complete=complete, owns=owned_by(self._before) | {path.name: known}
        )
        return [path, self._record]

    def discard(self) -> None:
        """Remove what was written; what stood there before stays."""
        if self._encoder is not None:
            self._encoder.discard()
            self._encoder = None
            self._drop()

    def _set_aside(self, known: dict[str, Any]) -> list[Path]:
        path = self.output.path
        part = path.with_name(f"{path.stem}.part{path.suffix}")
        record = part.with_name(part.name + ".json")
        try:
            owns = owned_by(read_record(record))
            with replacing_own(part, owns, overwrite=self._overwrite) as temporary:
                os.replace(self._temporary, temporary)
            self._tell(record, complete=False, owns=owns | {part.name: known})
        finally:
            self._drop()
        self.warnings.append(f"{path.name} was left as it was; the part is {part.name}")
        return [part, record]

    def _drop(self) -> None:
        gone = _Discarded()
        with suppress(_Discarded, CleanplateError):
            self._replacing.__exit__(_Discarded, gone, None)
        self._restore_record()

    def _restore_record(self) -> None:
        with suppress(CleanplateError, OSError):
            if self._before is None:
                self._record.unlink()
            else:
                write_sealed(self._record, self._before, owned_by(self._before))

    def _tell(self, record: Path, *, complete: bool, owns: dict[str, Any]) -> None:
        content = document(
            self.output,
            self._facts,
            complete=complete,
            frames=self._frames,
            first_index=self._first,
            timecode=self._timecode,
            more={"made_with": self._made_with, "warnings": self.warnings},
        )
        write_sealed(record, content, owns, overwrite=self._overwrite)


class _Discarded(Exception):
    """Ends the writing of a file that is not to be there."""
