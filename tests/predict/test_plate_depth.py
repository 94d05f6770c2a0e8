"""A plate's depth given to the predictor: metric depth out, or an error that says why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cleanplate import CleanplateError
from cleanplate.depth import Normalisation, write_depth
from cleanplate.predict.geometry.disparity_fusion import NEARER
from cleanplate.predict.predictor import Predictor
from tests.predict.conftest import Pair
from tests.predict.test_predictor import depth_with_holes, moved_pair
from tests.predict.tiny_model import SUBJECT


def test_depth_without_the_plates_depth_is_an_error_that_says_how(
    predictor: Predictor, pair: Pair
) -> None:
    result = predictor.scene(pair.plate).predict(pair.frame)
    with pytest.raises(CleanplateError, match="needs the plate's depth") as caught:
        _ = result.depth
    assert "--plate-depth" in str(caught.value)


def test_metric_in_metric_out(predictor: Predictor, pair: Pair) -> None:
    """Depth falls from 8 m to 2 m down the picture; the subject is where the model puts it."""
    height, width = pair.alpha.shape
    depth = np.repeat(np.linspace(8, 2, height, dtype=np.float32)[:, None], width, axis=1)
    depth[:10] = np.inf
    depth[10:20] = np.nan
    result = predictor.scene(pair.plate, depth).predict(pair.frame)
    assert result.metric
    assert result.report["metric"]
    assert result.report["units"]["depth"].startswith("m ")
    background = result.alpha < 0.5
    known = background & np.isfinite(depth)
    np.testing.assert_allclose(result.depth[known], depth[known], rtol=1e-5)
    assert np.isinf(result.depth[:10]).all()
    unknown = result.depth[10:20]
    assert (unknown > 0).all()  # the network's estimate, not a hole
    disparity = np.where(np.isinf(depth), 0, 1 / depth).astype(np.float32)
    subject = Normalisation.of(disparity).invert(np.float32(SUBJECT))
    expected = np.maximum(subject, np.nan_to_num(disparity) * (1 + NEARER))
    np.testing.assert_allclose(
        result.disparity[pair.alpha == 1], expected[pair.alpha == 1], rtol=1e-4
    )
    assert (result.depth[pair.alpha == 1] <= depth[pair.alpha == 1]).all()


def test_the_plates_depth_may_have_another_resolution(predictor: Predictor, pair: Pair) -> None:
    depth = np.full((60, 80), 4.0, np.float32)
    result = predictor.scene(pair.plate, depth).predict(pair.frame)
    np.testing.assert_allclose(result.depth[result.alpha < 0.5], 4.0, rtol=1e-6)
    with pytest.raises(CleanplateError, match="shapes differ"):
        predictor.scene(pair.plate, np.ones((60, 60), np.float32))


def test_depth_that_knows_nothing_is_refused(
    predictor: Predictor, pair: Pair, tmp_path: Path
) -> None:
    nothing = np.full((120, 160), np.nan, np.float32)
    with pytest.raises(CleanplateError, match="unknown at every pixel"):
        predictor.scene(pair.plate, nothing)
    write_depth(tmp_path / "depth.png", nothing)
    with pytest.raises(CleanplateError) as caught:
        predictor.scene(pair.plate, tmp_path / "depth.png")
    assert caught.value.file == tmp_path / "depth.png"
    with pytest.raises(CleanplateError, match="depth is"):
        predictor.scene(pair.plate, np.ones((120, 160, 3), np.float32))


def test_the_plates_depth_moves_with_it(tiny: Path) -> None:
    pair, moved = moved_pair()
    rows = np.linspace(6, 2, 240, dtype=np.float32)[:, None]
    depth = np.repeat(rows, 320, axis=1)
    result = Predictor(tiny, threads=1, align=True).scene(moved, depth).predict(pair.frame)
    # Frame row y shows plate row y + 5: the plate's view began 5 rows higher.
    expected = np.repeat(rows[5:65], 300, axis=1)
    np.testing.assert_allclose(result.depth[:60, :300], expected, atol=0.02)


def test_the_result_tells_measured_from_estimated_depth(predictor: Predictor, pair: Pair) -> None:
    depth = depth_with_holes(pair.alpha.shape)
    result = predictor.scene(pair.plate, depth).predict(pair.frame)
    subject = result.alpha >= 0.5
    expected = ~np.isnan(depth) & ~subject
    assert result.depth_measured.dtype == np.bool_
    np.testing.assert_array_equal(result.depth_measured, expected)
    assert (result.depth > 0).all()  # filled, and said so
    about = result.report["plate_depth"]
    assert about["holes"] == "fill"
    assert about["measured"] == pytest.approx(expected.mean(), abs=1e-4)
    assert about["known"] == pytest.approx((~np.isnan(depth)).mean(), abs=1e-4)
    assert about["median_m"] == 4
    assert about["warnings"] == []
    relative = predictor.scene(pair.plate).predict(pair.frame)
    assert not relative.depth_measured.any()
    assert relative.report["plate_depth"] is None


def test_depth_in_millimetres_is_the_same_as_in_metres(
    predictor: Predictor, pair: Pair, tmp_path: Path
) -> None:
    depth = np.tile(np.linspace(2, 8, pair.alpha.shape[1]), (pair.alpha.shape[0], 1))
    depth = np.rint(depth * 1000) / 1000
    expected = predictor.scene(pair.plate, depth).disparity
    millimetres = np.rint(depth * 1000).astype(np.uint16)
    np.save(tmp_path / "mm.npy", millimetres)
    np.save(tmp_path / "m.npy", depth)
    sources = (millimetres, millimetres.astype(np.int64), tmp_path / "mm.npy", tmp_path / "m.npy")
    for source in sources:
        found = predictor.scene(pair.plate, source).disparity
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_depth_beyond_any_room_is_warned_of(
    predictor: Predictor, pair: Pair, tmp_path: Path
) -> None:
    """Millimetres as floats: everything is kilometres away, and no depth PNG reaches there."""
    depth = np.full(pair.alpha.shape, 4752.0, np.float32)
    result = predictor.scene(pair.plate, depth).predict(pair.frame)
    (doubt,) = result.report["plate_depth"]["warnings"]
    assert "millimetres" in doubt
    result.save(tmp_path, save=["depth"], stem="a")
    warnings = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["plate_depth"][
        "warnings"
    ]
    assert len(warnings) == 2
    assert "a.depth.png" in warnings[1]
