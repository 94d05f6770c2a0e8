"""Cameras: clips in real time, OpenCV's, and the newest frame of one."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.live import NewestFrame, PacedCamera, open_camera
from cleanplate.live.camera import CameraFrame
from cleanplate.live.video_capture import SETTLING, CapturedCamera
from tests.live.fake_camera import Clock
from tests.video import locked_camera


def numbered(count: int):
    return (np.full((4, 6, 3), number, np.uint8) for number in range(count))


def paced(count: int, clock: Clock) -> PacedCamera:
    return PacedCamera(numbered(count), (4, 6), 10.0, clock=clock, sleep=clock.sleep)


def test_frames_come_in_their_time():
    clock = Clock()
    camera = paced(3, clock)
    seen = [camera.read() for _ in range(3)]
    assert [one.number for one in seen] == [0, 1, 2]
    assert [one.captured - 100 for one in seen] == pytest.approx([0, 0.1, 0.2])
    assert clock.now == pytest.approx(100.2), "it waited"
    assert camera.read() is None


def test_who_comes_late_misses_frames():
    clock = Clock()
    camera = paced(9, clock)
    camera.read()
    clock.now += 0.35
    late = camera.read()
    assert (late.number, late.rgb[0, 0, 0]) == (3, 3)
    assert late.captured == pytest.approx(100.3)
    assert camera.read().number == 4


def frame(number: int) -> CameraFrame:
    return CameraFrame(np.zeros((2, 2, 3), np.uint8), number, float(number))


class Steps:
    """A camera that gives a frame each time that the test lets it."""

    name, size, rate = "steps", (2, 2), 30.0
    notes: tuple[str, ...] = ()

    def __init__(self, error: Exception | None = None):
        self.allowed, self.asked = threading.Semaphore(0), threading.Semaphore(0)
        self.count, self.closed, self.error = 0, False, error

    def read(self):
        self.asked.release()
        self.allowed.acquire()
        if self.error is not None:
            raise self.error
        self.count += 1
        return frame(self.count - 1) if self.count <= 4 else None

    def close(self):
        self.closed = True


def test_one_frame_waits_at_most_and_it_is_the_newest():
    camera = Steps()
    with NewestFrame(camera) as newest:
        for _ in range(4):
            camera.asked.acquire()
            camera.allowed.release()
        camera.asked.acquire()  # four frames were put
        assert newest.take(0).number == 3
        assert newest.take(0) is None
        assert (newest.read, newest.replaced) == (4, 3)
        assert not newest.ended
        camera.allowed.release()
        assert newest.take(None) is None
        assert newest.ended
    assert camera.closed


def test_an_error_of_the_camera_reaches_who_takes_frames():
    camera = Steps(CleanplateError("unplugged"))
    camera.allowed.release()
    with NewestFrame(camera) as newest, pytest.raises(CleanplateError, match="unplugged"):
        newest.take(None)
    assert camera.closed


def test_a_video_file_is_a_camera(tmp_path):
    clip = locked_camera.write_clip(tmp_path / "clip.mp4", 3)
    clock = Clock()
    camera = open_camera(clip, clock=clock)
    assert (camera.size, camera.rate) == ((120, 160), 25.0)
    assert camera.read().rgb.shape == (120, 160, 3)
    camera.close()


@pytest.mark.parametrize("source", ["nothing.mp4", "/dev/video987"])
def test_what_is_no_camera_is_an_error(source):
    with pytest.raises(CleanplateError) as told:
        open_camera(source)
    assert source in str(told.value)
    assert told.value.cure


class FakeCapture:
    """OpenCV's capture with a driver that lets some properties be set."""

    def __init__(self, settable: set[int], stamps: bool = False):
        self.settable, self.stamps, self.released, self.grabbed = settable, stamps, False, 0
        self.values = {
            cv2.CAP_PROP_FPS: 30.0,
            cv2.CAP_PROP_AUTO_EXPOSURE: 3.0,
            cv2.CAP_PROP_EXPOSURE: 156.0,
            cv2.CAP_PROP_AUTO_WB: 1.0,
            cv2.CAP_PROP_WB_TEMPERATURE: 4600.0,
        }

    def isOpened(self):
        return True

    def getBackendName(self):
        return "V4L2"

    def grab(self):
        self.grabbed += 1
        return True

    def retrieve(self):
        return True, np.full((2, 3, 3), (10, 20, 30), np.uint8)

    def get(self, prop):
        if prop == cv2.CAP_PROP_POS_MSEC and self.stamps:
            return 99_950.0
        return self.values.get(prop, 0.0)

    def set(self, prop, value):
        if prop not in self.settable:
            return False
        self.values[prop] = value
        return True

    def release(self):
        self.released = True


EXPOSURE = {cv2.CAP_PROP_AUTO_EXPOSURE, cv2.CAP_PROP_EXPOSURE}
WHITE = {cv2.CAP_PROP_AUTO_WB, cv2.CAP_PROP_WB_TEMPERATURE}


@pytest.fixture
def fake(monkeypatch):
    def opened(settable, **more):
        capture = FakeCapture(settable, **more)
        monkeypatch.setattr(cv2, "VideoCapture", lambda source: capture)
        return capture, CapturedCamera("0", size=(4, 6), clock=Clock())

    return opened


def test_red_is_the_first_channel_and_another_size_is_told(fake):
    _, camera = fake(set())
    assert camera.read().rgb[0, 0].tolist() == [30, 20, 10]
    assert camera.size == (2, 3)
    assert camera.notes == ["the camera gives 3 x 2, not 6 x 4"]


def test_the_driver_s_time_stamp_is_used_where_it_is_of_this_clock(fake):
    _, camera = fake(set())
    assert camera.read().captured == 100.0
    _, camera = fake(set(), stamps=True)
    assert camera.read().captured == pytest.approx(99.95)


def test_exposure_and_white_balance_are_locked_where_they_stand(fake):
    capture, camera = fake(EXPOSURE | WHITE)
    assert camera.lock() == []
    assert capture.grabbed > SETTLING, "automatic control had time"
    assert capture.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 1.0
    assert capture.values[cv2.CAP_PROP_EXPOSURE] == 156.0
    assert capture.values[cv2.CAP_PROP_AUTO_WB] == 0.0
    assert capture.values[cv2.CAP_PROP_WB_TEMPERATURE] == 4600.0
    camera.close()
    assert capture.released


@pytest.mark.parametrize(("settable", "said"), [(WHITE, "exposure"), (EXPOSURE, "white balance")])
def test_what_cannot_be_locked_is_told(fake, settable, said):
    _, camera = fake(settable)
    (told,) = camera.lock()
    assert said in told
