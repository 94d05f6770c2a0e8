"""The plate's depth from another network, and metres from known distances."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanplate import CleanplateError, Predictor
from cleanplate.cli import main
from cleanplate.formats.pictures import write_image
from cleanplate.predict.modelled_depth import (
    KnownDistance,
    at_known_distances,
    depth_estimator,
    modelled_disparity,
)
from tests.depth.test_depth_estimators import mean_colour
from tests.predict.conftest import Pair

HEIGHT, WIDTH = 60, 80
METRES = np.linspace(2, 6, WIDTH, dtype=np.float32)[None].repeat(HEIGHT, 0)
"""A wall that recedes to the right."""
PLATE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def at(column: int) -> KnownDistance:
    return KnownDistance(column, 30, float(METRES[30, column]))


def disparity_of(function, convention, known=()):
    return modelled_disparity(depth_estimator(function, convention), PLATE, known)


@given(st.floats(0.1, 50), st.floats(-3, 3))
def test_two_distances_undo_any_scale_and_shift_of_disparity(scale: float, shift: float) -> None:
    found = disparity_of(lambda _: scale / METRES + shift, "disparity", [at(10), at(70)])
    assert found.metric
    np.testing.assert_allclose(1 / found.values, METRES, rtol=2e-3)


@given(st.floats(0.1, 50), st.floats(-1, 3))
def test_two_distances_undo_any_scale_and_shift_of_depth(scale: float, shift: float) -> None:
    found = disparity_of(lambda _: scale * METRES + shift, "relative-depth", [at(10), at(70)])
    assert found.metric
    np.testing.assert_allclose(1 / found.values, METRES, rtol=2e-3)


@pytest.mark.parametrize(
    ("function", "convention"),
    [(lambda _: 7 / METRES, "disparity"), (lambda _: 7 * METRES, "relative-depth")],
)
def test_one_distance_undoes_a_scale(function, convention) -> None:
    found = disparity_of(function, convention, [at(20)])
    np.testing.assert_allclose(1 / found.values, METRES, rtol=1e-4)
    assert found.source["known_distances"] == [list(at(20))]


def test_metric_depth_is_metric_and_distances_correct_its_scale() -> None:
    alone = disparity_of(lambda _: 1.3 * METRES, "metric")
    assert alone.metric
    np.testing.assert_allclose(1 / alone.values, 1.3 * METRES, rtol=1e-5)
    scaled = disparity_of(lambda _: 1.3 * METRES, "metric", [at(10), at(70)])
    np.testing.assert_allclose(1 / scaled.values, METRES, rtol=1e-4)


@pytest.mark.parametrize("convention", ["disparity", "relative-depth"])
def test_without_a_distance_it_is_relative_and_nearer_is_larger(convention: str) -> None:
    found = disparity_of(
        lambda _: 5 / METRES - 1 if convention == "disparity" else METRES - 3, convention
    )
    assert not found.metric
    assert np.all(np.diff(found.values[0]) < 0)


def test_what_is_beyond_infinity_is_infinitely_far() -> None:
    found = at_known_distances(1 / METRES - 0.3, [KnownDistance(5, 5, 2.0)])
    assert found.min() == 0


@pytest.mark.parametrize(
    ("known", "what"),
    [
        ([KnownDistance(10, 30, 6.0), KnownDistance(70, 30, 2.0)], "contradict"),
        ([KnownDistance(80, 30, 2.0)], "not possible"),
        ([KnownDistance(10, 30, 0.0)], "not possible"),
    ],
)
def test_distances_that_cannot_be_are_refused(known, what: str) -> None:
    with pytest.raises(CleanplateError, match=what):
        disparity_of(lambda _: 1 / METRES, "disparity", known)


def test_a_function_has_to_say_what_it_means_and_give_one_map() -> None:
    with pytest.raises(CleanplateError, match="nothing says what"):
        depth_estimator(lambda _: METRES)
    with pytest.raises(CleanplateError, match="no depth convention 'feet'"):
        depth_estimator(lambda _: METRES, "feet")
    with pytest.raises(CleanplateError, match=r"gives \(3, 4\)"):
        disparity_of(lambda _: np.ones((3, 4)), "metric")
    with pytest.raises(CleanplateError, match="nowhere a number"):
        disparity_of(lambda _: np.full((HEIGHT, WIDTH), np.nan), "metric")


def receding(picture: np.ndarray) -> np.ndarray:
    """Metres of a wall that recedes to the right."""
    height, width = picture.shape[:2]
    return np.linspace(2, 6, width, dtype=np.float32)[None].repeat(height, 0)


def test_a_metric_model_stands_for_given_depth(tiny: Path, pair: Pair) -> None:
    depth = receding(pair.plate)
    given = Predictor(tiny).scene(pair.plate, depth).predict(pair.frame)
    scene = Predictor(tiny, depth_model=receding, depth_convention="metric").scene(pair.plate)
    assert scene.metric
    result = scene.predict(pair.frame)
    np.testing.assert_allclose(result.depth, given.depth, rtol=1e-4)
    assert result.report["plate_depth_source"] == {
        "from": "depth model", "model": "receding", "convention": "metric",
    }  # fmt: skip
    assert given.report["plate_depth_source"] == {"from": "given depth"}


def test_a_relative_model_takes_the_place_of_the_own_estimate(tiny: Path, pair: Pair) -> None:
    def nearness(picture: np.ndarray) -> np.ndarray:
        return 100 / receding(picture) + 7

    predictor = Predictor(tiny, depth_model=nearness, depth_convention="disparity")
    scene = predictor.scene(pair.plate)
    assert not scene.metric
    result = scene.predict(pair.frame, ("alpha", "disparity"))
    empty = result.alpha < 0.01
    expected = 1 / receding(pair.plate)
    assert np.corrcoef(result.disparity[empty], expected[empty])[0, 1] > 0.99
    width = pair.plate.shape[1]
    known = [(5, 10, float(receding(pair.plate)[10, 5])), (width - 5, 10, 5.9)]
    metric = predictor.scene(pair.plate, known_distances=known)
    assert metric.metric
    depth = metric.predict(pair.frame, ("alpha", "depth")).depth
    np.testing.assert_allclose(depth[empty], receding(pair.plate)[empty], rtol=0.05)


def test_a_convention_needs_a_model(tiny: Path) -> None:
    with pytest.raises(CleanplateError, match="none is given"):
        Predictor(tiny, depth_convention="metric")


def test_given_depth_wins(tiny: Path, pair: Pair) -> None:
    def unwanted(_: np.ndarray) -> np.ndarray:
        raise AssertionError("not asked")

    predictor = Predictor(tiny, depth_model=unwanted, depth_convention="metric")
    assert predictor.scene(pair.plate, receding(pair.plate)).metric


def test_the_own_estimate_needs_two_distances(pair: Pair) -> None:
    predictor = Predictor()
    with pytest.raises(CleanplateError, match="one distance does not fix it") as caught:
        predictor.scene(pair.plate, known_distances=[(10, 10, 2.0)])
    assert "two known distances" in str(caught.value)
    relative = predictor.scene(pair.plate).predict(pair.plate, ("disparity",)).disparity
    ends = (relative.argmax(), relative.argmin())
    near, far = (np.unravel_index(one, relative.shape) for one in ends)
    known = [(near[1], near[0], 2.0), (far[1], far[0], 5.0)]
    scene = predictor.scene(pair.plate, known_distances=known)
    found = 1 / scene.disparity
    assert found[near] == pytest.approx(2.0, rel=0.1)
    assert found[far] == pytest.approx(5.0, rel=0.1)
    report = scene.predict(pair.frame, "alpha").report
    assert report["plate_depth_source"]["from"] == "this model's estimate"


def test_the_command_takes_a_file_and_distances(tmp_path: Path, tiny: Path, pair: Pair) -> None:
    for name in ("plate", "frame"):
        write_image(tmp_path / f"{name}.png", np.rint(getattr(pair, name) * 255).astype(np.uint8))
    model = mean_colour(tmp_path / "depth.onnx", colours="unit", convention="relative-depth")
    call = [
        *("predict", str(tmp_path / "frame.png"), "--plate", str(tmp_path / "plate.png")),
        *("--model", str(tiny), "--depth-model", str(model)),
        *("--known-distance", "10", "12", "2.5", "-o", str(tmp_path / "out"), "--quiet"),
    ]
    assert main(call) == 0
    report = json.loads((tmp_path / "out" / "frame.json").read_text(encoding="utf-8"))
    assert report["metric"]
    assert report["plate_depth_source"]["model"] == "depth.onnx"
    assert report["plate_depth_source"]["known_distances"] == [[10.0, 12.0, 2.5]]
    assert (tmp_path / "out" / "frame.depth.png").exists()
