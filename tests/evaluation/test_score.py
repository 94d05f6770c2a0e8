from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate import metrics
from cleanplate.arrays import Coded, Plane
from cleanplate.depth import depth_to_disparity
from cleanplate.errors import CleanplateError
from cleanplate.evaluation import (
    MetricSettings,
    PlainPrediction,
    Scores,
    as_document,
    as_table,
    evaluate,
    find_pairs,
    score_pair,
)
from cleanplate.matte import trimap
from tests.evaluation.conftest import truth


class TruthPredictor:
    """Predicts the truth of the pair with this plate, with the errors that are given."""

    name = "oracle"

    def __init__(self, folder: Path, *, scale: float = 1.0, metric: bool = True, **errors: Any):
        self.views = [pair.read() for pair in find_pairs(folder)]
        self.scale, self.metric, self.errors = scale, metric, errors
        self.depths: list[Plane | None] = []

    def scene(self, plate: Coded, depth: Plane | None = None) -> TruthPredictor:
        self.depths.append(depth)
        self.view = next(v for v in self.views if np.array_equal(v.plate, plate))
        return self

    def predict(self, frame: Coded, /) -> PlainPrediction:
        view = self.view
        if "refuses" in self.errors and self.view is self.views[self.errors["refuses"]]:
            raise CleanplateError("this plate is another scene")
        if np.array_equal(frame, view.plate):
            return PlainPrediction(np.full(view.alpha.shape, 0.25, np.float32))
        assert view.depth is not None
        alpha = view.alpha * np.float32(self.errors.get("opacity", 1))
        disparity = depth_to_disparity(view.depth) / np.float32(self.scale)
        if not self.metric:
            disparity = disparity * 4 - 1
        return PlainPrediction(alpha, disparity, self.metric, foreground=view.foreground)


def test_a_perfect_prediction_has_perfect_scores(pairs_folder: Path) -> None:
    for metric in (True, False):
        predictor = TruthPredictor(pairs_folder, metric=metric)
        scores = evaluate(predictor, find_pairs(pairs_folder))
        assert (scores.model, scores.variant, len(scores.rows)) == ("oracle", "clean", 3)
        means = scores.means
        for key in ("mad", "mse", "sad", "grad", "conn", "foreground_mse"):
            assert means[key] == 0
        for key in ("iou", "boundary_f", "aligned_delta1", "subject_delta1", "plate_delta1"):
            assert means[key] == 1
        for key in ("aligned_abs_rel", "subject_abs_rel", "subject_bias", "plate_abs_rel"):
            assert means[key] == pytest.approx(0, abs=1e-4)
        assert means["ordinal"] == means["depth_known"] == 1
        assert means["boundary_recall"] == pytest.approx(means["boundary_recall_ceiling"])
        assert means["boundary_recall_ceiling"] > 0.9
        assert means["identical_alpha"] == 0.25
        assert ("metric_delta1" in means) == metric
        assert means["seconds"] > 0
        assert scores.refused == []


def test_metric_depth_is_also_scored_without_alignment(pairs_folder: Path) -> None:
    scores = evaluate(TruthPredictor(pairs_folder, scale=1.5), find_pairs(pairs_folder))
    means = scores.means
    assert means["metric_abs_rel"] == pytest.approx(0.5, rel=1e-3)
    assert means["metric_delta1"] == 0
    assert means["subject_abs_rel"] == pytest.approx(0.5, rel=1e-3)  # metric: no fit to hide behind
    assert means["aligned_abs_rel"] == pytest.approx(0, abs=1e-4)


def test_scores_are_those_of_the_metrics(pairs_folder: Path) -> None:
    pair = find_pairs(pairs_folder)[0]
    view = pair.read()
    alpha = view.alpha * np.float32(0.6)
    row = score_pair(TruthPredictor(pairs_folder, opacity=0.6), pair, identical=False)
    assert "identical_alpha" not in row.values
    assert row.values["mad"] == pytest.approx(float(np.abs(alpha - view.alpha).mean()))
    assert row.values["conn"] == metrics.conn(alpha, view.alpha)
    band = MetricSettings(convention=metrics.BGMV2, trimap_radius=4)
    row = score_pair(TruthPredictor(pairs_folder, opacity=0.6), pair, settings=band)
    unknown = trimap(view.alpha, 4) == 128
    assert row.values["mad"] == pytest.approx(float(np.abs(alpha - view.alpha)[unknown].mean()))


def test_a_refused_pair_counts_as_an_empty_matte(pairs_folder: Path) -> None:
    scores = evaluate(TruthPredictor(pairs_folder, refuses=1), find_pairs(pairs_folder))
    assert scores.refused == ["00001"]
    row = scores.rows[1]
    assert row.refused == "this plate is another scene"
    assert row.values["iou"] == 0
    assert row.values["mad"] == pytest.approx(float(truth(1)[0].mean()))
    assert "seconds" not in row.values
    assert "aligned_delta1" not in row.values
    assert scores.counts["mad"] == 3
    assert scores.counts["aligned_delta1"] == 2
    assert scores.means["mad"] == pytest.approx(float(truth(1)[0].mean()) / 3)
    assert scores.ranked()[-1] is row


