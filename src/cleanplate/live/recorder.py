"""Recordings of live layers: encoded on a thread, in files that play whenever they are ended."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path

from cleanplate.errors import CleanplateError
from cleanplate.predict.size import Size
from cleanplate.video.clip import ClipFacts
from cleanplate.video.clip_writer import ClipWriter
from cleanplate.video.frame_layers import FrameLayers
from cleanplate.video.output_presets import Output, output_of
from cleanplate.video.pipeline import Drain, drained

WAITING = 8
"""Frames that may wait for the encoder; more are left out, so that the loop never waits for it."""

TICKS = 90_000
"""Time stamps are rounded to so many a second."""


class Recorder:
    """Records into FILE, and later ones into the first free of NAME.2.SUFFIX, NAME.3.SUFFIX.

    needs: fields of `FrameLayers` that are recorded; none while nothing is.
    written: files so far.
    left_out: frames that the encoder had no time for.
    warnings: sentences on what could not be kept.

    Args:
        file: its suffix chooses the preset: .mp4 the composite, .mov and .webm with alpha; None =
            the first free of live-1.mp4, live-2.mp4 and so on, in the current folder.
        size: (height, width) of the frames.
        rate: of the camera, frames per second.
        overwrite: whether files may be replaced that are not Cleanplate's own.

    Raises:
        CleanplateError: nothing can be recorded into such a file.
    """

    def __init__(
        self, file: str | Path | None, size: Size, rate: float, *, overwrite: bool = False
    ):
        self._output = output_of(file or "live.mp4")
        self._pattern = "{stem}-{number}{suffix}" if file is None else "{stem}.{number}{suffix}"
        self._is_free = file is None
        if self._output.preset.kind != "movie" or "depth" in self._output.needs:
            raise CleanplateError(
                "live pictures are recorded into video files",
                file=self._output.path,
                cure="Use .mp4 (the composite), .mov or .webm (with alpha).",
            )
        self._facts = ClipFacts(
            "live",
            size[1],
            size[0],
            Fraction(rate).limit_denominator(1001),
            variable=True,
            time_base=Fraction(1, TICKS),
        )
        self._overwrite = overwrite
        self._stack: ExitStack | None = None
        self._drain: Drain[FrameLayers] | None = None
        self._writer: ClipWriter | None = None
        self._count = 0
        self._first: Fraction | None = None
        self._last = Fraction(-1)
        self.written: list[Path] = []
        self.warnings: list[str] = []
        self.left_out = 0

    @property
    def needs(self) -> frozenset[str]:
        """Fields of `FrameLayers` that are recorded; none while nothing is."""
        return self._output.needs if self.recording else frozenset()

    @property
    def recording(self) -> bool:
        """Whether a file is open."""
        return self._stack is not None

    def start(self) -> None:
        """Begin a file.

        Raises:
            CleanplateError: it cannot be written.
        """
        self._count, self._first, self._last = 0, None, Fraction(-1)
        self._writer = ClipWriter([self._named()], self._facts, overwrite=self._overwrite)
        with ExitStack() as stack:
            stack.enter_context(self._writer)
            self._drain = stack.enter_context(drained(self._writer.write, WAITING))
            self._stack = stack.pop_all()

    def offer(self, layers: FrameLayers) -> None:
        """Record a frame, or leave it out where the encoder is behind; its time is the layers'.

        Raises:
            CleanplateError: an earlier frame could not be written.
        """
        assert self._drain is not None
        time = Fraction(round(layers.time * TICKS), TICKS)
        if self._first is None:
            self._first = time
        if time - self._first <= self._last:
            return  # two frames of one time stamp
        given = replace(layers, index=self._count, time=time - self._first, duration=None)
        if self._drain.offer(given):
            self._count += 1
            self._last = given.time
        else:
            self.left_out += 1

    def stop(self) -> None:
        """End the file; it plays, and gets its name.

        Raises:
            CleanplateError: it could not be written.
        """
        if self._stack is None or self._writer is None:
            return
        stack, self._stack, self._drain = self._stack, None, None
        try:
            if self._count:
                stack.close()
            else:
                self._abandon(stack)
        finally:
            self.written += [one for one in self._writer.written if one.suffix != ".json"]
            self.warnings += self._writer.warnings
            if self.left_out:
                self.warnings.append(f"{self.left_out} frames were left out: encoding is too slow")

    def _abandon(self, stack: ExitStack) -> None:
        """Close what holds no frame: no file comes of it, and no error."""
        try:
            with stack:
                raise _NothingRecordedError
        except _NothingRecordedError:
            self.warnings.append("nothing was recorded")

    def _named(self) -> Output:
        """Give the output its name: what is there already is kept, but for FILE itself."""
        path = self._output.path
        if not self._is_free:
            self._is_free = True
            return self._output
        for number in count(1 if self._pattern.startswith("{stem}-") else 2):
            name = self._pattern.format(stem=path.stem, number=number, suffix=path.suffix)
            if not path.with_name(name).exists():
                return replace(self._output, path=path.with_name(name))
        raise AssertionError("numbers do not end")


class _NothingRecordedError(Exception):
    """Ends a recording without frames."""
