"""How steady mattes and depth are from frame to frame, on clips with exact truth.

    python -m benchmarks.stability [--json FILE] [--peers FOLDER] [--smoothing]
                                   [--plates DIR --cutouts DIR --assume-license TEXT]

`cleanplate synth clips` makes the clips: noise alone; an exposure ramp; a flickering lamp; a
shaking camera. Compared are the frame loop of `cleanplate video`, the same model frame by frame,
the background difference, and RVM-MobileNetV3 with its recurrent state (a peer of
`benchmarks.peers`, left out where its file is not there). The models get the plate's depth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import load_peer
from cleanplate.cli import main as cleanplate
from cleanplate.evaluation.baselines import FixedDifference
from cleanplate.evaluation.clip_prediction import (
    ClipPredictor,
    FramePrediction,
    Looped,
    PerFrame,
)
from cleanplate.evaluation.clip_score import ClipScores, evaluate_clips
from cleanplate.evaluation.clip_table import clip_document, clip_table
from cleanplate.files.atomic import replacing
from cleanplate.formats.pictures import to_uint8
from cleanplate.pairs.clip_truth import TrueClip, TrueFrame, find_clips
from cleanplate.predict.predictor import Predictor

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
CONDITIONS = {
    "noise": [],
    "ramp": ["--ramp", "0.4"],
    "flicker": ["--flicker", "0.06"],
    "shake": ["--shake", "0.5"],
}
"""Name -> options of `cleanplate synth clips` beside its defaults (noise 2 of 255)."""


@dataclass
class RecurrentPeer:
    """A peer that carries a state from frame to frame."""

    name: str
    network: Any
    way: str = "recurrent, no plate"
    model_hash: str | None = None

    def predict(self, clip: TrueClip, frames: Iterator[TrueFrame]) -> Iterator[FramePrediction]:
        plate = clip.plate()
        self.network.reset()
        for frame in frames:
            alpha = self.network.predict(plate, frame.frame)["alpha"]
            yield FramePrediction(np.asarray(alpha, np.float32))


@dataclass
class EightBits:
    """A predictor whose alpha is rounded to 8 bits, as files have it: the same for everybody."""

    predictor: ClipPredictor

    @property
    def name(self) -> str:
        return self.predictor.name

    @property
    def way(self) -> str:
        return self.predictor.way

    @property
    def model_hash(self) -> str | None:
        return self.predictor.model_hash

    def predict(self, clip: TrueClip, frames: Iterator[TrueFrame]) -> Iterator[FramePrediction]:
        for found in self.predictor.predict(clip, frames):
            alpha = to_uint8(found.alpha).astype(np.float32) / np.float32(255)
            yield FramePrediction(alpha, found.depth)


def main() -> int:
    """Print a table for each condition; write the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stability",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peers", type=Path, default=SHARED / "peers")
    parser.add_argument("--plates", type=Path, default=SHARED / "data" / "plates")
    parser.add_argument("--cutouts", type=Path, default=SHARED / "data" / "cutouts")
    parser.add_argument("--assume-license", default="CC-BY-4.0")
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=3, help="clips of each condition")
    parser.add_argument("--frames", type=int, default=30, help="of a clip")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--smoothing", action="store_true", help="ways to smooth instead")
    options = parser.parse_args()
    predictors = _predictors(options)
    results = {}
    rows: list[list[ClipScores]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, (condition, more) in enumerate(CONDITIONS.items()):
            folder = Path(scratch) / condition
            _make(folder, options, options.seed + number, more)
            clips = find_clips(folder)
            scores: list[ClipScores] = []
            for one in predictors:
                print(f"{condition}: {one.name}, {one.way} ...", file=sys.stderr)
                scores.append(evaluate_clips(EightBits(one), clips))
            print(f"{condition}\n{clip_table(scores)}\n", flush=True)
            results[condition] = clip_document(scores)
            rows.append(scores)
    print(changes(rows))
    if options.json:
        told = {
            "clips": options.count,
            "frames": options.frames,
            "size": options.size,
            "seed": options.seed,
            "conditions": CONDITIONS,
            "assets": "given" if options.plates.is_dir() else "procedural",
        }
        with replacing(options.json) as part:
            text = json.dumps({"settings": told, **results}, indent=1)
            part.write_text(text + "\n", encoding="utf-8")
    return 0


def _predictors(options: argparse.Namespace) -> list[ClipPredictor]:
    predictor = Predictor(options.model, threads=options.threads)
    looped = Looped(predictor, with_plate_depth=True, with_focal=True)
    if options.smoothing:
        from benchmarks.temporal_smoothing import Kept, ways

        kept = Kept(looped)
        return [kept, *ways(kept)]
    found: list[ClipPredictor] = [
        looped,
        PerFrame(predictor, with_plate_depth=True, with_focal=True),
        PerFrame(FixedDifference()),
    ]
    if (options.peers / "peers.py").is_file():
        network = load_peer(options.peers, "RVM", options.threads, size=None, recurrent=True)
        found.append(RecurrentPeer("RVM-MobileNetV3", network))
    else:
        print(f"{options.peers} holds no peers.py: RVM is left out", file=sys.stderr)
    return found


def changes(rows: list[list[ClipScores]]) -> str:
    """Table of each method against the first one: means over all clips of ratios of their errors.

    Args:
        rows: of each condition, the scores of each method.
    """
    lines = ["| against the loop | dtSSD | MAD | lag |", "| --- | --- | --- | --- |"]
    for place, one in enumerate(rows[0]):
        pairs = [
            (row.values, base.values)
            for scores in rows
            for row, base in zip(scores[place].rows, scores[0].rows, strict=True)
        ]
        dtssd, mad = (
            100 * (float(np.mean([new[key] / old[key] for new, old in pairs])) - 1)
            for key in ("dtssd", "mad")
        )
        late = [new["lag"] - old["lag"] for new, old in pairs if {"lag"} <= new.keys() & old.keys()]
        lag = f"{np.mean(late):+.2f}" if late else "-"
        lines.append(f"| {one.way} | {dtssd:+.1f} % | {mad:+.1f} % | {lag} |")
    return "\n".join(lines)


def _make(folder: Path, options: argparse.Namespace, seed: int, more: list[str]) -> None:
    call = ["synth", "clips", "-o", str(folder), "--seed", str(seed), "--quiet", *more]
    call += ["--count", str(options.count), "--frames", str(options.frames)]
    call += ["--size", options.size, "--assume-license", options.assume_license]
    for kind in ("plates", "cutouts"):
        given = getattr(options, kind)
        if given.is_dir():
            call += [f"--{kind}", str(given)]
    if code := cleanplate(call):
        raise SystemExit(code)


if __name__ == "__main__":
    raise SystemExit(main())
