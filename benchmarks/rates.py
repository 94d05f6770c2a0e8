"""End-to-end frames per second of `predict` on a folder of frames."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from benchmarks.processes import Child, Launcher
from benchmarks.timing import Row, rows, side_by_side
from cleanplate import Predictor
from cleanplate.formats.pictures import read_image, resize, to_float, write_image
from cleanplate.models import Model
from cleanplate.predict.session import PairSession
from cleanplate.predict.size import default_long_side, network_size

SIZES = {(360, 640): 16, (720, 1280): 10, (1080, 1920): 8}
"""(H, W) of the frames: how many of them lie in the folder."""

FLOOR = "OpenCV alone: decodes each frame, encodes its matte"
BARE = "OpenCV and ONNX Runtime alone: the same, with the network between"
CALLED = "Scene.predict, file to matte in memory"
WHOLE = "cleanplate predict --save alpha, with its start"
STARTED = "cleanplate predict --save alpha, once started"


def rates(examples: Path, model: Model, threads: int, rounds: int, scratch: Path) -> list[Row]:
    """Measure at three sizes: seconds per frame, and frames per second."""
    made: list[Row] = []
    for size, count in SIZES.items():
        folder = scratch / f"{size[1]}x{size[0]}"
        plate, frames = footage(examples, folder, size, count)
        made += _rates_of(plate, frames, model, threads, rounds)
    return made


def _rates_of(
    plate: Path, frames: list[Path], model: Model, threads: int, rounds: int
) -> list[Row]:
    cv2.setNumThreads(threads)
    scene = Predictor(str(model.folder), threads=threads).scene(plate)
    scene.predict(frames[0], "alpha")
    mattes = plate.parent / "mattes"
    mattes.mkdir()
    floor = Floor(frames, mattes, scene.predict(frames[0], "alpha").alpha)
    bare = Bare(plate, frames, mattes, PairSession(model, threads))
    with Launcher() as launcher:
        call = ["--plate", str(plate), "--model", str(model.folder), "--threads", str(threads)]
        first = Command(launcher, [*call, str(frames[0])], plate.parent / "first")
        whole = Command(launcher, [*call, str(frames[0].parent)], plate.parent / "whole")
        taken = side_by_side(
            {
                FLOOR: floor,
                BARE: bare,
                CALLED: lambda: [scene.predict(frame, "alpha").alpha for frame in frames],
                "first": first,
                WHOLE: whole,
            },
            rounds=rounds,
        )
    seconds = by_frame(taken, len(frames))
    extra = {name: {"frames a second": 1 / statistics.median(seconds[name])} for name in seconds}
    extra[WHOLE]["peak MB"] = max(whole.peaks)
    extra[WHOLE]["frames"] = len(frames)
    height, width = scene.size
    return rows(
        f"Frames of {width} x {height}, end to end, {threads} threads",
        seconds,
        FLOOR,
        extra=extra,
    )


def by_frame(taken: dict[str, list[float]], count: int) -> dict[str, list[float]]:
    """Convert seconds of `count` frames to seconds per frame.

    The time without the start is the difference between all frames and the first one alone, so
    that neither the start nor the plate is counted.
    """
    seconds = {name: [one / count for one in all_] for name, all_ in taken.items()}
    del seconds["first"]
    seconds[STARTED] = [
        (all_ - first) / (count - 1)
        for all_, first in zip(taken[WHOLE], taken["first"], strict=True)
    ]
    return seconds


def footage(
    examples: Path, folder: Path, size: tuple[int, int], count: int
) -> tuple[Path, list[Path]]:
    """Write the example pair at (H, W) as JPEG: the plate, and frames with different noise."""
    (folder / "frames").mkdir(parents=True)
    height, width = size
    random = np.random.default_rng(0)

    def shot(name: str, path: Path) -> Path:
        picture = read_image(examples / name)
        rows_kept = round(picture.shape[1] * height / width)  # the lowest, of the wanted shape
        picture = resize(picture[-rows_kept:], size)
        noisy = np.clip(np.rint(picture + random.normal(0, 2, (height, width, 1))), 0, 255)
        write_image(path, noisy.astype(np.uint8), quality=92)
        return path

    plate = shot("plate.jpg", folder / "plate.jpg")
    return plate, [shot("frame.jpg", folder / "frames" / f"{n:04}.jpg") for n in range(count)]


@dataclass
class Command:
    """`cleanplate predict --save alpha` in a process of its own, each time into a new folder."""

    launcher: Launcher
    arguments: list[str]
    out: Path
    peaks: list[float] = field(default_factory=list)
    number: Callable[[], int] = field(default_factory=lambda: itertools.count().__next__)

    def __call__(self) -> None:
        out = self.out / str(self.number())
        call = ["-m", "cleanplate", "predict", *self.arguments, "--save", "alpha", "--quiet"]
        child = Child(self.launcher, [*call, "-o", str(out)])
        child()
        self.peaks += child.peaks


@dataclass
class Floor:
    """Lower bound: reads each frame and writes an alpha of its size."""

    frames: list[Path]
    out: Path
    matte: np.ndarray  # type: ignore[type-arg]

    def __post_init__(self) -> None:
        self.matte = np.rint(self.matte * 255).astype(np.uint8)

    def __call__(self) -> None:
        for frame in self.frames:
            _decoded(frame)
            _encode(self.out / f"{frame.stem}.png", self.matte)


class Bare:
    """Decoding, resizing, the network at its working size, resizing and encoding, by OpenCV."""

    def __init__(self, plate: Path, frames: list[Path], out: Path, session: PairSession):
        height, width = _decoded(plate).shape[:2]
        self.frames, self.out, self.size = frames, out, (height, width)
        self.session = session
        side = default_long_side(self.size, session.model.working_size)
        self.working = network_size(self.size, side)
        self.plate = session.encode_plate(self._small(plate))

    def __call__(self) -> None:
        for frame in self.frames:
            alpha = self.session.compare(self._small(frame), self.plate).alpha
            large = cv2.resize(alpha, self.size[::-1], interpolation=cv2.INTER_LINEAR)
            _encode(self.out / f"{frame.stem}.png", np.rint(large * 255).astype(np.uint8))

    def _small(self, path: Path) -> np.ndarray:  # type: ignore[type-arg]
        small = cv2.resize(_decoded(path), self.working[::-1], interpolation=cv2.INTER_AREA)
        return to_float(np.ascontiguousarray(small[..., ::-1]))


def _decoded(path: Path) -> np.ndarray:  # type: ignore[type-arg]
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise RuntimeError(f"OpenCV cannot read {path}")
    return picture


def _encode(path: Path, matte: np.ndarray) -> None:  # type: ignore[type-arg]
    if not cv2.imwrite(str(path), matte):
        raise RuntimeError(f"OpenCV cannot write {path}")
