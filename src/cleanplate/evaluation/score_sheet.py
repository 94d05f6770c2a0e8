"""Picture sheet of the best, the median and the worst pair, with their metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cleanplate import metrics
from cleanplate.contact_sheet import Tile, as_tile, caption, heading, row
from cleanplate.depth import colour_map, depth_to_disparity
from cleanplate.errors import CleanplateError
from cleanplate.evaluation.score import PairScore, Scores
from cleanplate.pairs.pair_files import Pair, PairVariant
from cleanplate.pairs.protocols import (
    PairPrediction,
    PairPredictor,
    output_named,
    predict_outputs,
)

COLUMNS = ("plate", "frame", "true matte", "predicted matte", "true depth", "predicted depth")
_CAPTION_METRICS = (
    ("mad", "MAD e3 {:.1f}", 1e3),
    ("iou", "IoU {:.3f}", 1.0),
    ("aligned_delta1", "aligned d<1.25 {:.3f}", 1.0),
    ("subject_abs_rel", "subject AbsRel {:.3f}", 1.0),
)


def draw_sheet(
    predictor: PairPredictor,
    pairs: Sequence[Pair],
    scores: Sequence[Scores],
    *,
    tile_width: int = 320,
) -> Tile:
    """Draw three rows per entry of `scores`: best, median and worst, by `Scores.ranked`.

    The predictor is run again on these pairs. Depth is drawn with near = bright; prediction
    (aligned, unless metric) and truth have the same colour scale.

    Args:
        predictor: of the scores.
        pairs: of the scores.
        scores: for example one per variant.
        tile_width: width in pixels of each of the six pictures of a row.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    by_name = {pair.name: pair for pair in pairs}
    strips = [heading(COLUMNS, tile_width)]
    for one in scores:
        for place, example in _examples(one).items():
            strips.append(_caption(one, place, example, tile_width))
            strips.append(_strip(predictor, by_name[example.name], one, tile_width))
    return np.concatenate(strips)


def _examples(scores: Scores) -> Mapping[str, PairScore]:
    ranked = scores.ranked()
    if len(ranked) < 3:
        return {f"{place + 1} of {len(ranked)}": row for place, row in enumerate(ranked)}
    return {"best": ranked[0], "median": ranked[len(ranked) // 2], "worst": ranked[-1]}


def _strip(predictor: PairPredictor, pair: Pair, scores: Scores, width: int) -> Tile:
    pair_variant = pair.read(scores.variant)
    try:
        scene = predictor.scene(
            pair_variant.plate, pair_variant.plate_depth if scores.plate_depth else None
        )
        prediction = predict_outputs(scene, pair_variant.frame, "alpha", "disparity")
    except CleanplateError:
        prediction = None
    alpha = None if prediction is None else output_named(prediction, "alpha")
    pictures = (
        as_tile(pair_variant.plate),
        as_tile(pair_variant.frame),
        as_tile(pair_variant.alpha),
        None if alpha is None else as_tile(alpha),
        *_depths(pair_variant, prediction),
    )
    height = round(width * pair_variant.frame.shape[0] / pair_variant.frame.shape[1])
    return row(pictures, (height, width))


def _depths(
    pair_variant: PairVariant, prediction: PairPrediction | None
) -> tuple[Tile | None, Tile | None]:
    """Draw true and predicted disparity on one colour scale; None for what there is not."""
    truth = None if pair_variant.depth is None else depth_to_disparity(pair_variant.depth)
    predicted = None if prediction is None else output_named(prediction, "disparity")
    if truth is None:
        return None, None if predicted is None else colour_map(predicted)
    known = truth[np.isfinite(truth)]
    low, high = (float(np.percentile(known, share)) for share in (1, 99))
    drawn = None
    if predicted is not None:
        if not (prediction is not None and prediction.metric):
            predicted = metrics.align_disparity(predicted, truth)
        drawn = colour_map(predicted, None, low, high)
    return colour_map(truth, None, low, high), drawn


def _caption(scores: Scores, place: str, example: PairScore, tile_width: int) -> Tile:
    parts = [scores.model, scores.variant, place, example.name]
    parts += [
        text.format(example.values[key] * factor)
        for key, text, factor in _CAPTION_METRICS
        if key in example.values
    ]
    if example.refused:
        parts.append("refused: " + example.refused.splitlines()[0])
    return caption("   ".join(parts), tile_width * len(COLUMNS))
