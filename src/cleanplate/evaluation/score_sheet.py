"""A picture sheet of the best, the median and the worst pair, with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cleanplate import metrics
from cleanplate.contact_sheet import Tile, as_tile, caption, heading, row
from cleanplate.depth import colour_map, depth_to_disparity
from cleanplate.errors import CleanplateError
from cleanplate.evaluation.score import Row, Scores
from cleanplate.pairs.pair_files import Pair, View
from cleanplate.pairs.protocols import PairAnswer, PairPredictor, answer_of, given_by

COLUMNS = ("plate", "frame", "true matte", "predicted matte", "true depth", "predicted depth")
_FIGURES = (
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

    The predictor is run again on these pairs. Depth is painted near = bright, prediction
    (aligned, unless metric) and truth in the same range of colours.

    Args:
        predictor: the one that was scored.
        pairs: those it was scored on.
        scores: for example one per variant.
        tile_width: of each of the six pictures of a row, in pixels.

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


def _examples(scores: Scores) -> Mapping[str, Row]:
    ranked = scores.ranked()
    if len(ranked) < 3:
        return {f"{place + 1} of {len(ranked)}": row for place, row in enumerate(ranked)}
    return {"best": ranked[0], "median": ranked[len(ranked) // 2], "worst": ranked[-1]}


def _strip(predictor: PairPredictor, pair: Pair, scores: Scores, width: int) -> Tile:
    view = pair.read(scores.variant)
    try:
        scene = predictor.scene(view.plate, view.plate_depth if scores.plate_depth else None)
        answer = answer_of(scene, view.frame, "alpha", "disparity")
    except CleanplateError:
        answer = None
    alpha = None if answer is None else given_by(answer, "alpha")
    pictures = (
        as_tile(view.plate),
        as_tile(view.frame),
        as_tile(view.alpha),
        None if alpha is None else as_tile(alpha),
        *_depths(view, answer),
    )
    height = round(width * view.frame.shape[0] / view.frame.shape[1])
    return row(pictures, (height, width))


def _depths(view: View, answer: PairAnswer | None) -> tuple[Tile | None, Tile | None]:
    """Paint true and predicted disparity in one range of colours, if there are such."""
    truth = None if view.depth is None else depth_to_disparity(view.depth)
    predicted = None if answer is None else given_by(answer, "disparity")
    if truth is None:
        return None, None if predicted is None else colour_map(predicted)
    known = truth[np.isfinite(truth)]
    low, high = (float(np.percentile(known, share)) for share in (1, 99))
    drawn = None
    if predicted is not None:
        if not (answer is not None and answer.metric):
            predicted = metrics.align_disparity(predicted, truth)
        drawn = colour_map(predicted, None, low, high)
    return colour_map(truth, None, low, high), drawn


def _caption(scores: Scores, place: str, example: Row, tile_width: int) -> Tile:
    parts = [scores.model, scores.variant, place, example.name]
    parts += [
        text.format(example.values[key] * factor)
        for key, text, factor in _FIGURES
        if key in example.values
    ]
    if example.refused:
        parts.append("refused: " + example.refused.splitlines()[0])
    return caption("   ".join(parts), tile_width * len(COLUMNS))
