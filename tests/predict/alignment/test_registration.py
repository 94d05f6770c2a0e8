"""A moved camera is found, a wrong picture is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cleanplate.predict.alignment.homography import corner_movement, covered, warp
from cleanplate.predict.alignment.keypoints import Keypoints
from cleanplate.predict.alignment.registration import Registration, changed_area, register
from tests.predict.conftest import bright_subject, textured, to_eight

SIZE = (300, 400)


def over_eight(frame: np.ndarray) -> np.ndarray:
    """`frame` with the subject in it."""
    foreground, alpha = bright_subject(*frame.shape[:2])
    mixed = frame * (1 - alpha[..., None]) + 255 * foreground * alpha[..., None]
    return np.rint(mixed).astype(np.uint8)


def movement(kind: str) -> np.ndarray:
    matrix = np.eye(3)
    if kind == "none":
        return matrix
    matrix[:2, 2] = 7.3, -4.6
    if kind == "shift":
        return matrix
    turn = cv2.getRotationMatrix2D((200, 150), 1.5, 1.02)
    if kind == "similarity":
        return matrix @ np.vstack([turn, [0, 0, 1]])
    matrix[2, :2] = 6e-5, -4e-5
    return matrix


def found(plate: np.ndarray, frame: np.ndarray, size: tuple[int, int] = SIZE) -> Registration:
    return register(Keypoints.of(plate), Keypoints.of(frame), size)


@pytest.mark.parametrize("kind", ["none", "shift", "similarity", "homography"])
def test_the_movement_is_found_with_a_subject_in_the_way(kind: str) -> None:
    wide = to_eight(textured(400, 500, 7))
    matrix = movement(kind)
    inner = np.array([[1, 0, -50], [0, 1, -50], [0, 0, 1.0]])
    plate = warp(wide, inner)[:300, :400]
    frame = over_eight(warp(wide, matrix @ inner)[:300, :400])
    result = found(plate, frame)
    assert result.trusted
    assert result.kind.startswith(kind)
    corners = np.array([[0, 0, 1], [400, 0, 1], [400, 300, 1], [0, 300, 1.0]])
    there, here = corners @ matrix.T, corners @ result.matrix.T
    apart = there[:, :2] / there[:, 2:] - here[:, :2] / here[:, 2:]
    assert np.linalg.norm(apart, axis=1).max() < 0.7
    assert result.moved == pytest.approx(corner_movement(matrix, SIZE), abs=0.7)
    assert result.residual < 0.5
    assert result.share > 0.5


def test_it_answers_in_full_size_pixels() -> None:
    wide = to_eight(textured(400, 500, 7))
    plate, frame = wide[50:350, 50:450], over_eight(wide[54:354, 42:442])
    small = found(plate, frame)
    large = found(plate, frame, (900, 1200))
    assert small.matrix[:2, 2] == pytest.approx([8, -4], abs=0.1)
    assert large.matrix[:2, 2] == pytest.approx([24, -12], abs=0.3)
    assert large.moved == pytest.approx(3 * small.moved, rel=1e-6)


def test_another_scene_is_not_trusted() -> None:
    result = found(to_eight(textured(300, 400, 1)), to_eight(textured(300, 400, 2)))
    assert not result.trusted
    assert result.why_not
    np.testing.assert_array_equal(result.matrix, np.eye(3))
    assert result.moved == 0


def test_a_flat_plate_is_not_trusted() -> None:
    flat = np.full((300, 400, 3), 120, np.uint8)
    result = found(flat, over_eight(flat))
    assert not result.trusted
    assert "features match" in result.why_not


def test_a_subject_that_fills_the_frame_does_not_carry_the_plate_along() -> None:
    """The same patterned cloth moved by 30 pixels, small before an unmoved background."""
    plate = to_eight(textured(300, 400, 3))
    cloth = to_eight(textured(120, 140, 4))
    plate[20:140, 20:160] = cloth
    frame = plate.copy()
    frame[20:140, 20:160] = to_eight(textured(120, 140, 5))
    frame[150:270, 220:360] = cloth
    result = found(plate, frame)
    assert result.trusted
    assert result.kind == "none"


def test_warping_keeps_pixel_centres() -> None:
    """Twice as large about the corner: the first pixel's centre (0.5, 0.5) goes to (1, 1)."""
    picture = np.arange(16, dtype=np.float32).reshape(4, 4)
    moved = warp(picture, np.diag([2.0, 2.0, 1.0]))
    expected = cv2.resize(picture, (8, 8), interpolation=cv2.INTER_LINEAR)[:4, :4]
    np.testing.assert_allclose(moved, expected, atol=1e-4)


def test_what_the_plate_does_not_cover() -> None:
    shift = np.eye(3)
    shift[:2, 2] = 3, -2
    inside = covered((10, 12), shift)
    expected = np.zeros((10, 12), bool)
    expected[:8, 3:] = True
    np.testing.assert_array_equal(inside, expected)


def test_changed_area_is_the_subject() -> None:
    plate = to_eight(textured(300, 400, 8))
    _, alpha = bright_subject(300, 400)
    frame = over_eight(plate)
    grey = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (plate, frame)]
    changed = changed_area(grey[0], grey[1], np.eye(3))
    near = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((25, 25))) > 0
    assert changed[alpha > 0.5].mean() > 0.95
    assert not changed[~near].any()


def test_the_report_is_plain() -> None:
    import json

    report = Registration().as_report()
    assert json.loads(json.dumps(report)) == report
    assert report["residual_px"] is None
