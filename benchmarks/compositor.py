"""Compositor profile: samples per second of one core, and the share of each stage.

    python benchmarks/compositor.py                        # procedural plates and cutouts
    python benchmarks/compositor.py --plates P --cutouts C  # folders in the catalogue's form

Prints JSON: samples per second of CPU time on one core (median of the repeats, their quartiles),
and each stage's share. CPU time, not wall time, because other processes disturb it less; assets
are in memory before the first repeat, as in a training run.
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
import sys
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from cleanplate.synthesis import Composer, CompositorSettings
from cleanplate.synthesis.compositor import appearance, composer, view

STAGES = {
    "view": (composer, "sample_view"),
    "tone": (composer, "linear_by_curve"),
    "subject": (composer, "sample_subject"),
    "edges": (appearance, "apply_edge_effects"),
    "harmonisation": (appearance, "harmonised_light"),
    "shadow": (composer, "shadow_factors"),
    "visible": (composer, "visible_alpha"),
    "occlusion": (composer, "add_layer"),
    "motion": (view.SceneView, "warped"),
    "camera": (composer, "apply_camera"),
    "foreground": (composer, "straight_colour"),
}


class StageCosts:
    """Sums the time of functions, each without the time in another one that is counted."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.open: list[float] = []
        for name, (home, attribute) in STAGES.items():
            setattr(home, attribute, self.timed(name, getattr(home, attribute)))

    def timed(self, name, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            self.open.append(0.0)
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.process_time() - start
                self.seconds[name] += spent - self.open.pop()
                if self.open:
                    self.open[-1] += spent

        return wrapped


def measure(make: Composer, size: tuple[int, int], count: int, repeats: int) -> list[float]:
    rates = []
    for _ in range(repeats):
        start = time.process_time()
        for index in range(count):
            make.sample(index, size)
        rates.append(count / (time.process_time() - start))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plates", type=Path)
    parser.add_argument("--cutouts", type=Path)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("H", "W"))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    settings = CompositorSettings(procedural_rooms=12, procedural_cutouts=24)
    make = Composer.from_folders(given.plates, given.cutouts, seed=1, settings=settings)
    size = tuple(given.size)
    measure(make, size, given.count, 1)  # reads or makes the assets
    rates = measure(make, size, given.count, given.repeats)
    stages = StageCosts()
    start = time.process_time()
    measure(make, size, given.count, 1)
    whole = time.process_time() - start
    shares = {name: round(seconds / whole, 3) for name, seconds in stages.seconds.items()}
    shares["rest"] = round(1 - sum(shares.values()), 3)
    low, middle, high = np.percentile(rates, [25, 50, 75])
    report = {
        "what": "samples per second of one core's CPU time",
        "size": list(size),
        "samples_per_second": round(float(middle), 1),
        "quartiles": [round(float(low), 1), round(float(high), 1)],
        "repeats": given.repeats,
        "samples_per_repeat": given.count,
        "assets": "procedural" if given.plates is None else "folders",
        "stages": dict(sorted(shares.items(), key=lambda item: -item[1])),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
    }
    json.dump(report, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
