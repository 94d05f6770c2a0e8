"""A plate made ready for many frames."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cleanplate.arrays import Coded, Picture, Plane
from cleanplate.depth import Normalisation
from cleanplate.errors import CleanplateError
from cleanplate.pictures import resize, to_float
from cleanplate.predict import placement
from cleanplate.predict.exposure import Exposure, match_exposure
from cleanplate.predict.glance import glance
from cleanplate.predict.health import FEATURES, examine, sketch
from cleanplate.predict.inputs import PictureSource, as_picture
from cleanplate.predict.landmarks import Landmarks
from cleanplate.predict.registration import (
    REGISTRATION_SIZE,
    Registration,
    covered,
    register,
    scaled,
    warp,
)
from cleanplate.predict.result import Result
from cleanplate.predict.session import Compared, PairSession, PlateFeatures
from cleanplate.predict.size import SAME_ASPECT, WORKING_SIZE, Size, check_fit, working_size
from cleanplate.predict.stages import Stages
from cleanplate.predict.subjects import LOOK
from cleanplate.predict.upsample import upsample_alpha
from cleanplate.predict.view import REACH, PlateView

KEPT_EXPOSURES = 4
"""For so many different exposures the plate's features are kept."""


@dataclass(frozen=True)
class Settings:
    """How a predictor works; see `Predictor`."""

    working_size: int = WORKING_SIZE
    align: bool = False
    fit: bool = False
    force: bool = False
    max_pixels: int | None = None
    depth_holes: placement.Holes = "fill"
    focal: float | None = None


