"""The network, `Scene.predict` and the foreground beside RVM-MobileNetV3, all in one run.

    python -m benchmarks.frame_path --peers FOLDER [--model NAME ...] [--json FILE]

The reference is RVM's graph at 512 x 288, without its recurrent state, called as directly as ours.
FOLDER holds its `peers.py`, see `benchmarks.peers`. The ratio of a row is its time over RVM's; the
column "RVM over it" turns that around.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.peers import load_peer
from benchmarks.timing import Row, as_table, rows, side_by_side
from cleanplate import Predictor
from cleanplate.arrays import Bytes
from cleanplate.files.atomic import replacing
from cleanplate.formats.pictures import read_image, resize, to_float
from cleanplate.models import find_model
from cleanplate.predict.session import PairSession
from cleanplate.predict.size import default_long_side, network_size

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
RVM = "RVM-MobileNetV3 512 x 288"
RVM_SIZE = (288, 512)
CAMERA_SIZE = (720, 1280)
COLOUR_SIZES = {"1920 x 1080": (1080, 1920), "3840 x 2160": (2160, 3840)}

Work = dict[str, Callable[[], object]]


def at_size(size: tuple[int, int]) -> tuple[Bytes, Bytes]:
    """Give the example's plate and frame at (H, W), cropped to its shape."""
    found = []
    for name in ("plate", "frame"):
        picture = read_image(EXAMPLES / f"{name}.jpg")
        kept = round(picture.shape[1] * size[0] / size[1])
        found.append(np.asarray(resize(picture[-kept:], size), np.uint8))
    return found[0], found[1]


def graphs(name: str, threads: int) -> Work:
    """Make the frame's graph of a model: at RVM's size, and at its own working size for 16:9."""
    model = find_model(name)
    session = PairSession(model, threads, fixed_size=True)
    own = network_size(CAMERA_SIZE, default_long_side(CAMERA_SIZE, model.working_size))
    made: Work = {}
    for size in dict.fromkeys((RVM_SIZE, own)):
        plate, frame = (to_float(one) for one in at_size(size))
        features = session.encode_plate(plate)
        label = f"{model.name}: frame graph {size[1]} x {size[0]}"
        made[label] = partial(session.compare, frame, features)
    return made


def paths(name: str, threads: int) -> Work:
    """Make `Scene.predict` of an array to a full-size alpha, and with the foreground."""
    predictor = Predictor(name, threads=threads, fixed_size=True)
    plate, frame = at_size(CAMERA_SIZE)
    scene = predictor.scene(plate)
    title = f"{predictor.model.name}: scene.predict"
    made: Work = {f"{title} 1280 x 720 to alpha": lambda: scene.predict(frame, "alpha")}
    for label, size in COLOUR_SIZES.items():
        large_plate, large_frame = at_size(size)
        large = predictor.scene(large_plate)
        for outputs in ("alpha", "foreground"):
            made[f"{title} {label} to {outputs}"] = partial(large.predict, large_frame, outputs)
    return made


def measured(peers: Path, models: list[str], threads: int, rounds: int) -> list[Row]:
    """Measure all in turn; the ratio is each one's time over RVM's."""
    cv2.setNumThreads(threads)
    peer = load_peer(peers, "RVM", threads, size=RVM_SIZE, recurrent=False)
    _, frame = at_size(RVM_SIZE)
    work: Work = {RVM: lambda: peer.predict(None, frame)}
    for name in models:
        work |= graphs(name, threads)
        work |= paths(name, threads)
    taken = side_by_side(work, rounds=rounds, at_least=0.02)
    made = rows(f"One frame, {threads} threads", taken, RVM)
    for row in made:
        row.extra["RVM over it"] = 1 / row.ratio
    return made


def main() -> None:
    """Print the table; write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--model", action="append", help="may be repeated; default: the shipped")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    models = options.model or [find_model().name]
    found = measured(options.peers, models, options.threads, options.rounds)
    print(as_table(found))
    if options.json:
        with replacing(options.json) as part:
            document = {"rows": [row.as_json() for row in found]}
            part.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
