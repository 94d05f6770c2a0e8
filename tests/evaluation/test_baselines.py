"""One contract for every baseline, and what tells them apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate import metrics
from cleanplate.evaluation import BASELINES, FixedDifference, evaluate, find_pairs

MATTES = ["difference", "aligned", "mog2"]


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_contract(name: str, pairs_folder: Path) -> None:
    view = find_pairs(pairs_folder)[0].read("camera")
    scene = BASELINES[name]().scene(view.plate, view.plate_depth)
    prediction, again = scene.predict(view.frame), scene.predict(view.frame)
    maps = {"alpha": prediction.alpha, "disparity": prediction.disparity}
    given = {key: plane for key, plane in maps.items() if plane is not None}
    assert list(given) == (["alpha"] if name in MATTES else ["disparity"])
    for key, plane in given.items():
        assert plane.shape == view.alpha.shape
        assert plane.dtype == np.float32
        np.testing.assert_array_equal(plane, getattr(again, key))
    assert prediction.metric is False
    deep = BASELINES[name]().scene(view.plate.astype(np.uint16) * 257)
    deep_answer = deep.predict(view.frame.astype(np.uint16) * 257)
    for key, plane in given.items():
        np.testing.assert_array_equal(plane, getattr(deep_answer, key))


@pytest.mark.parametrize("name", MATTES)
def test_a_subject_that_differs_plainly_is_found(name: str, pairs_folder: Path) -> None:
    for variant in ("clean", "camera"):
        means = evaluate(BASELINES[name](), find_pairs(pairs_folder), variant).means
        assert means["iou"] > 0.88  # its soft corners are lost
        assert means["identical_alpha"] == 0


def test_registration_and_gain_help_where_the_camera_drifted() -> None:
    rng = np.random.default_rng(3)
    scene = cv2.resize(rng.integers(40, 160, (40, 52, 3), np.uint8), (312, 240))
    turn = cv2.getRotationMatrix2D((156, 120), 0.8, 1.005)
    turn[:, 2] += (3.5, -2.0)
    plate = cv2.warpAffine(scene, turn, (312, 240), borderMode=cv2.BORDER_REFLECT)
    plate = np.clip(plate * np.array([0.85, 0.9, 0.95]), 0, 255).astype(np.uint8)
    frame, truth = scene.copy(), np.zeros((240, 312), np.float32)
    frame[80:200, 120:190] = 250
    truth[80:200, 120:190] = 1
    ious = {}
    for name in ("difference", "aligned"):
        alpha = BASELINES[name]().scene(plate).predict(frame).alpha
        assert alpha is not None
        ious[name] = metrics.iou(alpha, truth)
    assert ious["aligned"] > 0.9
    assert ious["aligned"] > ious["difference"] + 0.2


def test_aligned_difference_survives_pictures_without_texture() -> None:
    plate = np.full((60, 80, 3), 120, np.uint8)
    frame = plate.copy()
    frame[20:40, 20:50] = 200
    alpha = BASELINES["aligned"]().scene(plate).predict(frame).alpha
    assert alpha is not None
    assert alpha[30, 35] == 1
    assert alpha.mean() == pytest.approx(600 / 4800, rel=0.3)


def test_fixed_difference_starts_beyond_its_threshold() -> None:
    plate = np.full((40, 40, 3), 100, np.uint8)
    for step, expected in ((25, 0.0), (26, 1.0)):
        frame = plate.copy()
        frame[..., 1] += np.uint8(step)
        alpha = FixedDifference(threshold=25).scene(plate).predict(frame).alpha
        assert alpha is not None
        assert alpha.mean() == expected


def test_depth_baselines_have_their_known_shape(pairs_folder: Path) -> None:
    view = find_pairs(pairs_folder)[0].read()
    row = BASELINES["row"]().scene(view.plate).predict(view.frame).disparity
    flat = BASELINES["constant"]().scene(view.plate).predict(view.frame).disparity
    assert row is not None
    assert flat is not None
    assert (np.diff(row, axis=0) > 0).all()
    assert (np.diff(row, axis=1) == 0).all()
    assert np.ptp(flat) == 0
    means = {
        name: evaluate(BASELINES[name](), find_pairs(pairs_folder)).means
        for name in ("row", "constant")
    }
    # The scene is a floor: nearer below.
    assert means["row"]["aligned_delta1"] > means["constant"]["aligned_delta1"]
    assert means["constant"]["ordinal"] == 0.5
    assert "mad" not in means["row"]
