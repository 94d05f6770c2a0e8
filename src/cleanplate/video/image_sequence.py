"""Pictures of a folder or a pattern as a clip."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from cleanplate.errors import CleanplateError
from cleanplate.files.listing import find_pictures
from cleanplate.formats.pictures import read_image
from cleanplate.video.clip import ClipFacts, ClipFrame
from cleanplate.video.sequence_names import SequenceNames, is_pattern

RATE = Fraction(25)
"""Frames per second where none is given."""


class ImageSequence:
    """Pictures as a clip, at a constant frame rate; see `Clip`.

    Args:
        source: a folder, whose pictures are taken in natural order, or a pattern like
            `shot.%04d.png`, whose numbers must be without gaps.
        frame_rate: frames per second; None = 25, which the facts then say.

    Raises:
        CleanplateError: no pictures, numbers that are missing, or the first cannot be read.
    """

    def __init__(self, source: str | Path, frame_rate: Fraction | None = None):
        self.warnings: list[str] = []
        self._paths, first_number = _pictures(Path(source))
        first = read_image(self._paths[0])
        rate = RATE if frame_rate is None else Fraction(frame_rate)
        notes = () if frame_rate else (f"the frame rate is not given; {RATE} is assumed",)
        self.facts = ClipFacts(
            name=str(source),
            width=first.shape[1],
            height=first.shape[0],
            frame_rate=rate,
            frames=len(self._paths),
            duration=len(self._paths) / rate,
            time_base=1 / rate,
            first_number=first_number,
            codec=self._paths[0].suffix.lstrip(".").lower(),
            pixel_format="rgb24" if first.dtype == np.uint8 else "rgb48",
            bits=first.dtype.itemsize * 8,
            notes=notes,
        )

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[ClipFrame]:
        """Give frames start <= index < stop; see `Clip.frames`."""
        count = len(self._paths)
        if not 0 <= start < count or (stop is not None and stop < start):
            raise CleanplateError(
                f"has no frames {start}:{'' if stop is None else stop}",
                file=self.facts.name,
                cure=f"It has {count} frames, from 0 on.",
            )
        return self._read(range(start, count if stop is None else min(stop, count)))

    def _read(self, indices: range) -> Iterator[ClipFrame]:
        facts = self.facts
        for index in indices:
            rgb = read_image(self._paths[index])
            if rgb.shape != (facts.height, facts.width, 3) or rgb.dtype.itemsize * 8 != facts.bits:
                raise CleanplateError(
                    f"is {rgb.shape[1]} x {rgb.shape[0]} of {rgb.dtype.itemsize * 8} bits, the "
                    f"first {facts.width} x {facts.height} of {facts.bits}",
                    file=self._paths[index],
                    cure="Give pictures of one size and depth.",
                )
            yield ClipFrame(rgb, index, index / facts.frame_rate, 1 / facts.frame_rate)

    def close(self) -> None:
        """Do nothing: pictures are open only while they are read."""

    def __enter__(self) -> Self:
        """Give the clip itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def _pictures(source: Path) -> tuple[list[Path], int]:
    """Give the paths, and the number of the first."""
    if is_pattern(source) and not source.exists():
        names = SequenceNames.of(source)
        numbers = names.present()
        if not numbers:
            raise CleanplateError("no pictures have such names", file=source, cure="Check it.")
        gaps = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
        if gaps:
            raise CleanplateError(
                f"{len(gaps)} pictures are missing, the first is {names.name(gaps[0])}",
                file=source,
                cure="Add them, or rename the others without a gap.",
            )
        return [names.path(number) for number in numbers], numbers[0]
    paths = list(find_pictures(source))
    if not paths:
        raise CleanplateError("has no pictures in it", file=source, cure="Give another folder.")
    return paths, 0
