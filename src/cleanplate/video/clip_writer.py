"""Several outputs of one clip in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

from cleanplate.errors import CleanplateError
from cleanplate.video.clip import ClipFacts
from cleanplate.video.frame_layers import FrameLayers
from cleanplate.video.interruption import interrupts_held
from cleanplate.video.movie_writer import MovieWriter
from cleanplate.video.output_presets import Output, check_together
from cleanplate.video.pipe_writer import PipeWriter
from cleanplate.video.sequence_writer import SequenceWriter, whole_until


class _Writer(Protocol):
    output: Output
    warnings: list[str]

    def write(self, layers: FrameLayers) -> None: ...

    def finish(self, *, complete: bool) -> list[Path]: ...

    def discard(self) -> None: ...


class ClipWriter:
    """Writes the layers of frames into one or several outputs; a context manager.

    Nothing is written before the first frame. If the block ends well, every file gets its name. If
    it ends by an exception, Ctrl-C among them, files are closed so that what is in them plays, get
    their names too, and their JSON says that they are not complete. An output that cannot be
    written (a full disk) leaves no half-written file; the exception passes on.

    needs: names of the fields of `FrameLayers` that have to be given.
    warnings: sentences on what could not be kept (audio that a container does not take, ...).
    written: the paths, when the block has ended.

    Args:
        outputs: what to write; see `output_of`.
        facts: of the clip that the frames come from.
        audio: the file whose audio is copied into video files; None = no audio.
        cut: whether the frames are a part of the clip (`--frames`).
        threads: of each encoder; 0 = as many as it likes.
        made_with: what the layers were made with (model, plate, options), for the JSON beside each
            output; `resume_index` goes on only with what was made with the same.
        overwrite: whether files may be replaced that are not the package's own.
        stdout: the stream that is written for "-"; None = the process's own.

    Raises:
        CleanplateError: outputs that do not go together, that are not the package's own files, or
            that could not be written.
    """

    def __init__(
        self,
        outputs: Sequence[Output],
        facts: ClipFacts,
        *,
        audio: str | Path | None = None,
        cut: bool = False,
        threads: int = 0,
        made_with: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        stdout: BinaryIO | None = None,
    ):
        check_together(outputs)
        self.needs = frozenset[str]().union(*(output.needs for output in outputs))
        self.written: list[Path] = []
        source = None if audio is None else Path(audio)
        self._writers: list[_Writer] = []
        for output in outputs:
            if output.preset.kind == "sequence":
                self._writers.append(
                    SequenceWriter(output, facts, made_with=made_with, overwrite=overwrite)
                )
            elif output.preset.kind == "pipe":
                self._writers.append(PipeWriter(output, stdout))
            else:
                sound = source if output.preset.name not in ("matte", "depth") else None
                self._writers.append(
                    MovieWriter(
                        output,
                        facts,
                        audio=sound,
                        cut=cut,
                        threads=threads,
                        made_with=made_with,
                        overwrite=overwrite,
                    )
                )
        self._all = list(self._writers)
        self._count = 0

    @property
    def warnings(self) -> list[str]:
        """Sentences on what could not be kept."""
        return [text for writer in self._all for text in writer.warnings]

    def write(self, layers: FrameLayers) -> None:
        """Write one frame into every output; a Ctrl-C meanwhile takes effect after it.

        Raises:
            CleanplateError: an output cannot be written; it is discarded.
        """
        with interrupts_held():
            for writer in list(self._writers):
                try:
                    writer.write(layers)
                except BaseException:
                    self._writers.remove(writer)
                    writer.discard()
                    raise
            self._count += 1

    def __enter__(self) -> Self:
        """Give the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every output; see the class."""
        try:
            self._finish(complete=error is None)
        except KeyboardInterrupt:
            self._finish(complete=error is None)  # what is left of it
            raise
        if error is None and self._count == 0:
            raise CleanplateError("there was no frame to write", cure="Check the range of frames.")

    def _finish(self, *, complete: bool) -> None:
        fault: BaseException | None = None
        with interrupts_held():
            while self._writers:
                writer = self._writers.pop(0)
                try:
                    self.written += writer.finish(complete=complete)
                except (CleanplateError, OSError) as error:
                    writer.warnings.append(str(error))
                    fault = fault or error
        if fault is not None and complete:
            raise fault


def resume_index(
    outputs: Sequence[Output],
    facts: ClipFacts,
    start: int = 0,
    *,
    made_with: Mapping[str, Any] | None = None,
) -> int:
    """Give the index of the frame with which to go on, for sequences that were begun.

    Args:
        outputs: of sequences.
        facts: of the clip.
        start: index of the first frame that is wanted.
        made_with: as it was given to `ClipWriter`.

    Raises:
        CleanplateError: an output is no sequence, or was begun with other options.
    """
    return min(whole_until(output, facts, start, made_with or {}) for output in outputs)
