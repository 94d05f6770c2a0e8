"""The composite of a live frame: what stands behind the subject, and an object among it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from cleanplate.arrays import Bytes, Mask, Plane
from cleanplate.bilinear import enlarge, interpolated
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import as_uint8, resize
from cleanplate.light import coded_from_linear, linear_from_uint8
from cleanplate.live import depth_blur
from cleanplate.live.scene_object import SceneObject, nearer_than
from cleanplate.matte.background_replacement import replace_background
from cleanplate.predict.geometry.disparity_fusion import at_size, shadow_behind
from cleanplate.predict.geometry.subject_regions import FARTHEST, connected
from cleanplate.predict.result import Result
from cleanplate.predict.scene import Scene
from cleanplate.video.backgrounds import Background
from cleanplate.video.clip import ClipFrame
from cleanplate.video.subject_tracking import Labels, SubjectTracker
from cleanplate.video.tracked_depth import FollowedSubjects, followed_subjects

CROSSING = 0.03
"""A subject passes an object when it is this share of the distance nearer or farther."""

_SOME = np.float32(0.5 / 255)


class Behind(Protocol):
    """What is seen where no subject is.

    outputs: of `Scene.predict`, which it needs.
    """

    outputs: frozenset[str]

    def behind(self, frame: ClipFrame, result: Result) -> Bytes:
        """Give (H, W, 3) uint8, also behind the subject."""

    def without_plate(self, frame: ClipFrame) -> Bytes:
        """Give what is shown of a frame that does not show the plate's scene."""


class ReplacedScene:
    """Another background: a colour, a picture, a clip."""

    outputs: frozenset[str] = frozenset()

    def __init__(self, background: Background):
        self._background = background

    def behind(self, frame: ClipFrame, result: Result) -> Bytes:
        """Give the background at the frame's time."""
        return self._background.behind(frame)

    def without_plate(self, frame: ClipFrame) -> Bytes:
        """Give the background alone."""
        return self._background.behind(frame)


class SeenScene:
    """The scene itself: the frame, and the plate where the subject hides it."""

    outputs: frozenset[str] = frozenset()

    def behind(self, frame: ClipFrame, result: Result) -> Bytes:
        """Give the frame without its subject."""
        return scene_of(frame, result)

    def without_plate(self, frame: ClipFrame) -> Bytes:
        """Give the frame."""
        return as_uint8(frame.rgb)


class BlurredScene:
    """The scene blurred by depth, sharp at the distance of the largest subject.

    Args:
        largest: standard deviation of the blur of the farthest point, in pixels of the frame.
    """

    outputs: frozenset[str] = frozenset(("subjects",))

    def __init__(self, largest: float):
        self._largest = largest
        self._focus = depth_blur.Focus()

    def behind(self, frame: ClipFrame, result: Result) -> Bytes:
        """Give the blurred frame without its subject."""
        depth = result.sources.depth
        assert depth is not None
        disparity = scene_disparity(result)
        focus = self._focus.at(depth.subject, result.sources.matte.small)
        if focus is None:  # nobody was there yet: as if somebody stood nearest
            focus = float(np.nanmax(disparity))
        share = depth_blur.blur_map(disparity, focus, depth_blur.span_of(disparity, focus))
        return depth_blur.blurred(scene_of(frame, result), share, self._largest)

    def without_plate(self, frame: ClipFrame) -> Bytes:
        """Give the frame blurred all over: what is subject is not known."""
        return np.asarray(cv2.GaussianBlur(as_uint8(frame.rgb), (0, 0), self._largest), np.uint8)


class LiveComposite:
    """Lays subjects over what is behind them, with objects before, among or behind them.

    outputs: of `Scene.predict`, which it needs.

    Args:
        behind: what is seen where no subject is.
        objects: laid out for the frames' size; the farthest comes first.
    """

    def __init__(self, behind: Behind, objects: Sequence[SceneObject] = ()):
        self._behind = behind
        self._objects = sorted(objects, key=lambda one: -one.distance)
        own = {"plate"} | ({"subjects"} if objects else set())
        self.outputs = behind.outputs | frozenset(own)
        self._tracker = SubjectTracker()
        self._sides = [_Sides(one.distance) for one in self._objects]
        self._hidden = not isinstance(behind, ReplacedScene)

    def composite(self, frame: ClipFrame, result: Result) -> Bytes:
        """Give (H, W, 3) uint8 of a frame."""
        behind = self._behind.behind(frame, result)
        parts = self._parts(frame, result)
        for one, seen, before in parts:
            behind = one.lay(behind, seen * before)
        shadow = shadow_behind(result.sources.shadow, result.sources.matte.small)
        made = replace_background(
            as_uint8(frame.rgb), as_uint8(result.plate), result.alpha, behind, shadow
        )
        for one, seen, before in parts:
            made = one.lay(made, seen * (1 - before))
        return made

    def without_plate(self, frame: ClipFrame) -> Bytes:
        """Give what is shown of a frame that does not show the plate's scene."""
        made = self._behind.without_plate(frame)
        for one in self._objects:
            made = one.lay(made)
        return made

    def _parts(self, frame: ClipFrame, result: Result) -> list[tuple[SceneObject, Plane, Plane]]:
        """Give each object with what is seen of it, and where a subject is before it."""
        if not self._objects:
            return []
        found = followed_subjects(result, self._tracker, frame.index, frame.time)
        found = found or _subjects_by_network(result)
        given = result.sources.depth.given if result.sources.depth is not None else None
        size = (result.alpha.shape[0], result.alpha.shape[1])
        parts = []
        for one, sides in zip(self._objects, self._sides, strict=True):
            seen = np.ones(one.alpha.shape, np.float32)
            if self._hidden and given is not None:
                scene = result.sources.plate.moved_disparity(given)[one.inside]
                seen = nearer_than(one.distance, scene)
            before = np.ones(one.alpha.shape, np.float32)
            if found is not None:
                near = sides.of(found.distances, found.own)[found.nearest]
                before = enlarge(near.astype(np.float32), size)[one.inside]
                before = (before > 0.5).astype(np.float32)
            parts.append((one, seen, before))
        return parts


