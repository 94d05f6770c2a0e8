"""Guided plate capture: the median of still frames; what moves is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cleanplate.live import CameraFrame, PlateCapture
from cleanplate.live.plate_capture import median_of, why_not_empty
from tests.video.locked_camera import HEIGHT, WIDTH, disc, plate_picture


def still(count: int, noise: float = 2.0, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    plate = plate_picture().astype(float)
    shown = [plate + rng.normal(0, noise, plate.shape) for _ in range(count)]
    return [np.clip(np.rint(one), 0, 255).astype(np.uint8) for one in shown]


def with_subject(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """A disc walks through them."""
    out = []
    for number, picture in enumerate(pictures):
        inside = disc(number, len(pictures))[..., None] > 0.5
        out.append(np.where(inside, np.uint8(240), picture))
    return out


def capture(pictures, countdown=1.0, count=9, rate=30.0) -> PlateCapture:
    made = PlateCapture(countdown=countdown, count=count)
    for number, picture in enumerate(pictures):
        made.see(CameraFrame(picture, number, 50 + number / rate))
    return made


@given(
    arrays(np.uint8, st.tuples(st.integers(0, 7).map(lambda n: 2 * n + 1), st.just(2), st.just(3)))
)
def test_the_median_is_numpy_s(stack):
    assert np.array_equal(median_of(list(stack)), np.median(stack, 0).astype(np.uint8))


def test_frames_of_the_countdown_are_not_taken():
    pictures = with_subject(still(30)) + still(9, seed=1)
    made = capture(pictures, countdown=1.0, count=9)
    assert made.state == "done"
    assert np.array_equal(made.plate, np.median(still(9, seed=1), 0).astype(np.uint8))
    assert np.abs(made.plate - plate_picture().astype(float)).mean() < 1


def test_the_person_is_told_what_to_do():
    made = PlateCapture(countdown=3.0, count=9)
    picture = plate_picture()
    said = []
    for number in range(40):
        made.see(CameraFrame(picture, number, number / 10))
        said.append(made.step)
    assert list(dict.fromkeys(said)) == [
        *(f"New plate: leave the picture. {left}" for left in (3, 2, 1)),
        "New plate: stay out, nothing may move.",
        "The plate is taken.",
    ]


def test_a_subject_that_moves_is_refused():
    made = capture(with_subject(still(9)), countdown=0)
    assert made.state == "refused"
    assert made.plate is None
    assert "moved" in made.reason
    assert made.text == made.reason


@pytest.mark.parametrize("noise", [0.0, 2.0, 8.0])
def test_noise_is_no_movement(noise):
    assert why_not_empty(still(15, noise)) == ""


def test_a_small_thing_that_moves_is_seen():
    pictures = still(15)
    for number, picture in enumerate(pictures):
        picture[60:72, 20 + 4 * number : 32 + 4 * number] = 255
    assert "moved" in why_not_empty(pictures)


def test_light_that_changes_is_refused():
    pictures = [
        np.clip(one.astype(int) + number, 0, 255).astype(np.uint8)
        for number, one in enumerate(still(15))
    ]
    assert "exposure" in why_not_empty(pictures)


def test_bands_of_a_flickering_lamp_are_no_movement():
    rows = np.arange(HEIGHT)[:, None, None]
    pictures = [
        np.clip(one + 9 * np.sin(rows / 12 + number), 0, 255).astype(np.uint8)
        for number, one in enumerate(still(15, 0.5))
    ]
    assert why_not_empty(pictures) == ""


def test_memory_bounds_the_number_of_frames(monkeypatch):
    monkeypatch.setattr("cleanplate.live.plate_capture.BYTES", 12 * HEIGHT * WIDTH * 3)
    made = capture(still(12), countdown=0, count=101)
    assert made.state == "done"
    assert made.count == 11
