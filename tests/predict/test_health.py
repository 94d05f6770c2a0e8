"""A plate that fits passes, a wrong one is refused with the reason."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from cleanplate import CleanplateError
from cleanplate.predict.agreement import agreement, structure
from cleanplate.predict.health import Health, examine
from cleanplate.predict.thumbnail import PlateThumbnail, thumbnail

from .conftest import make_pair, textured, to_eight
from .test_exposure import in_other_light


def measured(plate: np.ndarray, frame: np.ndarray) -> Health:
    return examine(PlateThumbnail(thumbnail(plate)), thumbnail(frame), plate.shape[:2])


def test_a_good_plate_is_called_good() -> None:
    pair = make_pair(360, 480)
    health = measured(pair.plate, pair.frame)
    assert health.verdict == "good"
    assert health.warnings == []
    assert health.movement.pixels == 0
    assert abs(health.sharpness) < 0.2
    # The subject covers a quarter of the height squared; blocks at its rim count too.
    covered = float((pair.alpha > 0).mean())
    assert covered - 0.03 < health.changed < covered + 0.12
    health.raise_if_unusable()


def test_an_identical_pair_is_good() -> None:
    plate = textured(200, 300, 1)
    health = measured(plate, plate)
    assert health.verdict == "good"
    assert health.agreeing == 1
    assert health.sharpness == 0


def test_another_scene_is_refused() -> None:
    health = measured(textured(360, 480, 1), make_pair(360, 480, 2).frame)
    assert health.verdict == "wrong"
    with pytest.raises(CleanplateError, match="not the frame's plate") as caught:
        health.raise_if_unusable()
    assert "--force" in str(caught.value)
    assert "same scene" in str(caught.value)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_plate_or_frame_is_refused(level: int) -> None:
    noise = np.random.default_rng(0).integers(-1, 2, (240, 320, 3))
    blank = np.clip(level + noise, 0, 255).astype(np.uint8)
    good = to_eight(textured(240, 320, 1))
    with pytest.raises(CleanplateError, match="plate is blank"):
        measured(blank, good).raise_if_unusable()
    with pytest.raises(CleanplateError, match="frame is blank"):
        measured(good, blank).raise_if_unusable()


def test_a_plain_wall_with_a_soft_light_is_not_blank() -> None:
    ramp = np.linspace(0.5, 0.6, 320, dtype=np.float32)
    wall = np.broadcast_to(ramp[None, :, None], (240, 320, 3))
    health = measured(wall, wall)
    assert health.verdict == "good"


def test_a_moved_camera_is_measured_and_told() -> None:
    wide = textured(400, 560, 3)
    plate, frame = wide[20:380, 20:500], wide[28:388, 14:494]
    health = measured(plate, frame)
    assert health.verdict == "usable"
    assert health.movement.pixels == pytest.approx(10, abs=0.5)
    assert "--align" in " ".join(health.warnings)
    assert health.agreeing > 0.9  # apart from the movement


def test_drift_of_light_is_measured_and_told() -> None:
    pair = make_pair(240, 320)
    health = measured(pair.plate, in_other_light(pair.frame, (0.6, 0.6, 0.75)))
    assert health.exposure.gain == pytest.approx((0.6, 0.6, 0.75), rel=0.02)
    assert any("exposure" in one for one in health.warnings)
    assert any("white balance" in one for one in health.warnings)
    assert health.verdict == "usable"


def test_a_soft_plate_is_told() -> None:
    plate = textured(240, 320, 5)
    soft = cv2.GaussianBlur(plate, (0, 0), 3)
    assert any("plate is clearly softer" in one for one in measured(soft, plate).warnings)
    assert any("frame is clearly softer" in one for one in measured(plate, soft).warnings)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 16), (17, 40), (20, 600)])
def test_small_and_narrow_pictures_are_measured(size: tuple[int, int]) -> None:
    plate = np.random.default_rng(1).integers(0, 255, (*size, 3)).astype(np.uint8)
    health = measured(plate, plate)
    assert 0 <= health.agreeing <= 1


def test_blocks_that_agree() -> None:
    plate = to_eight(textured(64, 96, 1))
    frame = plate.copy()
    frame[16:32, 32:64] = to_eight(textured(16, 32, 9))
    agree = agreement(plate, frame, structure(plate, frame)).blocks
    assert agree.shape == (4, 6)
    assert not agree[1, 2]
    assert not agree[1, 3]
    assert agree[3].all()
    assert agree[:, 5].all()


def test_the_report_is_plain() -> None:
    report = measured(textured(60, 80, 1), textured(60, 80, 1)).as_report()
    assert json.loads(json.dumps(report)) == report
    assert report["verdict"] == "good"
    assert report["refusal"] is None