class _Sides:
    """On which side of an object each subject is; near its distance it stays where it was."""

    def __init__(self, distance: float):
        self._distance = distance
        self._before: Mask | None = None
        self._owned: Mask | None = None

    def of(self, distances: Sequence[float], own: Labels) -> Mask:
        """Give for each subject whether it is before the object.

        Args:
            distances: metres, by number.
            own: (h, w) number of the subject at each of its pixels, -1 elsewhere.
        """
        found = np.zeros(len(distances), np.bool_)
        now = np.zeros(own.shape, np.bool_)
        for number, distance in enumerate(distances):
            region = own == number
            limit = self._distance
            if self._before is not None and self._owned is not None:
                same = region & self._owned
                if same.any():
                    stays = self._before[same].mean() > 0.5
                    limit *= 1 + CROSSING if stays else 1 - CROSSING
            found[number] = distance < limit
            now |= region & found[number]
        self._before, self._owned = now, own >= 0
        return found


def _subjects_by_network(result: Result) -> FollowedSubjects | None:
    """Give subjects at the network's disparity, for models whose report lists none."""
    depth = result.sources.depth
    assert depth is not None
    assert depth.normalisation is not None
    size = (depth.subject.shape[0], depth.subject.shape[1])
    alpha = resize(result.sources.matte.small, size)
    subjects, nearest = connected(alpha)
    if not subjects:
        return None
    own = np.where(alpha >= 0.5, nearest, np.int32(-1))
    metric = depth.normalisation.invert(depth.subject)
    disparities = [float(np.median(metric[own == number])) for number in range(len(subjects))]
    return FollowedSubjects([1 / max(one, FARTHEST) for one in disparities], own, nearest)


def scene_of(frame: ClipFrame, result: Result) -> Bytes:
    """Give the frame without its subject: the plate, in the subject's shadow, where that is.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    found = as_uint8(frame.rgb).copy()
    hidden = np.flatnonzero(result.alpha > _SOME)
    if hidden.size:
        size = (result.alpha.shape[0], result.alpha.shape[1])
        shadow = shadow_behind(result.sources.shadow, result.sources.matte.small)
        plate = np.take(as_uint8(result.plate).reshape(-1, 3), hidden, axis=0)
        light = linear_from_uint8(plate) * interpolated(shadow[..., None], size, hidden)
        found.reshape(-1, 3)[hidden] = coded_from_linear(light)
    return found


def scene_disparity(result: Result) -> Plane:
    """Give the scene's relative disparity (h, w) without its subject: as given, else estimated."""
    depth = result.sources.depth
    assert depth is not None
    if depth.given is None or depth.normalisation is None:
        return depth.plate
    size = (depth.plate.shape[0], depth.plate.shape[1])
    given = at_size(result.sources.plate.moved_disparity(depth.given), size)
    relative = depth.normalisation.apply(given)
    return np.where(np.isfinite(given), relative, depth.plate)


def composite_of(
    scene: Scene,
    *,
    background: Background | None = None,
    blur: float = 0.0,
    objects: Sequence[SceneObject] = (),
) -> LiveComposite:
    """Make a composite of what is asked for.

    Args:
        scene: the plate made ready.
        background: shown behind the subject; None = the scene itself.
        blur: standard deviation of the blur by depth, in pixels; 0 = none.
        objects: that stand in the scene; need the plate's depth.

    Raises:
        CleanplateError: both a background and blur; or depth is needed and not there.
    """
    if background is not None and blur:
        raise CleanplateError(
            "a background and blur by depth do not go together", cure="Choose one of them."
        )
    if objects and not scene.metric:
        raise CleanplateError(
            "an object at a distance needs the plate's depth", cure="Give --plate-depth FILE."
        )
    if (blur or objects) and "subjects" not in scene.outputs:
        raise CleanplateError(
            "this model does not tell the depth of scene or subject",
            cure="Give --plate-depth FILE, or take another --model.",
        )
    if background is not None:
        return LiveComposite(ReplacedScene(background), objects)
    return LiveComposite(BlurredScene(blur) if blur else SeenScene(), objects)
