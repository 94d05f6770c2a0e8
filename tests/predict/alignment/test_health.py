"""A plate that fits passes, a wrong one is refused with the reason."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from cleanplate import CleanplateError
from cleanplate.matte import over
from cleanplate.predict.alignment.agreement import agreement, structure
from cleanplate.predict.alignment.health import Health
from cleanplate.predict.alignment.health_measurement import measure_health
from cleanplate.predict.alignment.keypoints import Keypoints
from cleanplate.predict.alignment.thumbnail import PlateThumbnail, blockiness, thumbnail
from tests.predict.alignment.test_exposure import in_other_light
from tests.predict.conftest import bright_subject, make_pair, textured, to_eight


def measured(plate: np.ndarray, frame: np.ndarray) -> Health:
    return measure_health(PlateThumbnail(thumbnail(plate)), thumbnail(frame), plate.shape[:2])


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


@pytest.mark.parametrize("stops", [-4, -3, -2.3, 2.3, 3, 4])
@pytest.mark.parametrize("role", ["plate", "frame"])
def test_no_strong_change_of_exposure_is_called_good(stops: float, role: str) -> None:
    pair = make_pair(240, 320)
    pictures = {"plate": pair.plate, "frame": pair.frame}
    pictures[role] = to_eight(in_other_light(pictures[role], (2.0**stops,) * 3))
    health = measured(**pictures)
    drift = stops if role == "frame" else -stops
    assert health.verdict != "good"
    if health.exposure.measured:
        assert health.exposure.stops == pytest.approx(drift, abs=0.3)
        assert any("exposure differs" in one for one in health.warnings)
    else:
        assert any("exposure could not be compared" in one for one in health.warnings)


def test_highlights_and_blacks_that_cannot_be_matched_are_told() -> None:
    pair = make_pair(240, 320)
    clipped = to_eight(in_other_light(pair.plate, (8.0,) * 3))
    health = measured(clipped, pair.frame)
    assert health.lost[0] > 0.1
    assert any("clipped highlights" in one for one in health.warnings)
    crushed = to_eight(in_other_light(pair.plate, (1 / 64,) * 3))
    warnings = measured(crushed, pair.frame).warnings
    assert any("crushed blacks" in one or "could not be compared" in one for one in warnings)


def test_an_exposure_that_was_not_measured_is_not_called_unchanged() -> None:
    light = textured(240, 320, 5)
    dark = to_eight(in_other_light(light, (2.0**-9,) * 3))
    health = measured(light, dark)
    report = health.as_report()
    assert not health.exposure.measured
    assert report["exposure"]["measured"] is False
    assert report["exposure"]["why_not"]
    assert report["exposure"]["stops"] is None
    assert report["exposure"]["white_balance"] is None
    assert report["verdict"] != "good"


def test_a_white_wall_is_no_black_wall_in_another_light() -> None:
    rng = np.random.default_rng(0)
    white, black = (
        np.clip(level + rng.normal(0, 2, (240, 320, 3)), 0, 255).astype(np.uint8)
        for level in (225, 30)
    )
    ramp = np.linspace(0, 12, 320).astype(np.uint8)[None, :, None]
    health = measured(white - ramp, black + ramp)
    assert not health.exposure.measured
    assert health.verdict != "good"


@pytest.mark.parametrize("role", ["plate", "frame"])
def test_swapped_channels_are_recognised(role: str) -> None:
    pair = make_pair(240, 320)
    pictures = {"plate": pair.plate, "frame": pair.frame}
    pictures[role] = pictures[role][..., ::-1]
    health = measured(**pictures)
    assert health.verdict == "wrong"
    with pytest.raises(CleanplateError, match="are the channels swapped") as caught:
        health.raise_if_unusable()
    assert "[..., ::-1]" in str(caught.value)


@pytest.mark.parametrize(
    "gain", [(1.6, 1.0, 0.6), (0.5, 1.0, 2.0), (1.0, 1.0, 1.0), (0.3, 0.3, 0.3)]
)
def test_another_white_balance_is_not_taken_for_swapped_channels(gain: tuple[float, ...]) -> None:
    pair = make_pair(240, 320)
    assert not measured(pair.plate, in_other_light(pair.frame, gain)).refusal


def test_a_subject_of_the_opposite_colour_is_not_taken_for_swapped_channels() -> None:
    """An orange thing before a blue one, in a room that is nearly grey."""
    rng = np.random.default_rng(0)
    grey = np.linspace(90, 120, 320)[None, :, None] * np.array([1.02, 1, 0.98])
    room = np.repeat(grey, 240, axis=0) + rng.normal(0, 1.5, (240, 320, 3))
    plate, frame = room.copy(), room.copy()
    plate[150:, 100:220] += (-40, 0, 40)
    frame[150:, 100:220] += (45, 0, -45)
    pictures = [np.clip(one, 0, 255).astype(np.uint8) for one in (plate, frame)]
    assert not measured(*pictures).refusal
    assert "swapped" in measured(pictures[0], pictures[0][..., ::-1]).refusal


@pytest.mark.parametrize("shift", [(3, 0), (0, 3), (2, -2), (1.5, 1.5), (0.5, 0)])
def test_a_small_movement_is_measured_without_features(
    shift: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also 3 pixels of 1280, which are 1.2 of the thumbnail."""
    _no_features(monkeypatch)
    wide = textured(800, 1360, 3)
    matrix = np.eye(3)[:2]
    matrix[:, 2] = shift
    moved = cv2.warpAffine(wide, matrix, (1360, 800))
    foreground, alpha = bright_subject(720, 1280)
    frame = over(foreground, alpha, moved[40:760, 40:1320])
    health = measured(to_eight(wide[40:760, 40:1320]), to_eight(frame))
    assert health.movement.method == "corners"
    assert health.movement.pixels == pytest.approx(np.hypot(*shift), abs=0.5)
    assert health.moved == (np.hypot(*shift) > 2)
    assert health.verdict == ("usable" if health.moved else "good")


