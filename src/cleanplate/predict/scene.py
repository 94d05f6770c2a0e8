"""A plate made ready for many frames."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.arrays import Coded, Mask, Picture, Plane
from cleanplate.depth import Normalisation
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import resize, to_float
from cleanplate.predict.alignment.aligned_plate import REACH, PlateView
from cleanplate.predict.alignment.exposure import Exposure
from cleanplate.predict.alignment.health import Health
from cleanplate.predict.alignment.health_measurement import examine, moved_plate
from cleanplate.predict.alignment.keypoints import Landmarks
from cleanplate.predict.alignment.registration import (
    REGISTRATION_SIZE,
    Align,
    Matrix,
    Registration,
    covered,
    register,
    scaled,
    warp,
)
from cleanplate.predict.alignment.thumbnail import Eight, PlateThumbnail, blockiness, thumbnail
from cleanplate.predict.geometry import disparity_fusion
from cleanplate.predict.geometry.subject_regions import LOOK
from cleanplate.predict.inputs import PictureSource, as_picture
from cleanplate.predict.plate_disparity import glance
from cleanplate.predict.result import Result
from cleanplate.predict.session import Compared, PairSession, PlateFeatures
from cleanplate.predict.size import SAME_ASPECT, WORKING_SIZE, Size, check_fit, working_size
from cleanplate.predict.stage_timer import Stages
from cleanplate.predict.upsample import upsample_alpha

KEPT_EXPOSURES = 4
"""For so many different exposures the plate's features are kept."""


@dataclass(frozen=True)
class Settings:
    """How a predictor works; see `Predictor`."""

    working_size: int = WORKING_SIZE
    align: Align = "auto"
    fit: bool = False
    force: bool = False
    max_pixels: int | None = None
    depth_holes: disparity_fusion.Holes = "fill"
    focal: float | None = None


