"""Latency and rate of a live session: a fake camera of 30 frames a second, in real time.

    python -m benchmarks.live                      without a window
    python -m benchmarks.live --window             in a window (needs a screen; `xvfb-run` has one)
    python -m benchmarks.live --json FILE          and all of it as JSON

The example frame with new noise each time is given at 640 x 360, before a colour, blurred by depth,
and with an object in the scene. Latency is from a frame's capture to the end of
showing it; two frames of the camera are 66.7 ms. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.run import EXAMPLES, document
from benchmarks.timing import Row, as_table
from cleanplate.depth import read_depth
from cleanplate.engines.cores import available_cores
from cleanplate.formats.pictures import read_image, resize
from cleanplate.live import LiveOutputs, LiveSession, PacedCamera, composite_of
from cleanplate.live.scene_object import SceneObject
from cleanplate.predict.predictor import Predictor
from cleanplate.video.backgrounds import StillBackground

RATE = 30.0
SIZE = (360, 640)
LIMIT = 2.0  # frames of the camera
NOISE = 1.5  # levels
WARM_UP = 30  # frames that are not counted: the plate's network, the first of everything


def at_size(picture: np.ndarray, way: int | None = None) -> np.ndarray:
    """The example's picture, (640, 960), cropped to 16:9 and brought to `SIZE`."""
    part = picture[50:590]
    if way is not None:
        return cv2.resize(part, SIZE[::-1], interpolation=way)
    return np.ascontiguousarray(resize(part, SIZE))


def pictures() -> Iterator[np.ndarray]:
    """The example frame again and again, with new noise."""
    frame = at_size(read_image(EXAMPLES / "frame.jpg"))
    rng = np.random.default_rng(0)
    noisy = [
        np.clip(np.rint(frame + rng.normal(0, NOISE, frame.shape)), 0, 255).astype(np.uint8)
        for _ in range(16)
    ]
    return itertools.cycle(noisy)


def measured(options: argparse.Namespace) -> tuple[list[Row], dict[str, dict[str, float]], str]:
    predictor = Predictor(
        options.model, threads=options.threads, working_size=options.working_size, fixed_size=True
    )
    plate = at_size(read_image(EXAMPLES / "plate.jpg"))
    depth = at_size(read_depth(EXAMPLES / "plate_depth.png"), cv2.INTER_NEAREST)
    scene = predictor.scene(plate, depth)
    square = SceneObject(
        np.full((160, 80, 3), 90, np.uint8), np.ones((160, 80), np.float32), 180, 400, 2.0
    )
    looks: dict[str, dict[str, Any]] = {
        "a colour behind": {"background": StillBackground("#00b140", SIZE)},
        "blur by depth": {"blur": 6.0},
        "an object at 2 m": {"objects": [square]},
    }
    rows, stages = [], {}
    title = f"live, {SIZE[1]} x {SIZE[0]}, camera of {RATE:g} frames/s"
    for name, look in looks.items():
        outputs = LiveOutputs()
        with ExitStack() as stack:
            if options.window:
                from cleanplate.live.window import Window

                outputs.screen = window = Window("Benchmark", SIZE)
                stack.callback(window.close)
            camera = PacedCamera(pictures(), SIZE, RATE)
            session = LiveSession(
                camera,
                predictor.scene,
                lambda given, look=look: composite_of(given, **look),
                outputs,
                frames=options.frames,
                fps_target=options.fps_target or None,
            )
            session.run(scene)
        told = session.as_json()
        sizes = [one["long_side"] for one in told["plates"][-1]["working_sizes"]]
        size = sizes[-1] if sizes else max(scene.network_size)
        latencies = session.meter.latencies[WARM_UP:]
        high = float(np.percentile(latencies, 95))
        extra = {
            "frames/s": round(told["frames_per_second"], 2),
            "p95 ms": round(1000 * high, 1),
            "latency in frames": round(float(np.median(latencies)) * RATE, 2),
            "p95 in frames": round(high * RATE, 2),
            "working size": float(size),
            "left out": float(told["camera"]["replaced"]),
        }
        rows.append(Row(title, name, latencies, extra=extra))
        stages[name] = told["stage_ms"]
    return rows, stages, predictor.model.card.get("name", predictor.model.folder.name)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--model", help="a shipped or an exported model")
    parser.add_argument("--working-size", type=int, help="of the predictor")
    parser.add_argument(
        "--fps-target", type=float, default=RATE, help="as of `cleanplate live`; 0 = none"
    )
    parser.add_argument("--threads", type=int, default=min(2, available_cores()))
    parser.add_argument("--frames", type=int, default=300, help="of each look")
    parser.add_argument("--window", action="store_true", help="show them in a window")
    options = parser.parse_args(arguments)
    if options.frames <= WARM_UP:
        parser.error(f"--frames must be more than {WARM_UP}, which are not counted")
    rows, stages, model = measured(options)
    print(as_table(rows))
    for name, taken in stages.items():
        listed = ", ".join(f"{stage} {ms:.1f}" for stage, ms in taken.items() if ms >= 0.1)
        print(f"Stages of {name}, ms: {listed}")
    late = [row.name for row in rows if row.extra["latency in frames"] > LIMIT]
    verdict = f"more than {LIMIT:g} frames late: {', '.join(late)}" if late else "within the limit"
    print(f"Latency of at most {LIMIT:g} frames in the median: {verdict}.", file=sys.stderr)
    if options.json:
        seconds = {
            name: {stage: ms / 1000 for stage, ms in taken.items()}
            for name, taken in stages.items()
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(document(rows, seconds, options.threads, model), indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 1 if late else 0


if __name__ == "__main__":
    raise SystemExit(main())
