"""Results are plain data: complete, of what was asked for, and never changed."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate import CleanplateError, adjust, preview
from cleanplate.predict.frame_outputs import OUTPUTS
from cleanplate.predict.geometry import disparity_fusion
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.result import Result
from cleanplate.predict.scene import Scene
from tests.predict.alignment.test_exposure import in_other_light
from tests.predict.conftest import Pair
from tests.predict.test_predictor import depth_with_holes, moved_pair

ARRAYS = ("foreground", "shadow", "disparity", "subject_disparity", "depth_measured", "plate")


@pytest.fixture(params=["relative", "metric", "moved", "other exposure"])
def scene_and_frame(request: pytest.FixtureRequest, tiny: Path, pair: Pair) -> tuple[Scene, Any]:
    predictor, frame = Predictor(tiny, threads=1, depth_holes="keep"), pair.frame
    if request.param == "metric":
        return predictor.scene(pair.plate, depth_with_holes(pair.alpha.shape)), frame
    if request.param == "moved":
        other, moved = moved_pair()
        return predictor.scene(moved, depth_with_holes(other.alpha.shape)), other.frame
    if request.param == "other exposure":
        frame = in_other_light(frame, (0.7, 0.7, 0.75))
    return predictor.scene(pair.plate), frame


@pytest.fixture
def whole(scene_and_frame: tuple[Scene, Any]) -> Result:
    scene, frame = scene_and_frame
    return scene.predict(frame)


def same(one: Result, other: Result) -> None:
    """The arrays that `one` holds are those of `other`, to the bit."""
    np.testing.assert_array_equal(one.alpha, other.alpha)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)


def test_by_default_all_is_there(whole: Result) -> None:
    assert tuple(whole.arrays) == ARRAYS
    assert set(whole.outputs) == set(OUTPUTS) - (set() if whole.metric else {"depth"})
    assert whole.report["outputs"] == list(whole.outputs)


@pytest.mark.parametrize("name", [*ARRAYS, "alpha"])
def test_each_output_alone_is_that_of_all(
    scene_and_frame: tuple[Scene, Any], whole: Result, name: str
) -> None:
    scene, frame = scene_and_frame
    one = scene.predict(frame, outputs=name)
    assert set(one.outputs) == {"alpha", name}
    assert set(one.arrays) == {name} - {"alpha"}
    same(one, whole)
    for other in set(ARRAYS) - {name}:
        with pytest.raises(CleanplateError, match=f"no {other}") as caught:
            getattr(one, other)
        assert f'outputs=(..., "{other}")' in str(caught.value.cure)


def test_what_is_not_asked_for_is_not_computed(
    predictor: Predictor, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cleanplate.predict.frame_outputs as outputs
    from cleanplate.predict import scene

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("computed")

    monkeypatch.setattr(outputs, "spread_foreground", refuse)
    monkeypatch.setattr(scene, "place_subjects", refuse)
    for name in ("shadow_behind", "frame_disparity", "measured"):
        monkeypatch.setattr(disparity_fusion, name, refuse)
    result = predictor.scene(pair.plate).predict(pair.frame, outputs=("alpha",))
    assert result.report["subjects"] is None
    assert set(result.report["seconds"]) == {
        "read", "size", "health", "register", "plate network", "network", "upsample",
    }  # fmt: skip
    with pytest.raises(AssertionError, match="computed"):
        predictor.scene(pair.plate).predict(pair.frame, outputs="subjects")


def test_names_of_outputs_are_checked(predictor: Predictor, pair: Pair) -> None:
    relative = predictor.scene(pair.plate)
    with pytest.raises(CleanplateError, match="no output normals") as caught:
        relative.predict(pair.frame, outputs=("alpha", "normals"))
    assert "subject_disparity" in str(caught.value.cure)
    with pytest.raises(CleanplateError, match="needs the plate's depth"):
        relative.predict(pair.frame, outputs="depth")
    metric = predictor.scene(pair.plate, np.full(pair.alpha.shape, 4, np.float32))
    result = metric.predict(pair.frame, outputs="depth")
    assert result.outputs == ("alpha", "disparity", "depth")
    np.testing.assert_allclose(result.depth[result.alpha < 0.5], 4, rtol=1e-6)


def test_a_result_is_complete(
    scene_and_frame: tuple[Scene, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is computed after it was made, whatever becomes of the scene."""
    scene, frame = scene_and_frame
    result, again = scene.predict(frame), scene.predict(frame)
    for name in ("full", "small", "moved_disparity"):
        monkeypatch.setattr(type(result.sources.plate), name, None)
    monkeypatch.delattr("cleanplate.predict.frame_outputs.compute_outputs")
    for name in ARRAYS:
        array = getattr(result, name)
        assert getattr(result, name) is array
        np.testing.assert_array_equal(array, getattr(again, name))


