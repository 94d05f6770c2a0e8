"""Distances over time: a steady walk, outliers, subjects that come, go and cross."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.video.distance_filter import DistanceFilter
from cleanplate.video.subject_tracking import (
    MOST_SAMPLES,
    MOST_SUBJECTS,
    PATIENCE,
    Measurement,
    SubjectTracker,
)

RATE = 25.0
SIZE = (40, 60)


def walk(count: int = 200, *, speed: float = 1.2, begin: float = 8.0) -> np.ndarray:
    """Metres of somebody who walks towards the camera at `speed` m/s."""
    return begin - speed * np.arange(count) / RATE


def filtered(distances: np.ndarray, uncertainty: float = 0.15) -> np.ndarray:
    kept = DistanceFilter(distances[0], uncertainty)
    later = [kept.update(one, uncertainty, 1 / RATE) for one in distances[1:]]
    return np.array([distances[0], *later])


def jitter(distances: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.diff(np.log(distances / truth)) ** 2)))


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.06])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_in_a_steady_walk_jitter_falls_by_half_and_the_lag_is_below_a_frame(noise, seed):
    truth = walk(140)
    rng = np.random.default_rng(seed)
    measured = truth * np.exp(rng.normal(0, noise, truth.size))
    found = filtered(measured)
    assert jitter(found, truth) < 0.5 * jitter(measured, truth)
    # Against what was measured, whose noise has a mean of its own, once the walk is under way.
    frame = np.diff(truth)[40:].mean()
    assert abs((found - measured)[41:].mean()) < abs(frame)


def test_without_noise_a_walk_is_followed_exactly():
    truth = walk(140)
    lag = (filtered(truth) - truth)[60:] / -np.diff(truth).mean()
    assert np.abs(lag).max() < 1


def test_an_outlier_moves_the_distance_by_little():
    measured = np.full(60, 4.0)
    measured[40] = 8.0
    found = filtered(measured)
    assert np.abs(found[40:] / 4 - 1).max() < 0.05


def test_a_distance_that_jumps_for_good_is_taken_over():
    measured = np.concatenate([np.full(40, 4.0), np.full(60, 6.0)])
    assert filtered(measured)[-1] == pytest.approx(6, rel=0.02)


def regions(*boxes: tuple[int, int]) -> np.ndarray:
    """(h, w) labels of subjects of full height from column a to b."""
    found = np.full(SIZE, -1, np.int32)
    for number, (a, b) in enumerate(boxes):
        found[5:35, a:b] = number
    return found


class Clip:
    """Frames handed to a tracker, with the number of each subject."""

    def __init__(self) -> None:
        self.tracker = SubjectTracker()
        self.frame = 0

    def see(self, boxes, distances=None) -> list[float]:
        measured = [Measurement(d, 0.1) for d in distances or [4.0] * len(boxes)]
        found = self.tracker.update(regions(*boxes), measured, self.frame, self.frame / RATE)
        self.frame += 1
        return found

    def spans(self) -> list[tuple[int, int]]:
        return [(one.first, one.last) for one in self.tracker.listed]


def test_a_subject_that_walks_is_one_subject_also_when_numbers_change():
    clip = Clip()
    for step in range(20):
        boxes, metres = [(step, step + 10), (45, 55)], [3.0, 7.0]
        if step % 2:  # the larger one comes first, whichever that is
            boxes, metres = boxes[::-1], metres[::-1]
        found = clip.see(boxes, metres)
        assert found == pytest.approx(metres)
    assert clip.spans() == [(0, 19), (0, 19)]


def test_a_subject_that_leaves_and_comes_back_later_begins_anew():
    clip = Clip()
    for _ in range(5):
        clip.see([(10, 20)], [3.0])
    for _ in range(PATIENCE + 1):
        assert clip.see([]) == []
    assert clip.see([(10, 20)], [6.0]) == [pytest.approx(6.0)], "nothing of 3 m is left"
    assert clip.spans() == [(0, 4), (5 + PATIENCE + 1, 5 + PATIENCE + 1)]


def test_a_subject_that_is_missed_for_a_frame_stays_the_same():
    clip = Clip()
    for step in range(12):
        clip.see([] if step == 6 else [(10, 20)], None)
    assert clip.spans() == [(0, 11)]


def test_a_subject_elsewhere_is_another_one():
    clip = Clip()
    clip.see([(0, 10)], [3.0])
    assert clip.see([(30, 40)], [6.0]) == [pytest.approx(6.0)]
    assert clip.tracker.count == 2


def test_two_that_cross_become_one_region_and_two_again_each_anew():
    clip = Clip()
    for step in range(31):
        left, right = step, 40 - step
        boxes = [(left, left + 12), (right, right + 12)]
        if abs(left - right) <= 12:
            boxes = [(min(left, right), max(left, right) + 12)]
            assert clip.see(boxes, [5.0])[0] == pytest.approx(5.0), "of no one's past"
        else:
            metres = [3.0, 7.0]
            assert clip.see(boxes, metres) == pytest.approx(metres)
    assert clip.tracker.count == 5


def test_a_part_that_comes_off_does_not_end_its_subject():
    clip = Clip()
    for step in range(10):
        boxes = [(10, 30), (31, 33)] if step % 3 == 1 else [(10, 33)]
        clip.see(boxes)
    assert clip.spans()[0] == (0, 9)


def test_a_reset_begins_everything_anew():
    clip = Clip()
    clip.see([(10, 20)], [3.0])
    clip.tracker.reset()
    assert clip.see([(10, 20)], [6.0]) == [pytest.approx(6.0)]


def test_the_list_of_a_long_clip_is_bounded():
    clip = Clip()
    for _ in range(1000):
        clip.see([(10, 20)])
    (listed,) = clip.tracker.as_json()["listed"]
    frames = [frame for frame, _ in listed["distance_m"]]
    assert MOST_SAMPLES // 2 <= len(frames) <= MOST_SAMPLES
    assert set(np.diff(frames)) == {frames[1] - frames[0]}
    assert frames[0] == 0
    assert listed["last_frame"] == 999
    for number in range(MOST_SUBJECTS + 50):
        clip.see([(0, 10)] if number % 2 else [(40, 50)])
        clip.tracker.reset()
    told = clip.tracker.as_json()
    assert len(told["listed"]) == MOST_SUBJECTS
    assert told["count"] == MOST_SUBJECTS + 51
