"""A plate from frames that are never empty: exposure, movement, what is refused."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.video.clip_plate import plate_of, sample_evenly
from tests.video import locked_camera
from tests.video.locked_camera import plate_picture


def pictures(count, **options):
    return (frame.rgb for frame, _ in locked_camera.frames(count, **options))


def error(found):
    """Per pixel, in 255ths."""
    return np.abs(found.estimate.picture / 257 - plate_picture()).max(2)


def test_the_plate_of_a_walking_subject_is_the_empty_scene():
    found = plate_of(pictures(64))
    sure = found.estimate.confidence > 0.98
    # In the middle the disc, of one colour, is seen in half of the frames: nothing is sure there.
    assert sure.mean() > 0.85
    assert np.quantile(error(found)[sure], 0.999) <= 2
    assert (found.frames, found.samples, found.dropped) == (64, 64, [])


def test_a_drifting_exposure_is_brought_to_the_middle_frames():
    gains = list(np.exp(np.linspace(-0.2, 0.2, 65)))
    found = plate_of(pictures(65, gain=gains))
    sure = found.estimate.confidence > 0.98
    assert sure.mean() > 0.85
    assert np.median(error(found)[sure]) < 1.5


def test_a_camera_that_shakes_is_stabilised():
    shake = {number: float(3 * np.sin(number)) for number in range(40)}
    shake[20] = 0.0  # the frame that the others are laid over
    found = plate_of(pictures(40, shift=shake))
    still = plate_of(pictures(40, shift=shake), stabilise=False)
    assert found.moved > 2
    assert np.median(error(found)) < 0.6 * np.median(error(still))


def test_every_nth_frame_is_kept_of_a_stream_of_any_length():
    frames = (np.full((4, 4, 3), number % 256, np.uint8) for number in range(1000))
    kept, count = sample_evenly(frames, most=32)
    assert count == 1000
    assert 16 <= len(kept) <= 32
    numbers = [int(one[0, 0, 0]) for one in kept]
    steps = {(b - a) % 256 for a, b in pairwise(numbers)}
    assert len(steps) == 1


def test_too_few_frames_are_refused():
    with pytest.raises(CleanplateError, match="too few"):
        plate_of(pictures(3))


def test_frames_of_another_view_are_refused():
    rng = np.random.default_rng(0)
    others = [rng.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(12)]
    with pytest.raises(CleanplateError, match="same view"):
        plate_of(others)


def test_clips_of_two_sizes_are_refused():
    frames = [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)]
    with pytest.raises(CleanplateError, match="9 x 8"):
        sample_evenly(frames)