class Scene:
    """One plate, with everything that depends on it alone computed once.

    Made by `Predictor.scene`; give it frames with `predict`. Plate features are kept for each
    exposure that frames bring (a steady camera brings one), so they are computed anew only where
    `align` really moves the plate.
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
        self.settings = settings
        self.normalisation: Normalisation | None = None
        self.seconds = Stages() if seconds is None else seconds
        self._session = session
        self._depth_map = disparity
        self._disparity: Plane | None = None
        self._features: OrderedDict[Exposure | None, PlateFeatures] = OrderedDict()
        self._glanced: Plane | None = None
        self._other_size: Scene | None = None
        if disparity is not None:
            _same_shape(disparity, plate)
            self.normalisation = Normalisation.of(disparity)
        self.depth_report = None if disparity is None else placement.depth_report(disparity)
        with self.seconds.stage("plate sketch"):
            self._sketch = sketch(plate)
            self._landmarks = Landmarks.of(self._sketch, FEATURES)
            self._fine_landmarks = _fine_landmarks(plate) if settings.align else None

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
        if self._disparity is None and self._depth_map is not None:
            self._disparity = placement.at_size(self._depth_map, self.size)
        return self._disparity

    def predict(self, frame: PictureSource) -> Result:
        """Compare one frame with the plate.

        Args:
            frame: a path, or (H, W, 3) RGB: uint8, uint16, or float in [0, 1].

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
            frame_sketch = sketch(frame)
            health = examine(self._sketch, frame_sketch, self.size, self._landmarks)
            if not self.settings.force:
                health.demand()
        with seconds.stage("register"):
            alignment = self._align(frame)
        with seconds.stage("exposure"):
            view = self._view(frame_sketch, alignment)
        working = self.working_size
        with seconds.stage("size"):
            small_frame = to_float(resize(frame, working))
        with seconds.stage("plate network"):
            features, hidden = self._encode(view, small_frame)
        with seconds.stage("network"):
            compared = self._session.compare(small_frame, features)
        with seconds.stage("upsample"):
            alpha = compared.alpha
            if hidden is not None:
                alpha = placement.carry_over_edge(alpha, ~hidden, REACH)
            full_alpha = upsample_alpha(alpha, small_frame, frame)
        with seconds.stage("subject depth"):
            small_subject, subjects = self._place(view, alpha, compared, features)
        report: dict[str, Any] = {
            "model": {"name": self._session.model.name, "sha256": self._session.model.hash},
            "providers": self._session.providers,
            "threads": self._session.threads,
            "size": _plain(self.size),
            "working_size": _plain(working),
            "health": replace(
                health, aligned=alignment is not None and alignment.trusted
            ).as_report(),
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

    def _align(self, frame: Coded | Picture) -> Registration | None:
        if self._fine_landmarks is None:
            return None
        return register(self._fine_landmarks, _fine_landmarks(frame), self.size)

    def _view(
        self, frame_sketch: npt.NDArray[np.uint8], alignment: Registration | None
    ) -> PlateView:
        """Find how this frame's camera would have seen the plate."""
        matrix = None
        if alignment is not None and alignment.trusted and alignment.kind != "none":
            matrix = alignment.matrix
        plate, usable = self._sketch, None
        if matrix is not None:
            coarse = scaled(matrix, plate.shape[1] / self.size[1])
            usable = covered((plate.shape[0], plate.shape[1]), coarse)
            plate = np.asarray(warp(plate, coarse), np.uint8)
        return PlateView(self.plate, matrix, match_exposure(plate, frame_sketch, usable))

    def _encode(
        self, view: PlateView, small_frame: Picture
    ) -> tuple[PlateFeatures, npt.NDArray[np.bool_] | None]:
        """Give the plate's features for this view, and what of the frame it does not cover."""
        if view.matrix is None and view.exposure in self._features:
            self._features.move_to_end(view.exposure)
            return self._features[view.exposure], None
        working = self.working_size
        plate, covers = view.small(working)
        hidden = None if covers is None or covers.all() else ~covers
        if hidden is not None:
            # Nothing is known there: the network shall see no difference; see `carry_over_edge`.
            plate = np.where(hidden[..., None], small_frame, plate)
        if self.normalisation is None:
            disparity = self._glanced
            if disparity is None or view.matrix is not None:
                disparity = glance(self._session, plate)
            if view.matrix is None:
                self._glanced = disparity
            valid = np.ones(disparity.shape, np.bool_)
        else:
            given = self._depth_map if view.matrix is None else None
            if given is None:
                assert self.disparity is not None
                given = view.moved_disparity(self.disparity)
            disparity, valid = placement.for_network(given, self.normalisation, working)
        features = self._session.encode_plate(plate, disparity, valid)
        if view.matrix is None:
            self._features[view.exposure] = features
            while len(self._features) > KEPT_EXPOSURES:
                self._features.popitem(last=False)
        return features, hidden

    def _place(
        self, view: PlateView, alpha: Plane, compared: Compared, features: PlateFeatures
    ) -> tuple[Plane, list[dict[str, Any]]]:
        """Give the subjects' relative disparity, (h, w) everywhere, and what to report of each."""
        if self._session.subject_depth is None:
            return placement.subject_everywhere(compared.subject_disparity, alpha), []
        look = working_size(self.size, LOOK)
        if self.normalisation is None or self._depth_map is None:
            disparity = resize(features.disparity, look)
        else:
            disparity = placement.at_size(self._depth_map, look)
            if view.matrix is not None:
                matrix = scaled(view.matrix, look[1] / self.size[1])
                disparity = np.where(
                    covered(look, matrix), warp(disparity, matrix, nearest=True), np.float32(np.nan)
                )
        if not np.isfinite(disparity).any():
            return placement.subject_everywhere(compared.subject_disparity, alpha), []
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
        if self._other_size is None or self._other_size.size != size:
            plate = resize(self.plate, size)
            settings = self.settings
            if settings.focal is not None:
                settings = replace(settings, focal=settings.focal * size[1] / self.size[1])
            self._other_size = Scene(self._session, settings, plate, self._depth_map)
        return self._other_size


def _fine_landmarks(picture: Coded | Picture) -> Landmarks:
    return Landmarks.of(sketch(picture, REGISTRATION_SIZE))


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
