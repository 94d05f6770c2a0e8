"""A plate follows slow local changes, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.alignment.health import Health
from cleanplate.predict.predictor import Predictor
from cleanplate.video.clip import ClipFrame
from cleanplate.video.frame_loop import FrameLoop
from cleanplate.video.plate_adaptation import EVERY, AdaptivePlate
from tests.predict.tiny_model import write_model
from tests.video import locked_camera
from tests.video.locked_camera import HEIGHT, WIDTH, plate_picture


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return Predictor(write_model(tmp_path_factory.mktemp("model") / "tiny"), threads=1)


@pytest.fixture
def aligned(predictor):
    plate = plate_picture()
    result = predictor.scene(plate).predict(plate, ("alpha",))
    return result.sources.plate


def shown(adaptive, aligned, frame, alpha, looks):
    plate = None
    for _ in range(looks * EVERY):
        plate = adaptive.saw(frame, alpha, aligned)
    return plate


def test_the_empty_part_is_followed_and_the_subject_is_not(aligned):
    plate = plate_picture()
    frame = np.clip(plate.astype(int) + 6, 0, 255).astype(np.uint8)
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    alpha[40:80, 60:100] = 1
    adaptive = AdaptivePlate(plate, frames=EVERY)
    after = shown(adaptive, aligned, frame, alpha, looks=8)
    assert np.abs(after[:30].astype(int) - frame[:30]).max() <= 1
    assert np.array_equal(after[40:80, 60:100], plate[40:80, 60:100])


def test_one_time_constant_follows_63_percent(aligned):
    plate = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    frame = plate + 8
    adaptive = AdaptivePlate(plate, frames=4 * EVERY)
    after = shown(adaptive, aligned, frame, np.zeros((HEIGHT, WIDTH), np.float32), looks=4)
    assert after.mean() == pytest.approx(100 + 8 * 0.632, abs=0.6)


def test_an_object_that_was_put_down_stays_a_subject(aligned):
    plate = plate_picture()
    frame = plate.copy()
    frame[20:60, 20:60] = (250, 10, 10)
    missed = np.zeros((HEIGHT, WIDTH), np.float32)
    adaptive = AdaptivePlate(plate, frames=EVERY)
    after = shown(adaptive, aligned, frame, missed, looks=6)
    assert np.abs(after[25:55, 25:55].astype(int) - plate[25:55, 25:55]).max() <= 1


def test_exposure_is_taken_out_before(aligned):
    """A frame that is half a stop brighter everywhere teaches the plate nothing."""
    plate = plate_picture()
    exposure = Exposure((1.3, 1.3, 1.3))
    frame = exposure.apply(plate)
    brighter = AlignedPlate(plate, Health(**{**vars(aligned.health), "exposure": exposure}))
    adaptive = AdaptivePlate(plate, frames=EVERY)
    after = shown(adaptive, brighter, frame, np.zeros((HEIGHT, WIDTH), np.float32), looks=4)
    assert np.abs(after.astype(int) - plate)[(frame < 250)].max() <= 2


def test_a_patch_of_light_that_moves_in_slowly_is_no_subject(predictor):
    """With the plate adapting, false alpha on the patch is less than half."""
    made = []
    for frame, _ in locked_camera.frames(8 * EVERY, noise=0.5):
        shade = np.ones((HEIGHT, WIDTH, 1), np.float32)
        shade[:40, :60] = 1 - 0.22 * frame.index / (8 * EVERY)
        rgb = np.rint(frame.rgb * shade).astype(np.uint8)
        made.append(ClipFrame(rgb, frame.index, frame.time, frame.duration))
    found = {}
    for name in ("fixed", "adapting"):
        scene = predictor.scene(plate_picture())
        adaptation = AdaptivePlate(scene.plate, 2 * EVERY) if name == "adapting" else None
        loop = FrameLoop(scene, ("alpha",), adaptation=adaptation)
        found[name] = [layers.alpha[:40, :40].mean() for layers in loop.layers(iter(made))][-20:]
    assert np.mean(found["fixed"]) > 0.02
    assert np.mean(found["adapting"]) < 0.5 * np.mean(found["fixed"])
