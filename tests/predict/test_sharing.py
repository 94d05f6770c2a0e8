"""A scene shared out: to threads, to processes, to a capture loop that reuses its buffers."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.light import linear_to_srgb, srgb_to_linear
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.alignment.health import Health
from cleanplate.predict.alignment.movement import Movement
from cleanplate.predict.geometry.plate_depth import PlateDepth
from cleanplate.predict.plate_features import KEPT_EXPOSURES, PlateFeatureCache
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.session import PlateFeatures
from tests.predict.conftest import Pair, make_pair, to_eight


def brighter(picture: np.ndarray, gain: float) -> np.ndarray:
    return linear_to_srgb(np.clip(srgb_to_linear(picture) * np.float32(gain), 0, 1))


def test_a_frame_buffer_may_be_filled_again(predictor: Predictor, pair: Pair) -> None:
    plate, frame = to_eight(pair.plate), to_eight(pair.frame)
    expected = predictor.scene(plate).predict(frame).foreground
    scene, buffer = predictor.scene(plate), frame.copy()
    result = scene.predict(buffer)
    buffer[:] = plate
    np.testing.assert_array_equal(result.foreground, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_plate_buffer_may_be_filled_again(predictor: Predictor, pair: Pair, dtype: type) -> None:
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    plate, frame = ((p * top).astype(dtype) for p in (pair.plate, pair.frame))
    expected = predictor.scene(plate.copy()).predict(frame)
    buffer = plate.copy()
    scene = predictor.scene(buffer)
    buffer[:] = frame
    result = scene.predict(frame)
    np.testing.assert_array_equal(result.alpha, expected.alpha)
    np.testing.assert_array_equal(result.plate, expected.plate)


def test_a_depth_buffer_may_be_filled_again(predictor: Predictor, pair: Pair) -> None:
    depth = np.full(pair.alpha.shape, 4.0, np.float32)
    scene = predictor.scene(pair.plate, depth)
    depth[:] = 1
    np.testing.assert_allclose(scene.disparity, 0.25)


def test_the_scenes_plate_cannot_be_changed_through_a_result(
    predictor: Predictor, pair: Pair
) -> None:
    result = predictor.scene(pair.plate).predict(pair.frame)
    with pytest.raises(ValueError, match="read-only"):
        result.plate[:] = 0


def test_a_result_does_not_depend_on_the_frames_before(tiny: Path, pair: Pair) -> None:
    """The plate's own disparity is that of the plate in its own light, whatever came first."""
    frames = [pair.frame, brighter(pair.frame, 0.5), brighter(pair.frame, 1.3)]
    predictor = Predictor(tiny, threads=1)
    alone = [predictor.scene(pair.plate).predict(frame) for frame in frames]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        scene = predictor.scene(pair.plate)
        found = {i: scene.predict(frames[i]) for i in order}
        for i, expected in enumerate(alone):
            np.testing.assert_array_equal(found[i].alpha, expected.alpha)
            np.testing.assert_array_equal(found[i].disparity, expected.disparity)


def test_the_plates_own_depth_is_seen_in_its_own_light(
    predictor: Predictor, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cleanplate.predict.plate_features as module

    seen: list[np.ndarray] = []
    estimate_disparity = module.estimate_disparity

    def watched(session: Any, plate: Any) -> Any:
        seen.append(plate.copy())
        return estimate_disparity(session, plate)

    monkeypatch.setattr(module, "estimate_disparity", watched)
    scene = predictor.scene(pair.plate)
    scene.predict(brighter(pair.frame, 0.5))
    scene.predict(pair.frame)
    assert len(seen) == 1
    np.testing.assert_allclose(seen[0], pair.plate, atol=1e-6)


@pytest.mark.parametrize("with_depth", [False, True])
def test_a_pickled_scene_gives_the_same(predictor: Predictor, pair: Pair, with_depth: bool) -> None:
    depth = np.linspace(2, 6, pair.alpha.size, dtype=np.float32).reshape(pair.alpha.shape)
    scene = predictor.scene(pair.plate, depth if with_depth else None)
    expected = scene.predict(pair.frame)
    again = pickle.loads(pickle.dumps(scene)).predict(pair.frame)
    np.testing.assert_array_equal(again.alpha, expected.alpha)
    np.testing.assert_array_equal(again.disparity, expected.disparity)


def test_predictor_and_result_can_be_pickled(predictor: Predictor, pair: Pair) -> None:
    result = predictor.scene(pair.plate).predict(pair.frame)
    carried = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(carried.alpha, result.alpha)
    np.testing.assert_array_equal(carried.foreground, result.foreground)
    assert carried.report == result.report
    other = pickle.loads(pickle.dumps(predictor))
    assert other.settings == predictor.settings
    np.testing.assert_array_equal(other.scene(pair.plate).predict(pair.frame).alpha, result.alpha)


def test_a_scene_works_in_a_spawned_process(predictor: Predictor, pair: Pair) -> None:
    scene = predictor.scene(pair.plate)
    expected = scene.predict(pair.frame)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        results = list(pool.map(scene.predict, [pair.frame, pair.plate]))
    np.testing.assert_array_equal(results[0].alpha, expected.alpha)
    assert results[1].alpha.max() == 0


def test_a_pickled_scene_whose_model_is_gone_says_so(tmp_path: Path, pair: Pair) -> None:
    from tests.predict.tiny_model import write_model

    folder = write_model(tmp_path / "soon gone")
    data = pickle.dumps(Predictor(folder, threads=1).scene(pair.plate))
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(CleanplateError, match="soon gone"):
        pickle.loads(data)


class Counting:
    """Stands for a session whose network is slow, so that threads meet in the cache."""

    def __init__(self) -> None:
        self.calls = 0

    def encode_plate(self, plate: Any, disparity: Any, valid: Any, size: Any) -> PlateFeatures:
        self.calls += 1
        time.sleep(0.02)
        return PlateFeatures(plate, {"x": plate}, disparity, size)


def test_threads_share_what_is_kept_while_the_light_changes() -> None:
    """As many exposures as are kept, asked for by all at once: each is computed once."""
    plate = to_eight(make_pair(64, 64).plate)
    session = Counting()
    depth = PlateDepth.of(np.ones((64, 64), np.float32), (64, 64))
    cache = PlateFeatureCache(session, plate, (64, 64), (64, 64), given=depth)  # type: ignore[arg-type]
    exposures = [Exposure((1 + i / 100, 1.0, 1.0)) for i in range(KEPT_EXPOSURES)]
    means = [float(e.apply_float(plate / np.float32(255)).mean()) for e in exposures]
    small = np.zeros((64, 64, 3), np.float32)
    start = threading.Barrier(8)

    def job(_: int) -> None:
        start.wait()
        for exposure, mean in zip(exposures, means, strict=True):
            health = Health((64, 64), Movement(), exposure)
            features, _hidden = cache.of(AlignedPlate(plate, health), small)
            assert float(features.plate.mean()) == pytest.approx(mean, abs=1e-4)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(job, range(8)))
    assert session.calls == KEPT_EXPOSURES


def test_threads_get_what_one_thread_gets(predictor: Predictor, pair: Pair) -> None:
    frames = [brighter(pair.frame, gain) for gain in (0.5, 0.7, 1.0, 1.2, 0.6, 0.8)]
    expected = [predictor.scene(pair.plate).predict(frame) for frame in frames]
    scene = predictor.scene(pair.plate)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(scene.predict, frames * 3))
    for one, other in zip(found, expected * 3, strict=True):
        np.testing.assert_array_equal(one.alpha, other.alpha)
        np.testing.assert_array_equal(one.disparity, other.disparity)
