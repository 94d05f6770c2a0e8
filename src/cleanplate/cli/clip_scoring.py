"""The part of `cleanplate evaluate` that scores clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.errors import CleanplateError

if TYPE_CHECKING:
    from cleanplate.evaluation import PairPredictor
    from cleanplate.evaluation.clip_prediction import ClipPredictor
    from cleanplate.pairs.clip_truth import TrueClip


def score_clips(
    folder: Path,
    predictor: PairPredictor,
    options: dict[str, Any],
    *,
    json_output: JsonOutput | None,
    quiet: bool,
) -> None:
    """Score a predictor on a folder of clips; print the table, write the JSON.

    Args:
        folder: what `cleanplate synth clips` made.
        predictor: a model or a baseline.
        options: of the command, for the JSON; `baseline`, `per_frame`, `limit`,
            `with_plate_depth`, `known_focal` and `overwrite` are read.
        json_output: where to write JSON.
        quiet: no progress bar, no summary.

    Raises:
        CleanplateError: at the end, if clips could not be scored.
    """
    from cleanplate.evaluation.clip_score import evaluate_clips
    from cleanplate.evaluation.clip_table import clip_document, clip_table
    from cleanplate.pairs.clip_truth import find_clips

    clips = find_clips(folder)[: options["limit"]]

    def progress(chosen: Sequence[TrueClip]) -> Iterable[TrueClip]:
        return tqdm(chosen, unit="clip", disable=True if quiet else None)  # type: ignore[no-any-return,unused-ignore]

    scores = evaluate_clips(_clip_predictor(predictor, options), clips, progress=progress)
    if shows_summary(json_output, quiet) and scores.rows:
        click.echo(clip_table([scores]))
    if json_output is not None:
        told = {key: value for key, value in options.items() if key != "overwrite"}
        document = {"options": {"clips": folder.name, **told}, **clip_document([scores])}
        json_output.write(document, overwrite=options["overwrite"])
    if scores.failed:
        lines = [f"{name}: {why}" for name, why in scores.failed.items()]
        count = f"{len(scores.failed)} of {len(clips)} clips could not be scored:"
        raise CleanplateError("\n".join([count, *lines]))


def _clip_predictor(predictor: PairPredictor, options: dict[str, Any]) -> ClipPredictor:
    from cleanplate.evaluation.clip_prediction import Looped, PerFrame
    from cleanplate.predict.predictor import Predictor

    known = options["with_plate_depth"], options["known_focal"]
    if isinstance(predictor, Predictor) and not options["per_frame"]:
        return Looped(predictor, *known)
    return PerFrame(predictor, *known)
