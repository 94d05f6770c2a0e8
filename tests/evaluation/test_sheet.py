from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleanplate.evaluation import draw_sheet, evaluate, find_pairs
from cleanplate.evaluation.score_sheet import COLUMNS
from cleanplate.formats.pictures import resize
from tests.evaluation.conftest import HEIGHT, WIDTH
from tests.evaluation.test_score import TruthPredictor

LINE = 22


def tiles(sheet: np.ndarray, strip: int) -> list[np.ndarray]:
    top = LINE + strip * (LINE + HEIGHT) + LINE
    return [
        sheet[top : top + HEIGHT, place * WIDTH : (place + 1) * WIDTH]
        for place in range(len(COLUMNS))
    ]


@pytest.mark.parametrize("metric", [True, False])
def test_pictures_are_in_their_columns(pairs_folder: Path, metric: bool) -> None:
    pairs = find_pairs(pairs_folder)
    predictor = TruthPredictor(pairs_folder, metric=metric, refuses=1)
    scores = evaluate(predictor, pairs)
    sheet = draw_sheet(predictor, pairs, [scores], tile_width=WIDTH)
    assert sheet.shape == (LINE + 3 * (LINE + HEIGHT), len(COLUMNS) * WIDTH, 3)
    assert sheet.dtype == np.uint8
    for strip, row in enumerate(scores.ranked()):
        view = next(pair for pair in pairs if pair.name == row.name).read()
        plate, frame, matte, guess, depth, guessed = tiles(sheet, strip)
        np.testing.assert_array_equal(plate, view.plate)
        np.testing.assert_array_equal(frame, view.frame)
        np.testing.assert_allclose(matte[..., 0] / 255, view.alpha, atol=1e-6)
        if row.refused:
            assert strip == 2
            assert (guess[24:] == guess[-1, -1]).all()
            assert (guessed[24:] == guess[-1, -1]).all()
        else:
            np.testing.assert_array_equal(guess, matte)
            # A right prediction is painted like the truth, whatever its scale and shift.
            assert np.abs(guessed.astype(int) - depth).mean() < 1
            assert np.ptp(depth.astype(int).sum(axis=2)) > 200


def test_numbers_are_drawn(pairs_folder: Path) -> None:
    pairs = find_pairs(pairs_folder)
    captions = []
    for opacity in (1.0, 0.8):
        predictor = TruthPredictor(pairs_folder, opacity=opacity)
        sheet = draw_sheet(predictor, pairs, [evaluate(predictor, pairs)], tile_width=WIDTH)
        captions.append(sheet[LINE : 2 * LINE])
    assert captions[0].max() > 200
    assert (captions[0] != captions[1]).any()


def test_one_pair_and_other_tile_sizes(pairs_folder: Path) -> None:
    pairs = find_pairs(pairs_folder)[:1]
    predictor = TruthPredictor(pairs_folder)
    scores = [evaluate(predictor, pairs)] * 2
    sheet = draw_sheet(predictor, pairs, scores, tile_width=48)
    assert sheet.shape == (LINE + 2 * (LINE + 36), 6 * 48, 3)
    expected = resize(pairs[0].read().plate, (36, 48))
    np.testing.assert_array_equal(sheet[2 * LINE : 2 * LINE + 36, :48], expected)
