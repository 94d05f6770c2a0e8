"""Gaps are opened where a pixel shows the plate, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.arrays import Picture, Plane
from cleanplate.formats.pictures import shrink
from cleanplate.matte import over
from cleanplate.predict.alignment.aligned_plate import AlignedPlate
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.alignment.health import Health
from cleanplate.predict.alignment.movement import Movement
from cleanplate.predict.frame_pixels import DecodedPixels
from cleanplate.predict.gaps import NOISE, Gaps
from cleanplate.predict.upsample import upsample_alpha
from tests.predict.conftest import textured

SIZE, SMALL = (240, 320), (60, 80)
RED = (0.9, 0.15, 0.1)


def comb(pitch: int) -> tuple[Plane, Plane]:
    """A block with teeth one pixel wide, and the same as a network that fills the gaps gives it."""
    truth = np.zeros(SIZE, np.float32)
    truth[120:200, 80:240] = 1
    truth[60:120, 80:240:pitch] = 1
    filled = np.zeros(SIZE, np.float32)
    filled[120:200, 80:240] = 1
    filled[60:120, 80:240] = 0.9
    return truth, cv2.resize(filled, SMALL[::-1], interpolation=cv2.INTER_AREA)


def upsampled(plate: Picture, frame: Picture, coarse: Plane, *, gaps: bool = True) -> Plane:
    aligned = AlignedPlate(plate, Health(SIZE, Movement(), Exposure()))
    guide = shrink(frame, SMALL)
    return upsample_alpha(coarse, guide, DecodedPixels(frame), aligned if gaps else None)


def noisy(picture: Picture, seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    dirt = rng.normal(0, NOISE / 2, picture.shape).astype(np.float32)
    return np.clip(picture + dirt, 0, 1)


def test_teeth_of_a_comb_are_told_apart() -> None:
    truth, coarse = comb(8)
    plate = textured(*SIZE, 3)
    frame = noisy(over(np.full((*SIZE, 3), RED, np.float32), truth, plate), 1)
    before = np.abs(upsampled(plate, frame, coarse, gaps=False) - truth)[60:120, 80:240].mean()
    after = np.abs(upsampled(plate, frame, coarse) - truth)[60:120, 80:240].mean()
    assert before > 0.4
    assert after < 0.25 * before


def test_the_plate_is_taken_in_the_frames_light() -> None:
    truth, coarse = comb(8)
    plate = textured(*SIZE, 3)
    frame = over(np.full((*SIZE, 3), RED, np.float32), truth, plate) * np.float32(0.8)
    guide = shrink(frame, SMALL)
    health = Health(SIZE, Movement(), Exposure((0.8, 0.8, 0.8)))
    lit = AlignedPlate(plate, health)
    given_plate = health.exposure.apply(plate)
    plain = AlignedPlate(given_plate, Health(SIZE, Movement(), Exposure()))
    found, same = (upsample_alpha(coarse, guide, DecodedPixels(frame), p) for p in (lit, plain))
    np.testing.assert_array_equal(found, same)


def test_nothing_is_opened_where_subject_and_plate_look_alike() -> None:
    """The subject has the plate's colour: only the network knows that it is there."""
    _, coarse = comb(8)
    plate = np.full((*SIZE, 3), (0.42, 0.4, 0.41), np.float32)
    frame = noisy(plate, 1)
    alike = upsampled(plate, frame, coarse, gaps=False)
    np.testing.assert_allclose(upsampled(plate, frame, coarse), alike, atol=1e-6)


def test_nothing_is_opened_where_the_frame_does_not_show_the_plate() -> None:
    _, coarse = comb(8)
    plate, red = textured(*SIZE, 3), np.full((*SIZE, 3), RED, np.float32)
    plain = upsampled(plate, red, coarse, gaps=False)
    np.testing.assert_array_equal(upsampled(plate, red, coarse), plain)


def test_at_the_frames_own_size_the_network_has_seen_every_pixel() -> None:
    truth, _ = comb(8)
    plate = textured(*SIZE, 3)
    frame = over(np.full((*SIZE, 3), RED, np.float32), truth, plate)
    filled = truth.copy()
    filled[60:120, 80:240] = 0.9
    aligned = AlignedPlate(plate, Health(SIZE, Movement(), Exposure()))
    np.testing.assert_array_equal(
        upsample_alpha(filled, frame, DecodedPixels(frame), aligned),
        upsample_alpha(filled, frame, DecodedPixels(frame)),
    )


def test_without_an_inside_there_is_nothing_to_compare_with() -> None:
    thin = np.zeros((40, 40), np.float32)
    thin[:, 20] = 1
    plate = textured(40, 40, 1)
    assert Gaps.of(thin, plate, plate, Exposure()) is None


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_alpha_only_falls_and_stays_in_range(seed: int) -> None:
    rng = np.random.default_rng(seed)
    plate = (rng.random((20, 24, 3)) * 255).astype(np.uint8)
    subject = rng.random((5, 6, 3), np.float32)
    points = rng.integers(0, 480, 200)
    alpha = rng.random(200, np.float32)
    near = rng.normal(0, NOISE, (200, 3)).astype(np.float32)
    frame = np.clip(plate.reshape(-1, 3)[points] / np.float32(255) + near, 0, 1)
    opened = Gaps(plate, Exposure(), subject).opened(alpha, points, frame)
    assert opened.dtype == np.float32
    assert (opened <= alpha).all()
    assert (opened >= 0).all()
