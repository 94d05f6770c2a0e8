"""Memory of the video loop at an early and at a late frame.

    python -m benchmarks.video_memory [--frames 20000] [--size 320x180]

A clip of as many frames is decoded, matted, composited and encoded by the package; the resident
memory of the process is read at frame 100 and at the last one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2

from benchmarks.video_rates import EXAMPLES, run, write_clip
from cleanplate import Predictor
from cleanplate.video import FrameLayers
from cleanplate.video.backgrounds import StillBackground
from cleanplate.video.clip import ClipFrame
from cleanplate.video.frame_loop import FrameLoop

EARLY = 100


def resident() -> int:
    """Bytes of this process that are in memory (Linux)."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell the memory of a process in /proc")


def measured(model: str | None, frames: int, size: tuple[int, int]) -> tuple[int, int]:
    """Give bytes at frame `EARLY` and at the last frame."""
    seen: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        clip, plate = write_clip(Path(scratch), size, frames)
        loop = FrameLoop(
            Predictor(model, threads=1, fixed_size=True).scene(plate),
            {"composite"},
            StillBackground(EXAMPLES / "background.jpg", size),
        )

        def layers(given: Iterable[ClipFrame]) -> Iterator[FrameLayers]:
            for number, one in enumerate(loop.layers(given), start=1):
                if number in (EARLY, frames):
                    seen[number] = resident()
                yield one

        run(clip, Path(scratch) / "out.mp4", layers)
    return seen[EARLY], seen[frames]


def main() -> None:
    """Print both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="default: the shipped one")
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--size", default="320x180")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    cv2.setNumThreads(1)
    early, late = measured(options.model, options.frames, (height, width))
    print(
        f"{early / 2**20:.1f} MB at frame {EARLY}, {late / 2**20:.1f} MB at frame "
        f"{options.frames}: {late / early - 1:+.1%}"
    )


if __name__ == "__main__":
    main()
