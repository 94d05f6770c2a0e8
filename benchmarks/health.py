"""Table of plate health in docs/prediction.md: disturbance, verdict, warnings, alpha error.

    python -m benchmarks.health [PAIRS ...] [--plates FOLDER --cutouts FOLDER --scenes N]
                                [--only TEXT] [--each] [--model NAME] [--json FILE]

PAIRS are folders as `cleanplate evaluate` takes them; default: examples/pairs. With plates and
cutouts of the data engine, N more pairs are composed. Every pair goes through every disturbance
(benchmarks/disturbances.py). A row holds the verdicts over the pairs, the refusal or warning that
most often comes first, and the median MAD and IoU with `force`, so that also what is refused has
figures. The last column counts pairs that break the promise: verdict "good" and IoU below .8, where
the undisturbed pair has .9.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks.disturbances import Disturbance, Sample, composed, disturbances
from cleanplate import metrics
from cleanplate.evaluation import find_pairs
from cleanplate.formats.pictures import read_image, read_rgba, resize, to_float, to_uint8
from cleanplate.markdown_table import markdown_table
from cleanplate.predict.predictor import Predictor

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "pairs"
SUBJECTS = (0, 24, 53, 77, 101, 131, 150, 171)
PLATES = (3, 17, 29, 42, 58, 71, 90, 110)
"""Which plates and cutouts, by place in their folder, are put together."""

GOOD_IOU, BAD_IOU = 0.9, 0.8
"""An undisturbed pair counts from here; below the second, "good" is a broken promise."""


class Measured(NamedTuple):
    """What one disturbed pair gave."""

    disturbance: str
    pair: str
    verdict: str
    warnings: list[str]
    mad: float
    iou: float
    health: dict[str, Any]


def measure(predictor: Predictor, name: str, disturbance: Disturbance, sample: Sample,
            other: Sample) -> Measured:  # fmt: skip
    """Predict one disturbed pair; `predictor` must have `force`."""
    plate, frame, alpha = disturbance.make(sample, other)
    result = predictor.scene(plate).predict(frame, "alpha")
    health = result.report["health"]
    said = [health["refusal"]] if health["refusal"] else []
    mad = metrics.alpha_errors(result.alpha, alpha)["mad"]
    iou = metrics.iou(result.alpha, alpha)
    return Measured(
        disturbance.name, name, health["verdict"], said + health["warnings"], mad, iou, health
    )


def broken_promises(rows: Sequence[Measured]) -> list[Measured]:
    """Rows with verdict "good" and a bad matte of a pair whose undisturbed matte is good."""
    whole = {row.pair: row.iou for row in rows if row.disturbance == "undisturbed"}
    return [
        row
        for row in rows
        if row.verdict == "good" and row.iou < BAD_IOU and whole.get(row.pair, 0) >= GOOD_IOU
    ]


def pairs_of(folder: Path, long_side: int = 960) -> Iterator[tuple[str, Sample]]:
    """Read the pairs of a folder, not larger than `long_side`."""
    for pair in find_pairs(folder):
        view = pair.read()
        scale = min(1.0, long_side / max(view.alpha.shape))
        size = (round(view.alpha.shape[0] * scale), round(view.alpha.shape[1] * scale))
        plate, frame = (to_uint8(to_float(resize(p, size))) for p in (view.plate, view.frame))
        yield pair.name, Sample(plate, frame, resize(view.alpha, size))


def composed_pairs(plates: Path, cutouts: Path, count: int) -> Iterator[tuple[str, Sample]]:
    """Put plates and cutouts of the data engine together."""
    scenes, subjects = sorted(plates.glob("*.jpg")), sorted(cutouts.glob("[0-9]*[0-9].png"))
    subjects = [path for path in subjects if "_" not in path.stem]
    for i in range(count):
        plate, subject = scenes[PLATES[i % 8] % len(scenes)], subjects[SUBJECTS[i % 8] %
                                                                         len(subjects)]  # fmt: skip
        colour, alpha = read_rgba(subject)
        assert alpha is not None
        yield plate.stem, composed(to_uint8(to_float(read_image(plate))),
                                   to_uint8(to_float(colour)), alpha, i)  # fmt: skip


def as_markdown(rows: Sequence[Measured]) -> str:
    """One line per disturbance."""
    broken = {(row.disturbance, row.pair) for row in broken_promises(rows)}
    lines = []
    for name in dict.fromkeys(row.disturbance for row in rows):
        mine = [row for row in rows if row.disturbance == name]
        verdicts = Counter(row.verdict for row in mine)
        said = Counter(_general(row.warnings[0]) for row in mine if row.warnings)
        mad, iou = (float(np.median([getattr(row, key) for row in mine])) for key in ("mad", "iou"))
        lines.append(
            (
                name,
                f"{verdicts['good']} / {verdicts['usable']} / {verdicts['wrong']}",
                said.most_common(1)[0][0] if said else "",
                f"{1000 * mad:.1f}",
                f"{iou:.3f}",
                str(sum((name, row.pair) in broken for row in mine)),
            )
        )
    titles = "disturbance", "good / usable / wrong", "said first, most often", "MAD x 1000", "IoU"
    return markdown_table((*titles, "good, but below .8"), lines)


def _general(warning: str) -> str:
    """Cut a warning to its first part, without figures."""
    return re.sub(r"[+-]?\d+(\.\d+)?", "N", re.split("[:;]", warning)[0])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="*", type=Path, default=[EXAMPLES])
    parser.add_argument("--plates", type=Path)
    parser.add_argument("--cutouts", type=Path)
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--only", help="disturbances whose name holds this")
    parser.add_argument("--model", help="a shipped or an exported model")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--each", action="store_true", help="a line per pair, too")
    given = parser.parse_args()
    if given.threads:
        cv2.setNumThreads(given.threads)
    predictor = Predictor(given.model, threads=given.threads, force=True)
    samples = [pair for folder in given.pairs for pair in pairs_of(folder)]
    if given.plates and given.cutouts:
        samples += composed_pairs(given.plates, given.cutouts, given.scenes)
    other = [sample for _, sample in samples[1:]] + [_other_scene(samples)]
    rows = []
    for disturbance in disturbances():
        if given.only and given.only not in disturbance.name != "undisturbed":
            continue
        for (name, sample), another in zip(samples, other, strict=True):
            row = measure(predictor, name, disturbance, sample, another)
            rows.append(row)
            if given.each:
                print(f"{row.disturbance:38} {row.pair:8} {row.verdict:7} "
                      f"{1000 * row.mad:6.1f} {row.iou:.3f} {'; '.join(row.warnings)}")  # fmt: skip
    print(as_markdown(rows))
    if given.json:
        given.json.write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n", "utf-8")


def _other_scene(samples: Sequence[tuple[str, Sample]]) -> Sample:
    """Another scene for the last pair: the first's, or the example's where there is only one."""
    if len(samples) > 1:
        return samples[0][1]
    plate = to_uint8(to_float(read_image(EXAMPLES.parent / "plate.jpg")))
    return Sample(plate, plate, np.zeros(plate.shape[:2], np.float32))


if __name__ == "__main__":
    main()