def test_a_result_cannot_be_changed(whole: Result) -> None:
    for name in ("alpha", "report", "name", "arrays"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(whole, name, None)


def test_using_a_result_changes_nothing(whole: Result, tmp_path: Path) -> None:
    before = pickle.dumps(whole)
    report = json.dumps(whole.report)
    adjust(whole, choke=2, feather=1, despill=1, foreground_space="display")
    preview(whole)
    whole.composite("white")
    whole.save(tmp_path, background="white")
    with pytest.raises(CleanplateError):
        whole.save(tmp_path / "frame.json")
    assert json.dumps(whole.report) == report
    assert pickle.dumps(whole) == before


def test_a_pickled_result_is_the_same(whole: Result, tmp_path: Path) -> None:
    carried = pickle.loads(pickle.dumps(whole))
    same(carried, whole)
    assert carried.report == whole.report
    assert (carried.name, carried.metric, carried.outputs) == (
        whole.name, whole.metric, whole.outputs,
    )  # fmt: skip
    same(adjust(carried, feather=3), adjust(whole, feather=3))
    assert len(carried.save(tmp_path)) == 7


def test_the_report_goes_through_json_and_back(whole: Result) -> None:
    assert json.loads(json.dumps(whole.report)) == whole.report
    changed = adjust(whole, choke=1).report
    assert json.loads(json.dumps(changed)) == changed
    assert all(type(taken) is float for taken in whole.report["seconds"].values())


def test_name_and_resampling_are_there_from_the_start(
    tiny: Path, files: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Result] = []
    original = Result.__init__

    def watched(self: Result, **fields: Any) -> None:
        original(self, **fields)
        made.append(self)

    monkeypatch.setattr(Result, "__init__", watched)
    scene = Predictor(tiny, threads=1).scene(files / "plate.png")
    result = scene.predict(files / "frames" / "one.png")
    assert made == [result]
    assert result.name == "one"
    assert result.report["plate_resampled"] is False
    assert scene.predict(pair.frame).name == "frame"


def test_adjusting_nothing_gives_the_same(whole: Result) -> None:
    again = adjust(whole)
    assert isinstance(again, Result)
    same(again, whole)
    assert again.outputs == whole.outputs


def test_an_adjusted_result_may_hold_other_outputs(scene_and_frame: tuple[Scene, Any]) -> None:
    """What is computed once, of the adjusted matte, is what adjusting all gives."""
    scene, frame = scene_and_frame
    found = scene.predict(frame, outputs=("subjects",))
    once = adjust(found, choke=2, outputs=ARRAYS)
    same(once, adjust(scene.predict(frame), choke=2))
    with pytest.raises(CleanplateError, match="without depth"):
        adjust(scene.predict(frame, outputs="alpha"), choke=2, outputs="disparity")


def test_files_are_made_of_what_a_result_holds(
    predictor: Predictor, pair: Pair, tmp_path: Path
) -> None:
    scene = predictor.scene(pair.plate)
    alone = scene.predict(pair.frame, outputs="alpha")
    names = {path.name for path in alone.save(tmp_path / "alone")}
    assert names == {"frame.alpha.png", "frame.preview.jpg", "frame.json"}
    for kind, output in {"foreground": "foreground", "depth": "disparity"}.items():
        with pytest.raises(CleanplateError, match=f"no {output}"):
            alone.save(tmp_path / "none", save=[kind])
    with pytest.raises(CleanplateError, match="no foreground"):
        alone.composite("white")
    assert not (tmp_path / "none").exists()
    wide = preview(scene.predict(pair.frame)).pixels.shape[1]
    assert preview(alone).pixels.shape[1] < 0.5 * wide  # frame and matte, of five pictures


def test_the_saved_report_tells_more_and_the_results_stays(
    predictor: Predictor, pair: Pair, tmp_path: Path
) -> None:
    result = predictor.scene(pair.plate).predict(pair.frame)
    result.save(tmp_path)
    saved = json.loads((tmp_path / "frame.json").read_text(encoding="utf-8"))
    assert {"write", "preview"} <= set(saved["seconds"]) - set(result.report["seconds"])
    assert "files" not in result.report
    for key in ("model", "health", "exposure", "subjects", "outputs", "units"):
        assert saved[key] == result.report[key]
