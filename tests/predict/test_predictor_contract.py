"""What every predictor promises, whether a network is behind it or ten lines of arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate import CleanplateError
from cleanplate.evaluation import baselines
from cleanplate.formats.pictures import write_image
from cleanplate.matte import over
from cleanplate.models import find_model
from cleanplate.pairs.protocols import output_named, predict_outputs
from cleanplate.predict.predictor import Predictor
from tests.predict.conftest import make_pair, to_eight
from tests.predict.tiny_model import write_model

MATTERS = ("FixedDifference", "AlignedDifference", "MOG2")
DEPTH_ONLY = ("ConstantDisparity", "RowDisparity")


def _shipped() -> bool:
    try:
        find_model()
    except CleanplateError:
        return False
    return True


@pytest.fixture(
    params=[
        "tiny",
        pytest.param(
            "shipped", marks=pytest.mark.skipif(not _shipped(), reason="no model ships yet")
        ),
        *MATTERS,
        *DEPTH_ONLY,
    ]
)
def predictor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    if request.param == "tiny":
        folder: Path = tmp_path_factory.mktemp("contract") / "tiny"
        return Predictor(write_model(folder), threads=1)
    if request.param == "shipped":
        return Predictor(threads=1)
    return getattr(baselines, request.param)()


@pytest.mark.parametrize("size", [(96, 128), (75, 61)])
@pytest.mark.parametrize("with_depth", [False, True])
def test_shapes_types_and_ranges(predictor: Any, size: tuple[int, int], with_depth: bool) -> None:
    pair = make_pair(*size)
    depth = np.full(size, 4.0, np.float32) if with_depth else None
    result = predictor.scene(to_eight(pair.plate), depth=depth).predict(to_eight(pair.frame))
    assert result.alpha is not None or result.disparity is not None
    if result.alpha is not None:
        assert result.alpha.shape == size
        assert result.alpha.dtype == np.float32
        assert result.alpha.min() >= 0
        assert result.alpha.max() <= 1
    if result.disparity is not None:
        assert result.disparity.shape == size
        assert np.isfinite(result.disparity).all()
        if result.metric:
            assert with_depth
            assert result.disparity.min() >= 0
    if result.foreground is not None:
        assert result.foreground.shape == (*size, 3)
        assert result.foreground.min() >= 0
        assert result.foreground.max() <= 1
    if result.shadow is not None:
        assert result.shadow.shape == size
        assert result.shadow.min() > 0
        assert result.shadow.max() <= 1
    assert isinstance(result.report, dict)


def test_a_scene_serves_many_frames_and_forgets_none_of_its_plate(predictor: Any) -> None:
    pair = make_pair(96, 128)
    scene = predictor.scene(to_eight(pair.plate))
    first = scene.predict(to_eight(pair.frame))
    alpha, disparity = np.copy(first.alpha), np.copy(first.disparity)
    moved = over(pair.foreground, np.roll(pair.alpha, 20, axis=1), pair.plate)
    scene.predict(to_eight(moved * 0.9))
    again = scene.predict(to_eight(pair.frame))
    np.testing.assert_array_equal(alpha, np.copy(again.alpha))
    np.testing.assert_array_equal(disparity, np.copy(again.disparity))


def test_arrays_are_left_as_they_were(predictor: Any) -> None:
    pair = make_pair(64, 80)
    plate, frame = to_eight(pair.plate), to_eight(pair.frame)
    before = plate.copy(), frame.copy()
    result = predictor.scene(plate).predict(frame)
    _ = result.disparity, result.foreground, result.shadow
    np.testing.assert_array_equal(plate, before[0])
    np.testing.assert_array_equal(frame, before[1])


def test_an_identical_pair_is_nearly_empty(predictor: Any) -> None:
    plate = to_eight(make_pair(96, 128).plate)
    alpha = predictor.scene(plate).predict(plate).alpha
    assert alpha is None or alpha.mean() <= 0.02


def test_paths_are_taken(predictor: Any, tmp_path: Path) -> None:
    if not isinstance(predictor, Predictor):
        pytest.skip("baselines take arrays")
    pair = make_pair(64, 80)
    for name, picture in (("plate", pair.plate), ("frame", pair.frame)):
        write_image(tmp_path / f"{name}.png", picture)
    result = predictor.scene(tmp_path / "plate.png").predict(str(tmp_path / "frame.png"))
    assert result.alpha.shape == (64, 80)


@pytest.mark.parametrize("names", [("alpha",), ("disparity",), ("alpha", "foreground")])
def test_a_choice_of_outputs_changes_none_of_them(predictor: Any, names: tuple[str, ...]) -> None:
    pair = make_pair(64, 80)
    scene = predictor.scene(to_eight(pair.plate))
    whole, some = (
        predict_outputs(scene, to_eight(pair.frame), *chosen)
        for chosen in (("alpha", "disparity", "foreground"), names)
    )
    for name in names:
        np.testing.assert_array_equal(output_named(some, name), output_named(whole, name))
    if hasattr(scene, "outputs"):
        assert output_named(some, "shadow") is None
