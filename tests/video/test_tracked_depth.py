"""The depth that the loop gives: that of single frames but for the subjects' tracked distance."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.models import find_model
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.stage_timer import StageTimer
from cleanplate.video.frame_loop import FrameLoop
from cleanplate.video.subject_tracking import SubjectTracker
from cleanplate.video.tracked_depth import tracked_depth
from tests.video import locked_camera
from tests.video.locked_camera import HEIGHT, WIDTH, plate_picture


@pytest.fixture(scope="module")
def scene():
    """The shipped model, which places subjects; a floor that comes nearer row by row."""
    depth = np.repeat(np.linspace(9, 2, HEIGHT, dtype=np.float32)[:, None], WIDTH, axis=1)
    return Predictor(find_model(None), threads=1).scene(plate_picture(), depth)


@pytest.fixture(scope="module")
def frames():
    return [frame for frame, _ in locked_camera.frames(6)]


def test_the_first_frame_has_the_depth_of_a_single_one(scene, frames):
    result = scene.predict(frames[0].rgb, ("alpha", "depth", "subjects"))
    found = tracked_depth(result, SubjectTracker(), 0, frames[0].time, StageTimer())
    # The report's distance, from which tracking begins, has four digits.
    np.testing.assert_allclose(found, result.depth, rtol=1e-3)


def test_a_distance_that_jumps_in_one_frame_hardly_moves_the_depth(scene, frames):
    result = scene.predict(frames[2].rgb, ("alpha", "subjects"))
    (entry, *_) = result.report["subjects"]
    # Nearer than everything that it hides, so that no pixel is held at the plate's own depth.
    near = {**entry, "distance_m": 1.0}
    tracker = SubjectTracker()

    def depth(distance: float, frame: int) -> np.ndarray:
        sources = replace(
            result.sources.depth,
            report=[{**near, "distance_m": distance}, *result.report["subjects"][1:]],
        )
        seen = SimpleNamespace(
            alpha=result.alpha,
            pixels=result.pixels,
            sources=replace(result.sources, depth=sources),
        )
        return tracked_depth(seen, tracker, frame, Fraction(frame, 25), StageTimer())

    steady = [depth(1.0, frame) for frame in range(20)]
    subject = result.alpha >= 0.5
    assert np.abs(steady[-1][subject] - 1).max() < 0.01
    assert np.array_equal(steady[-1][~subject], steady[0][~subject])
    jump = depth(1.5, 20)
    assert np.abs(jump[subject] - 1).max() < 0.1


def test_the_loop_lists_the_subjects_of_a_clip(scene, frames):
    loop = FrameLoop(scene, ("depth",))
    layers = list(loop.layers(frames))
    told = loop.report.as_json()["subjects"]
    assert told["count"] >= 1
    first = told["listed"][0]
    assert (first["first_frame"], first["last_frame"]) == (0, 5)
    subject = layers[-1].alpha > 0.9
    # A subject of one distance, held before the plate that it hides.
    assert np.median(layers[-1].depth[subject]) <= first["distance_m"][-1][1] * 1.001


def test_without_depth_nothing_is_followed(scene, frames):
    loop = FrameLoop(scene, ("alpha",))
    list(loop.layers(frames[:2]))
    assert loop.report.as_json()["subjects"] == {"count": 0, "listed": []}


def test_depth_without_the_plates_depth_is_refused(frames):
    plain = Predictor(find_model(None), threads=1).scene(plate_picture())
    with pytest.raises(CleanplateError, match="metres"):
        FrameLoop(plain, ("depth",))
