"""Compositing on one core: samples with exact truth and camera effects."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import cv2
import numpy as np

from benchmarks.timing import Row, rows, side_by_side
from cleanplate.matte import over
from cleanplate.synthesis import Composer, CompositorSettings, ProceduralComposer

SIZE = (256, 256)
BATCH = 32
"""Samples in one piece of work: they differ, so one alone says little."""
ASSETS = 16
"""Distinct plates, and as many cutouts; made before the clock runs, as those of a folder are
read before long."""


def composing(rounds: int) -> list[Row]:
    """Measure procedural scenes, the same on every machine, in seconds of one thread.

    `benchmarks/compositor.py` measures the stages, and folders of assets.
    """
    mix = "one mix in linear light (matte.over)"
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        few = CompositorSettings(procedural_rooms=ASSETS, procedural_cutouts=ASSETS)
        plain = replace(few, camera=False)
        work: dict[str, Callable[[], object]] = {
            mix: _mixer(),
            "sample with camera effects": _maker(ProceduralComposer(1, few)),
            "sample without them": _maker(ProceduralComposer(1, plain)),
        }
        taken = side_by_side(work, rounds=rounds, clock=time.process_time)
    finally:
        cv2.setNumThreads(threads)
    each = {name: [seconds / BATCH for seconds in values] for name, values in taken.items()}
    rates = {
        name: {"a second": 1 / float(np.median(values))}
        for name, values in each.items()
        if name != mix
    }
    return rows(f"Compositor at {SIZE[1]} x {SIZE[0]}, one core", each, mix, extra=rates)


def _maker(composer: Composer) -> Callable[[], object]:
    index = count()
    for collection in (*composer.plates, *composer.cutouts):
        for number in range(len(collection)):
            collection[number]

    def make() -> None:
        for _ in range(BATCH):
            composer.sample(next(index), SIZE)

    return make


def _mixer() -> Callable[[], object]:
    random = np.random.default_rng(0)
    front, back = (random.integers(0, 256, (*SIZE, 3), np.uint8) for _ in range(2))
    alpha = random.random(SIZE, np.float32)

    def mix() -> None:
        for _ in range(BATCH):
            over(front, alpha, back)

    return mix
