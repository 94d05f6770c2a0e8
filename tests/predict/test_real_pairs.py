"""Health on real photographs: pairs of one scene pass, others are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanplate.formats.pictures import read_image, resize
from cleanplate.predict.alignment.health import Health
from cleanplate.predict.alignment.health_measurement import measure_health
from cleanplate.predict.alignment.thumbnail import PlateThumbnail, thumbnail
from cleanplate.predict.predictor import Predictor

PAIRS = {
    "cat": ("cat/cat_plate.png", "cat/cat_frame.png"),
    "hand": ("hand_held_person/0001_plate.jpg", "hand_held_person/0001_frame.jpg"),
    "flowers A": ("two_plates/flowers_A_plate.jpg", "two_plates/flowers_A_frame.jpg"),
    "flowers B": ("two_plates/flowers_B_plate.jpg", "two_plates/flowers_B_frame.jpg"),
    "leaves A": ("two_plates/leaves_A_plate.png", "two_plates/leaves_A_frame.png"),
    "leaves B": ("two_plates/leaves_B_plate.png", "two_plates/leaves_B_frame.png"),
    "suction": ("tote_rgbd/suction_plate.png", "tote_rgbd/suction_frame.png"),
    "gripper": ("tote_rgbd/gripper_plate.png", "tote_rgbd/gripper_frame.png"),
    "shop": ("cctv/shop_plate.png", "cctv/shop_frame_0095.png"),
    "escalator": ("cctv/escalator_plate.png", "cctv/escalator_frame_0060.png"),
}
SAME_CLOTH = [{"flowers A", "leaves A"}, {"flowers B", "leaves B"}]


def measured(shared: Path, plate: str, frame: str) -> Health:
    there = read_image(shared / "real" / PAIRS[frame][1])
    here = read_image(shared / "real" / PAIRS[plate][0])
    if here.shape != there.shape:
        here = resize(here, there.shape[:2])
    return measure_health(PlateThumbnail(thumbnail(here)), thumbnail(there), there.shape[:2])


@pytest.mark.shared
@pytest.mark.parametrize("name", PAIRS)
def test_pairs_of_one_scene_pass(shared: Path, name: str) -> None:
    measured(shared, name, name).raise_if_unusable()


@pytest.mark.shared
@pytest.mark.parametrize("plate", PAIRS)
def test_other_scenes_are_refused(shared: Path, plate: str) -> None:
    names = list(PAIRS)
    following = (names + names)[names.index(plate) + 1 :][:4]
    for frame in following:
        if {plate, frame} not in SAME_CLOTH:
            assert measured(shared, plate, frame).refusal, frame


@pytest.mark.shared
def test_the_hand_held_plate_is_registered(shared: Path, tiny: Path) -> None:
    plate, frame = (shared / "real" / name for name in PAIRS["hand"])
    result = Predictor(tiny, threads=1, align=True).scene(plate).predict(frame)
    report = result.report["alignment"]
    assert report["trusted"]
    assert report["inlier_share"] > 0.9
    assert 45 < report["moved_px"] < 58
    assert report["residual_px"] < 1
    # The subject is cut by the lower border, beyond which the moved plate does not reach.
    assert result.alpha[-3:, 700:1100].mean() > 0.9
    assert result.alpha[:200].mean() < 0.02
