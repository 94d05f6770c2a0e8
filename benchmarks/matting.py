"""Time of one frame: the shipped network, SeedNet and the baselines."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import hardware_limits
from benchmarks.timing import Row, rows, side_by_side
from cleanplate.evaluation import BASELINES
from cleanplate.formats.pictures import read_image, resize, to_float
from cleanplate.models import Model
from cleanplate.predict.session import PairSession

CACHED = "CompactNet, plate cached"
WHOLE = "CompactNet, plate and frame"
SEED = "SeedNet, plate and frame"
LABELS = {"difference": "difference threshold", "aligned": "aligned difference", "mog2": "MOG2"}

Work = dict[str, Callable[[], object]]


def matting(pair: tuple[Path, Path], model: Model, threads: int, rounds: int) -> list[Row]:
    """Measure at 256 x 256, 512 x 384 and, with SeedNet too, 128 x 128."""
    cv2.setNumThreads(threads)
    plate, frame = (read_image(path) for path in pair)
    flops = hardware_limits.peak(threads)
    made: list[Row] = []
    for height, width in ((256, 256), (384, 512), (128, 128)):
        size = (height, width)
        work = _work(resize(plate, size), resize(frame, size), model, threads)
        counts = _counts(model, size)
        if size == (128, 128) and find_spec("torch"):
            work[SEED], counts[SEED] = _seednet(size, threads)
        taken = side_by_side(work, rounds=rounds, at_least=0.02)
        made += rows(
            f"One frame at {width} x {height}, {threads} threads",
            taken,
            CACHED,
            lower_bounds={
                name: (2 * count / flops, f"{count / 1e9:.2f} GMAC at a matrix product's peak")
                for name, count in counts.items()
                if count
            },
        )
    return made


def _work(plate: Any, frame: Any, model: Model, threads: int) -> Work:
    session = PairSession(model, threads)
    small_plate, small_frame = to_float(plate), to_float(frame)
    features = session.encode_plate(small_plate)
    work: Work = {
        CACHED: lambda: session.compare(small_frame, features),
        WHOLE: lambda: session.compare(small_frame, session.encode_plate(small_plate)),
    }
    for name, label in LABELS.items():
        scene = BASELINES[name]().scene(plate)
        work[label] = lambda scene=scene: scene.predict(frame)  # type: ignore[misc]
    return work


def _counts(model: Model, size: tuple[int, int]) -> dict[str, int]:
    plate, frame = hardware_limits.pair_multiplications(model, size)
    return {CACHED: frame, WHOLE: plate + frame}


def _seednet(size: tuple[int, int], threads: int) -> tuple[Callable[[], object], int]:
    """Return SeedNet without a plate cache, as the report ran it, and its multiply-accumulates.

    Random weights, exported as any network.
    """
    from torch import Tensor

    from cleanplate.training.export.model_export import build_graphs
    from cleanplate.training.networks import PairNetwork, Prediction, SeedNet

    class Uncached(PairNetwork):
        def __init__(self) -> None:
            super().__init__()
            self.network = SeedNet()

        def encode_plate(self, *_: Tensor | None) -> tuple[Tensor, ...]:
            return ()

        def compare(self, frame: Tensor, plate: Tensor, _: tuple[Tensor, ...]) -> Prediction:
            prediction: Prediction = self.network(plate, frame)
            return prediction

    _, graph = build_graphs(Uncached().eval(), {})
    feed = {name: np.full((1, 3, *size), 0.5, np.float32) for name in ("plate", "frame")}
    running = hardware_limits.session(graph, threads)
    return (lambda: running.run(["alpha"], feed)), hardware_limits.multiplications(graph, feed)