@pytest.mark.parametrize("shift", [(12, 5), (30, -8), (90, 20)])
def test_a_large_movement_is_measured(shift: tuple[int, int]) -> None:
    wide = textured(940, 1500, 3)
    x, y = shift
    plate, frame = wide[110:830, 110:1390], wide[110 - y : 830 - y, 110 - x : 1390 - x]
    health = measured(to_eight(plate), to_eight(frame))
    assert health.movement.pixels == pytest.approx(np.hypot(*shift), abs=1)
    assert health.moved


def test_a_turn_is_measured_at_the_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    _no_features(monkeypatch)
    wide = textured(500, 660, 3)
    turned = cv2.warpAffine(wide, cv2.getRotationMatrix2D((330, 250), 0.5, 1), (660, 500))
    health = measured(wide[70:430, 90:570], turned[70:430, 90:570])
    assert health.movement.pixels == pytest.approx(300 * np.deg2rad(0.5), abs=0.4)
    assert health.moved


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_no_features_are_looked_for_where_the_camera_stood_still(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_features(monkeypatch)
    plate = to_eight(textured(360, 480, 6))
    frame = plate.copy()
    frame[:, : int(share * 480)] = to_eight(textured(360, 480, 8))[:, : int(share * 480)]
    health = measured(plate, frame)
    assert health.movement.measured
    assert health.movement.pixels < 0.2
    assert health.changed == pytest.approx(share, abs=0.06)


def test_a_movement_that_cannot_be_measured_is_told() -> None:
    """A plain wall, and a subject with texture before half of it."""
    wall = np.full((240, 320, 3), 140, np.uint8)
    wall[:, :, 0] += np.linspace(0, 30, 320).astype(np.uint8)[None]
    frame = wall.copy()
    frame[:, 150:] = to_eight(textured(240, 320, 4))[:, 150:]
    health = measured(wall, frame)
    assert not health.movement.measured
    assert health.as_report()["moved_px"] is None
    assert any("could not be measured" in one for one in health.warnings)


def test_a_strongly_compressed_picture_is_told() -> None:
    pair = make_pair(240, 320)
    plate, frame = to_eight(pair.plate), to_eight(pair.frame)
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 5])
    blocky = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    assert blockiness(frame) < 1.3
    small = PlateThumbnail.of(plate)
    for health in (
        measure_health(small, blocky, (240, 320), blockiness(blocky)),
        measure_health(PlateThumbnail.of(blocky), frame, (240, 320)),
    ):
        assert any("heavily compressed" in one for one in health.warnings)
    assert measure_health(small, frame, (240, 320), blockiness(frame)).verdict == "good"


def test_a_matte_over_what_agrees_is_told() -> None:
    pair = make_pair(360, 480)
    health = measured(pair.plate, pair.frame)
    assert health.with_matte(pair.alpha).verdict == "good"
    everywhere = health.with_matte(np.ones((90, 120), np.float32))
    assert everywhere.verdict == "usable"
    assert "the matte covers" in everywhere.warnings[-1]


@pytest.mark.parametrize(
    ("gain", "words"), [(2.0**-5, "dark"), (10.0, "clipped white in plate and frame")]
)
def test_darkness_and_clipping_of_both_are_told(gain: float, words: str) -> None:
    pair = make_pair(240, 320)
    plate, frame = (to_eight(in_other_light(p, (gain,) * 3)) for p in (pair.plate, pair.frame))
    assert any(words in one for one in measured(plate, frame).warnings)


def _no_features(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("features were looked for")

    monkeypatch.setattr(Keypoints, "of", refuse)