def test_other_exceptions_are_raised(pairs_folder: Path) -> None:
    class Broken(TruthPredictor):
        def predict(self, frame: Coded, /) -> PlainPrediction:
            return PlainPrediction(np.zeros((3, 4), np.float32))

    with pytest.raises(ValueError, match="one shape"):
        evaluate(Broken(pairs_folder), find_pairs(pairs_folder))


def test_plate_depth_is_given_when_asked_for(pairs_folder: Path) -> None:
    pairs = find_pairs(pairs_folder)
    predictor = TruthPredictor(pairs_folder)
    evaluate(predictor, pairs)
    assert predictor.depths == [None] * 3
    scores = evaluate(predictor, pairs, with_plate_depth=True)
    assert scores.plate_depth
    given = predictor.depths[-1]
    assert given is not None
    np.testing.assert_allclose(given, truth(2)[2], atol=1e-6)
    bare = [replace(pair, plate_depth_file=None) for pair in pairs]
    with pytest.raises(CleanplateError, match="00000_plate_depth"):
        evaluate(predictor, bare, with_plate_depth=True)


def test_only_pairs_with_the_variant_are_scored(pairs_folder: Path) -> None:
    class Blank:
        def scene(self, plate: Coded, depth: Plane | None = None) -> Blank:
            return self

        def predict(self, frame: Coded, /) -> PlainPrediction:
            return PlainPrediction(np.zeros(frame.shape[:2], np.float32))

    seen: list[str] = []

    def progress(pairs: Any) -> Any:
        for pair in pairs:
            seen.append(pair.name)
            yield pair

    pairs = find_pairs(pairs_folder)
    scores = evaluate(Blank(), pairs, "camera", progress=progress)
    assert seen == [row.name for row in scores.rows] == ["00000", "00001"]
    assert scores.model == "Blank"
    assert scores.means["iou"] == scores.means["boundary_f"] == 0
    with pytest.raises(CleanplateError, match="drift"):
        evaluate(Blank(), pairs, "drift")


def test_unknown_depth_does_not_count(pairs_folder: Path) -> None:
    class Holed(TruthPredictor):
        def predict(self, frame: Coded, /) -> PlainPrediction:
            prediction = super().predict(frame)
            if prediction.disparity is None:
                return prediction
            holed = prediction.disparity.copy()
            holed[:, :24] = np.nan
            return PlainPrediction(prediction.alpha, holed, prediction.metric)

    means = evaluate(Holed(pairs_folder), find_pairs(pairs_folder)).means
    assert means["depth_known"] == 0.75
    assert means["aligned_delta1"] == means["ordinal"] == 1
    assert "boundary_recall" not in means


def test_ranking_goes_by_depth_where_there_are_no_mattes() -> None:
    from cleanplate.evaluation import PairScore

    rows = tuple(
        PairScore(str(k), {"aligned_delta1": value}) for k, value in enumerate((0.3, 0.9, 0.5))
    )
    scores = Scores("m", None, "clean", False, MetricSettings(), rows)
    assert [row.name for row in scores.ranked()] == ["1", "2", "0"]


def with_depth(pair: Any, folder: Path, depth: Plane) -> Any:
    np.save(folder / "true_depth.npy", depth)
    return replace(pair, depth_file=folder / "true_depth.npy")


def test_one_unknown_pixel_leaves_the_order_of_depth(pairs_folder: Path, tmp_path: Path) -> None:
    pair = find_pairs(pairs_folder)[0]
    depth = truth(0)[1]
    depth[40, 3] = np.nan
    row = score_pair(TruthPredictor(pairs_folder), with_depth(pair, tmp_path, depth))
    assert row.values["ordinal"] == 1
    assert "boundary_recall" not in row.values
    (note,) = row.notes
    assert "depth edges" in note
    assert f"at 1 of {depth.size} pixels" in note


def test_flat_depth_has_no_ordinal_score_but_a_note(pairs_folder: Path, tmp_path: Path) -> None:
    pair = with_depth(find_pairs(pairs_folder)[0], tmp_path, np.full_like(truth(0)[1], 3))
    row = score_pair(TruthPredictor(pairs_folder), pair)
    assert "ordinal" not in row.values
    assert any("flat" in note for note in row.notes)


def test_a_plate_that_cannot_be_compared_with_itself_lacks_that_score_only(
    pairs_folder: Path,
) -> None:
    class Particular(TruthPredictor):
        def predict(self, frame: Coded, /) -> PlainPrediction:
            if np.array_equal(frame, self.view.plate):
                raise CleanplateError("nothing to see")
            return super().predict(frame)

    scores = evaluate(Particular(pairs_folder), find_pairs(pairs_folder)[:1])
    (row,) = scores.rows
    assert row.refused is None
    assert row.values["mad"] == 0
    assert row.values["ordinal"] == 1
    assert "identical_alpha" not in row.values
    table = as_table([scores])
    assert "empty matte" not in table
    assert "compared with itself: nothing to see: 00000 (clean)" in table
    assert as_document([scores])["results"][0]["notes"]["00000"] == list(row.notes)


def test_true_depth_in_the_wrong_unit_gives_a_note(pairs_folder: Path, tmp_path: Path) -> None:
    pair = with_depth(find_pairs(pairs_folder)[0], tmp_path, truth(0)[1] * 1000)
    row = score_pair(TruthPredictor(pairs_folder), pair)
    assert any(note.startswith("depth: half") and "millimetres" in note for note in row.notes)