class Scene:
    """One plate, with everything that depends on it alone computed once.

    Made by `Predictor.scene`; give it frames with `predict`. Plate features are kept for each
    exposure that frames bring (a steady camera brings one), so they are computed anew only where
    registration really moves the plate. Everything kept depends on the plate and an exposure
    alone: a frame's result is the same whatever frames came before it.

    Threads may share a scene: a lock guards what is kept. A scene can be pickled: the plate, its
    depth and the settings go along, and the model is opened again from its folder.
    """

    def __init__(
        self,
        session: PairSession,
        settings: Settings,
        plate: Coded | Picture,
        disparity: Plane | None = None,
        *,
        seconds: Stages | None = None,
    ):
        self.plate = plate
        # A result hands out this very array where nothing was changed.
        self.plate.flags.writeable = False
        self.settings = settings
        self.normalisation: Normalisation | None = None
        self.seconds = Stages() if seconds is None else seconds
        self._session = session
        self._depth_map = disparity
        self._lock = threading.RLock()
        self._disparity: Plane | None = None
        self._features: OrderedDict[Exposure, PlateFeatures] = OrderedDict()
        self._estimated: Plane | None = None
        self._fine: Landmarks | None = None
        self._other_size: Scene | None = None
        if disparity is not None:
            _same_shape(disparity, plate)
            self.normalisation = Normalisation.of(disparity)
        self.depth_report = None if disparity is None else disparity_fusion.depth_report(disparity)
        with self.seconds.stage("plate thumbnail"):
            self._thumbnail = PlateThumbnail.of(plate)

    def __reduce__(self) -> tuple[Callable[..., Scene], tuple[Any, ...]]:
        return Scene, (self._session, self.settings, self.plate, self._depth_map)

    @property
    def size(self) -> Size:
        """(height, width) of the plate."""
        return self.plate.shape[0], self.plate.shape[1]

    @property
    def working_size(self) -> Size:
        """(height, width) at which the network sees plate and frames."""
        return working_size(self.size, self.settings.working_size)

    @property
    def metric(self) -> bool:
        """Whether the plate's depth was given, so that results are in metres."""
        return self._depth_map is not None

    @property
    def disparity(self) -> Plane | None:
        """(H, W) the given disparity of the plate in 1/m, nan where unknown; None if not given."""
        with self._lock:
            if self._disparity is None and self._depth_map is not None:
                self._disparity = disparity_fusion.at_size(self._depth_map, self.size)
            return self._disparity

    def predict(self, frame: PictureSource) -> Result:
        """Compare one frame with the plate.

        Args:
            frame: a path, or (H, W, 3) RGB: uint8, uint16, or float in [0, 1]. An array is
                copied, so its buffer may be filled again.

        Raises:
            CleanplateError: the frame cannot be read, its size differs (see `fit`), or the plate
                is plainly not this frame's (see `force`).
        """
        seconds = Stages()
        with seconds.stage("read"):
            picture = as_picture(frame, "frame", self.settings.max_pixels)
        size: Size = (picture.shape[0], picture.shape[1])
        fitted = check_fit(self.size, size, self.settings.fit)
        scene = self._at(size) if fitted else self
        result = scene._predict(picture, seconds)
        result.name = Path(frame).stem if isinstance(frame, (str, Path)) else "frame"
        result.report["plate_resampled"] = fitted
        return result

    def _predict(self, frame: Coded | Picture, seconds: Stages) -> Result:
        with seconds.stage("health"):
            small = thumbnail(frame)
            health = examine(self._thumbnail, small, self.size, blockiness(frame))
            if not self.settings.force:
                health.raise_if_unusable()
        with seconds.stage("register"):
            health, alignment = self._align(frame, small, health)
        moves = alignment is not None and alignment.trusted and alignment.kind != "none"
        matrix = alignment.matrix if alignment is not None and moves else None
        view = PlateView(self.plate, matrix, health.exposure)
        working = self.working_size
        with seconds.stage("size"):
            at_hand = frame.dtype == np.uint8 and small.shape[:2] == working
            small_frame = to_float(small if at_hand else resize(frame, working))
        with seconds.stage("plate network"):
            features, hidden = self._encode(view, small_frame)
        with seconds.stage("network"):
            compared = self._session.compare(small_frame, features)
        with seconds.stage("upsample"):
            alpha = compared.alpha
            if hidden is not None:
                alpha = disparity_fusion.carry_over_edge(alpha, ~hidden, REACH)
            full_alpha = upsample_alpha(alpha, small_frame, frame)
        health = health.with_matte(alpha)
        with seconds.stage("subject depth"):
            small_subject, subjects = self._place(view, alpha, compared, features)
        report: dict[str, Any] = {
            "model": {"name": self._session.model.name, "sha256": self._session.model.hash},
            "providers": self._session.providers,
            "threads": self._session.threads,
            "size": _plain(self.size),
            "working_size": _plain(working),
            "health": health.as_report(),
            "align": self.settings.align,
            "alignment": alignment.as_report() if alignment else None,
            "exposure": view.exposure.as_report(),
            "not_covered": 0.0 if hidden is None else round(float(hidden.mean()), 4),
            "alpha_mean": round(float(full_alpha.mean(dtype=np.float64)), 6),
            "subjects": subjects,
            "metric": self.metric,
            "plate_depth": None,
            "units": {
                "depth": "m along the optical axis" if self.metric else None,
                "disparity": "1/m" if self.metric else "relative, larger is nearer",
            },
            "seconds": seconds,
        }
        result = Result(
            frame=frame,
            view=view,
            alpha=full_alpha,
            small_subject=small_subject,
            small_plate=features.disparity,
            small_shadow=compared.shadow,
            small_alpha=alpha,
            given=self.disparity,
            normalisation=self.normalisation,
            holes=self.settings.depth_holes,
            report=report,
            seconds=seconds,
        )
        if self.depth_report is not None:
            share = float(result.depth_measured.mean(dtype=np.float64))
            about = {"holes": self.settings.depth_holes, "measured": round(share, 4)}
            report["plate_depth"] = {**deepcopy(self.depth_report), **about}
        return result

    def _align(
        self, frame: Coded | Picture, small: Eight, health: Health
    ) -> tuple[Health, Registration | None]:
        """Register the plate to the frame where that is wanted, and measure health again."""
        wanted = health.moved if self.settings.align == "auto" else self.settings.align == "on"
        if not wanted:
            return health, None
        with self._lock:
            if self._fine is None:
                self._fine = _fine_landmarks(self.plate)
        found = register(self._fine, _fine_landmarks(frame), self.size)
        if found.trusted and found.kind != "none":
            health = moved_plate(health, self._thumbnail, small, found.matrix)
        return replace(health, aligned=found.trusted), found

    def _encode(self, view: PlateView, small_frame: Picture) -> tuple[PlateFeatures, Mask | None]:
        """Give the plate's features for this view, and what of the frame it does not cover."""
        if view.matrix is not None:
            return self._encode_moved(view, view.matrix, small_frame)
        with self._lock:
            features = self._features.get(view.exposure)
            if features is None:
                plate, _ = view.small(self.working_size)
                disparity, valid = self._small_disparity()
                features = self._session.encode_plate(plate, disparity, valid)
                self._features[view.exposure] = features
                while len(self._features) > KEPT_EXPOSURES:
                    self._features.popitem(last=False)
            self._features.move_to_end(view.exposure)
        return features, None

    def _encode_moved(
        self, view: PlateView, matrix: Matrix, small_frame: Picture
    ) -> tuple[PlateFeatures, Mask | None]:
        """Do the same for a plate that was moved; nothing of it is kept."""
        working = self.working_size
        plate, covers = view.small(working)
        hidden = None if covers is None or covers.all() else ~covers
        if hidden is not None:
            # Nothing is known there: the network shall see no difference; see `carry_over_edge`.
            plate = np.where(hidden[..., None], small_frame, plate)
        if self.normalisation is None:
            disparity, valid = self._small_disparity()
            coarse = scaled(matrix, working[1] / self.size[1])
            disparity = np.asarray(warp(disparity, coarse), np.float32)
        else:
            assert self.disparity is not None
            given = view.moved_disparity(self.disparity)
            disparity, valid = disparity_fusion.for_network(given, self.normalisation, working)
        return self._session.encode_plate(plate, disparity, valid), hidden

    def _small_disparity(self) -> tuple[Plane, Mask]:
        """Relative disparity of the plate at working size, and where it is known.

        Without a given depth it is estimated once, from the plate in its own light.
        """
        if self.normalisation is not None and self._depth_map is not None:
            return disparity_fusion.for_network(
                self._depth_map, self.normalisation, self.working_size
            )
        with self._lock:
            if self._estimated is None:
                own = to_float(resize(self.plate, self.working_size))
                self._estimated = glance(self._session, own)
            return self._estimated, np.ones(self._estimated.shape, np.bool_)

    def _place(
        self, view: PlateView, alpha: Plane, compared: Compared, features: PlateFeatures
    ) -> tuple[Plane, list[dict[str, Any]]]:
        """Give the subjects' relative disparity, (h, w) everywhere, and what to report of each."""
        if self._session.subject_depth is None:
            return disparity_fusion.subject_everywhere(compared.subject_disparity, alpha), []
        look = working_size(self.size, LOOK)
        if self.normalisation is None or self._depth_map is None:
            disparity = resize(features.disparity, look)
        else:
            disparity = disparity_fusion.at_size(self._depth_map, look)
            if view.matrix is not None:
                matrix = scaled(view.matrix, look[1] / self.size[1])
                disparity = np.where(
                    covered(look, matrix), warp(disparity, matrix, nearest=True), np.float32(np.nan)
                )
        if not np.isfinite(disparity).any():
            return disparity_fusion.subject_everywhere(compared.subject_disparity, alpha), []
        focal = self.settings.focal
        placed = self._session.subject_depth.place(
            resize(alpha, look),
            np.asarray(disparity, np.float32),
            metric=self.metric,
            focal=None if focal is None else focal * look[1] / self.size[1],
        )
        relative = placed.disparity
        if self.normalisation is not None:
            relative = self.normalisation.apply(relative)
        report = [one.as_report(self.size, metric=self.metric) for one in placed.subjects]
        return relative, report

    def _at(self, size: Size) -> Scene:
        """Give the scene with its plate resampled to another size; the last one is kept."""
        with self._lock:
            if self._other_size is None or self._other_size.size != size:
                plate = resize(self.plate, size)
                settings = self.settings
                if settings.focal is not None:
                    settings = replace(settings, focal=settings.focal * size[1] / self.size[1])
                self._other_size = Scene(self._session, settings, plate, self._depth_map)
            return self._other_size


def _fine_landmarks(picture: Coded | Picture) -> Landmarks:
    return Landmarks.of(thumbnail(picture, REGISTRATION_SIZE))


def _same_shape(disparity: Plane, plate: Coded | Picture) -> None:
    ratio = (disparity.shape[1] * plate.shape[0]) / (disparity.shape[0] * plate.shape[1])
    if max(ratio, 1 / ratio) > 1 + SAME_ASPECT:
        raise CleanplateError(
            f"the plate's depth is {disparity.shape[1]} x {disparity.shape[0]} and the plate "
            f"{plate.shape[1]} x {plate.shape[0]}: the shapes differ",
            cure="give depth of the plate's own view; only its resolution may differ",
        )


def _plain(size: Size) -> dict[str, int]:
    return {"width": size[1], "height": size[0]}
