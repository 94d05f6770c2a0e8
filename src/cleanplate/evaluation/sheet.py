"""A picture sheet of the best, the median and the worst pair, with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate import metrics
from cleanplate.arrays import Coded, Plane
from cleanplate.depth import colour_map, depth_to_disparity
from cleanplate.errors import CleanplateError
from cleanplate.evaluation.pairs import Pair, View
from cleanplate.evaluation.predictors import PairAnswer, PairPredictor
from cleanplate.evaluation.score import Row, Scores
from cleanplate.pictures import resize, to_float, to_uint8

Tile = npt.NDArray[np.uint8]

COLUMNS = ("plate", "frame", "true matte", "predicted matte", "true depth", "predicted depth")
_FIGURES = (
    ("mad", "MAD e3 {:.1f}", 1e3),
    ("iou", "IoU {:.3f}", 1.0),
    ("aligned_delta1", "aligned d<1.25 {:.3f}", 1.0),
    ("subject_abs_rel", "subject AbsRel {:.3f}", 1.0),
)
_INK = (235, 235, 235)
_GROUND = 28
_LINE = 22


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
    strips = [_heading(tile_width)]
    for one in scores:
        for place, row in _examples(one).items():
            strips.append(_caption(one, place, row, tile_width))
            strips.append(_strip(predictor, by_name[row.name], one, tile_width))
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
        answer = scene.predict(view.frame)
    except CleanplateError:
        answer = None
    pictures = (
        _coded(view.plate),
        _coded(view.frame),
        _grey(view.alpha),
        _grey(answer.alpha) if answer is not None and answer.alpha is not None else None,
        *_depths(view, answer),
    )
    height = round(width * view.frame.shape[0] / view.frame.shape[1])
    return np.concatenate(
        [
            _text_tile("none", height, width) if one is None else resize(one, (height, width))
            for one in pictures
        ],
        axis=1,
    )


def _depths(view: View, answer: PairAnswer | None) -> tuple[Tile | None, Tile | None]:
    """Paint true and predicted disparity in one range of colours, if there are such."""
    truth = None if view.depth is None else depth_to_disparity(view.depth)
    predicted = None if answer is None else answer.disparity
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


def _heading(tile_width: int) -> Tile:
    line = _ground(_LINE, tile_width * len(COLUMNS))
    for place, title in enumerate(COLUMNS):
        _write(line, title, place * tile_width + 6)
    return line


def _caption(scores: Scores, place: str, row: Row, tile_width: int) -> Tile:
    parts = [scores.model, scores.variant, place, row.name]
    parts += [
        text.format(row.values[key] * factor) for key, text, factor in _FIGURES if key in row.values
    ]
    if row.refused:
        parts.append("refused: " + row.refused.splitlines()[0])
    line = _ground(_LINE, tile_width * len(COLUMNS))
    _write(line, "   ".join(parts), 6)
    return line


def _text_tile(text: str, height: int, width: int) -> Tile:
    tile = _ground(height, width)
    _write(tile, text, 6)
    return tile


def _ground(height: int, width: int) -> Tile:
    return np.full((height, width, 3), _GROUND, np.uint8)


def _write(tile: Tile, text: str, left: int) -> None:
    # OpenCV's fonts are ASCII only.
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(tile, plain, (left, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)


def _grey(plane: Plane) -> Tile:
    return np.repeat(to_uint8(plane)[..., None], 3, axis=2)


def _coded(picture: Coded | npt.NDArray[Any]) -> Tile:
    if picture.dtype == np.uint8:
        return np.asarray(picture, np.uint8)
    return to_uint8(to_float(picture))
