"""Blur by depth, objects in the scene, and the composite: known answers."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.live import composite_of, object_of
from cleanplate.live.depth_blur import Focus, blur_map, blurred, span_of
from cleanplate.live.live_composite import _Sides
from cleanplate.live.scene_object import SceneObject, nearer_than
from cleanplate.matte import over
from cleanplate.predict.predictor import Predictor
from cleanplate.video.backgrounds import StillBackground
from cleanplate.video.clip import ClipFrame
from cleanplate.video.frame_loop import FrameLoop
from tests.predict.tiny_model import write_model
from tests.video import locked_camera
from tests.video.locked_camera import HEIGHT, WIDTH, plate_picture


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return Predictor(write_model(tmp_path_factory.mktemp("model") / "tiny"), threads=1)


def metric_scene(predictor, depth: float = 4.0):
    """Its floor rises towards the back: twice as far as `depth` at the top, half at the bottom."""
    disparity = np.linspace(0.5, 2, HEIGHT, dtype=np.float32)[:, None] / depth
    return predictor.scene(plate_picture(), np.repeat(1 / disparity, WIDTH, axis=1))


# Blur.


def test_blur_grows_with_the_difference_in_disparity():
    disparity = np.array([[1.0, 0.5, 0.25, 2.0, np.nan]], np.float32)
    # Nearest 2, farthest .25: the span with the focus at 1 is 1.75; unknown counts as farthest.
    found = blur_map(disparity, 1.0, 1.75)
    assert found[0] == pytest.approx(np.array([0, 0.5, 0.75, 1.0, 0.75]) / 1.75)


def test_the_farthest_point_has_the_largest_blur_if_the_subject_is_nearest():
    disparity = np.linspace(0, 1, 1001, dtype=np.float32)[None]
    assert span_of(disparity, 3.0) == pytest.approx(3 - 0.01, abs=1e-3)
    assert span_of(disparity, 0.5) == pytest.approx(0.98, abs=1e-3)


def test_what_lies_at_the_focus_stays_as_it_is():
    picture = plate_picture()
    share = np.zeros((HEIGHT, WIDTH), np.float32)
    assert np.array_equal(blurred(picture, share, 8.0), picture)


def test_the_largest_blur_is_a_gaussian():
    picture = plate_picture()
    share = np.ones((HEIGHT, WIDTH), np.float32)
    assert np.array_equal(blurred(picture, share, 2.0), cv2.GaussianBlur(picture, (0, 0), 2.0))
    large = blurred(picture, share, 8.0).astype(float)
    exact = cv2.GaussianBlur(picture, (0, 0), 8.0).astype(float)
    assert np.abs(large - exact).mean() < 1.5, "blurred at a smaller size"


def test_fine_contrast_falls_with_the_share():
    picture = plate_picture()
    contrast = [
        cv2.Laplacian(
            blurred(picture, np.full((8, 10), share, np.float32), 4.0).astype(np.float32),
            cv2.CV_32F,
        ).std()
        for share in (0, 0.1, 0.25, 0.4, 0.5, 0.75, 1)
    ]
    assert all(after < before for before, after in pairwise(contrast))


def test_the_focus_is_the_subject_s_and_stays_when_it_leaves():
    focus, alpha = Focus(following=0.5), np.zeros((4, 4), np.float32)
    assert focus.at(np.ones((2, 2), np.float32), alpha) is None
    alpha[:, :2] = 1
    subject = np.array([[2, 9], [2, 9]], np.float32)
    assert focus.at(subject, alpha) == 2.0
    assert focus.at(subject + 1, alpha) == 2.5
    assert focus.at(subject, 0 * alpha) == 2.5


# Objects.


def saved(path, height, width, alpha=255):
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = (200, 30, 60), alpha
    write_image(path, rgba)
    return path


def test_an_object_stands_where_it_is_put(tmp_path):
    one = object_of(saved(tmp_path / "o.png", 20, 10), 2.0, (100, 200), height=0.4, foot=(0.5, 0.9))
    assert (one.top, one.left, *one.alpha.shape) == (50, 90, 40, 20)
    made = one.lay(np.zeros((100, 200, 3), np.uint8))
    expected = np.zeros_like(made)
    expected[50:90, 90:110] = (200, 30, 60)
    assert np.array_equal(made, expected)


def test_an_object_of_the_picture_s_size_lies_as_it_is(tmp_path):
    one = object_of(saved(tmp_path / "o.png", 100, 200), 2.0, (100, 200))
    assert (one.top, one.left, one.alpha.shape) == (0, 0, (100, 200))


def test_an_object_at_the_edge_is_cut(tmp_path):
    file = saved(tmp_path / "o.png", 20, 10)
    one = object_of(file, 2.0, (100, 200), height=0.4, foot=(0.0, 1.2))
    assert (one.top, one.left, *one.alpha.shape) == (80, 0, 20, 10)
    with pytest.raises(CleanplateError, match="outside"):
        object_of(file, 2.0, (100, 200), height=0.1, foot=(3.0, 0.5))


def test_a_picture_without_transparency_is_no_object(tmp_path):
    write_image(tmp_path / "o.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(CleanplateError, match="transparency"):
        object_of(tmp_path / "o.png", 2.0, (100, 200))


def test_an_object_is_mixed_in_linear_light():
    rng = np.random.default_rng(0)
    below, colour = rng.integers(0, 256, (2, 30, 40, 3), dtype=np.uint8)
    alpha = rng.uniform(0, 1, (30, 40)).astype(np.float32)
    made = SceneObject(colour, alpha, 0, 0, 1.0).lay(below)
    exact = 255 * over(colour, alpha, below)
    assert np.abs(made - exact).max() < 1.1


def test_the_scene_hides_what_lies_behind_it():
    disparity = np.full((6, 12), 0.25, np.float32)
    disparity[:, 6:] = 1.0
    disparity[:, :2] = np.nan
    seen = nearer_than(2.0, disparity)
    assert (seen[:, :5] == 1).all()
    assert (seen[:, 7:] == 0).all()


def composite(scene, effect, alpha_index=2):
    frame, alpha = list(locked_camera.frames(5, noise=0))[alpha_index]
    (layers,) = FrameLoop(scene, ("composite",), effect=effect).layers([frame])
    return frame, alpha, layers.composite.astype(float)


def whole_object(distance: float) -> SceneObject:
    colour = np.full((HEIGHT, WIDTH, 3), (200, 30, 60), np.uint8)
    return SceneObject(colour, np.ones((HEIGHT, WIDTH), np.float32), 0, 0, distance)


def subject_distance(scene) -> float:
    frame, alpha = list(locked_camera.frames(5, noise=0))[2]
    disparity = scene.predict(frame.rgb, ("subject_disparity",)).subject_disparity
    return float(1 / np.median(disparity[alpha == 1]))


def test_the_subject_passes_in_front_of_a_farther_object_and_behind_a_nearer_one(predictor):
    scene = metric_scene(predictor)
    own = subject_distance(scene)
    assert 1 < own < 4
    red = np.array((200, 30, 60))
    frame, alpha, made = composite(scene, composite_of(scene, objects=[whole_object(1.2 * own)]))
    assert np.abs(made[alpha == 1] - frame.rgb[alpha == 1]).mean() < 3, "the subject is before it"
    far = alpha == 0
    far[HEIGHT // 3 :] = False
    assert np.abs(made[far] - red).mean() < 3, "the object is before what is far"
    frame, alpha, made = composite(scene, composite_of(scene, objects=[whole_object(0.8 * own)]))
    assert np.abs(made - red)[(alpha > 0) | far].max() < 1, "the object hides both"
    frame, alpha, made = composite(scene, composite_of(scene, objects=[whole_object(9.0)]))
    assert np.abs(made - frame.rgb)[alpha == 0].mean() < 2, "the scene hides the object"


def test_near_its_distance_a_subject_stays_on_its_side():
    own = np.zeros((4, 4), np.int32)
    sides = _Sides(2.0)
    found = [bool(sides.of([d], own)[0]) for d in (1.9, 2.03, 2.07, 1.97, 1.93, 2.03)]
    assert found == [True, True, False, False, True, True]


def test_an_object_needs_the_plate_s_depth(predictor):
    with pytest.raises(CleanplateError, match="plate's depth"):
        composite_of(predictor.scene(plate_picture()), objects=[whole_object(1.0)])


# Composites.


def test_a_background_replaces_the_scene(predictor):
    scene = predictor.scene(plate_picture())
    background = StillBackground("#204060", (HEIGHT, WIDTH))
    frame, alpha, made = composite(scene, composite_of(scene, background=background))
    assert np.abs(made[alpha == 0] - (0x20, 0x40, 0x60)).mean() < 1
    assert np.abs(made[alpha == 1] - frame.rgb[alpha == 1]).mean() < 3
    assert composite_of(scene, background=background).outputs == {"plate"}


def test_without_anything_asked_for_the_composite_is_the_frame(predictor):
    scene = predictor.scene(plate_picture())
    frame, _, made = composite(scene, composite_of(scene))
    assert np.abs(made - frame.rgb).mean() < 1


def test_blur_by_depth_keeps_the_subject_sharp_and_its_colour_out_of_the_scene(predictor):
    scene = metric_scene(predictor)
    frame, alpha, made = composite(scene, composite_of(scene, blur=6.0))
    assert np.abs(made[alpha == 1] - frame.rgb[alpha == 1]).mean() < 3
    truth = cv2.GaussianBlur(plate_picture(), (0, 0), 6.0).astype(float)
    near = (alpha == 0) & (cv2.dilate(alpha, np.ones((13, 13))) > 0)
    assert np.abs(made - truth)[near].mean() < 6
    through = cv2.GaussianBlur(frame.rgb, (0, 0), 6.0).astype(float)
    assert np.abs(through - truth)[near].mean() > 15, "the yellow disc would show"


def test_blur_and_a_background_do_not_go_together(predictor):
    scene = predictor.scene(plate_picture())
    with pytest.raises(CleanplateError, match="do not go together"):
        composite_of(scene, background=StillBackground("red", (HEIGHT, WIDTH)), blur=3.0)


def test_a_frame_without_its_plate_shows_nobody_sharp(predictor):
    scene = metric_scene(predictor)
    rng = np.random.default_rng(3)
    other = ClipFrame(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8), 0, Fraction(0))
    background = StillBackground("#204060", (HEIGHT, WIDTH))
    for effect, most in (
        (composite_of(scene, background=background), 0.1),
        (composite_of(scene, blur=5.0), 20),
    ):
        loop = FrameLoop(scene, ("composite",), effect=effect)
        (layers,) = loop.layers([other])
        assert loop.last is None
        assert layers.composite.std((0, 1)).max() < most
