"""`Predictor`: a model, and the settings of prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cleanplate.arrays import Coded, Picture
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import resize, to_float
from cleanplate.models import Model, find_model
from cleanplate.predict.alignment.registration import align_mode
from cleanplate.predict.frame_outputs import no_plate_disparity
from cleanplate.predict.geometry.disparity_fusion import HOLES, Holes
from cleanplate.predict.geometry.focal_length import check_focal, focal_of_file
from cleanplate.predict.geometry.plate_depth import PlateDisparity
from cleanplate.predict.inputs import DepthSource, PictureSource, as_disparity, as_picture
from cleanplate.predict.modelled_depth import (
    DepthModel,
    KnownDistance,
    at_known_distances,
    depth_estimator,
    modelled_disparity,
)
from cleanplate.predict.plate_disparity import estimate_disparity
from cleanplate.predict.prediction_settings import PredictionSettings
from cleanplate.predict.scene import Scene
from cleanplate.predict.session import PairSession
from cleanplate.predict.size import Size, check_working_size, default_long_side, working_size


class Predictor:
    """Predicts matte, foreground, shadow and depth of frames, given their clean plate.

        predictor = Predictor()
        scene = predictor.scene("plate.jpg")
        result = scene.predict("frame.jpg")

    Args:
        model: a shipped model's name or the folder of an exported one; None = the default.
        threads: CPU threads of the network; None = as many as may be used, at most four.
        working_size: long side in pixels of what the network takes; smaller pictures are enlarged
            to it, by a third at most. None = 640 for pictures up to that, else the model's own,
            else 512.
        align: register the plate to the frame: "auto", where plate health measures that the camera
            moved; "on" (or True), for every frame; "off" (or False), never. A registration that
            cannot be trusted is not used.
        fit: resample the plate where its size differs from the frame's; shapes must agree.
        providers: ONNX Runtime's execution providers, in order; None = the CPU.
        force: go on even if the plate is plainly not the frame's.
        max_pixels: refuse plates and frames with more pixels before they are decoded; None = as
            `read_image`.
        depth_holes: what becomes of pixels that a given plate depth does not know: "fill" them
            with the network's estimate, or "keep" them unknown (nan). `Result.depth_measured`
            is True where depth was measured.
        focal: focal length in pixels of the plate, for the subject's distance; None = from
            the plate file's EXIF, else 60 degrees along the long side. `scene` may set another.
        depth_model: estimates the depth of plates whose depth is not given, in place of the model's
            own graph for that: an ONNX file, a function from (H, W, 3) uint8 to (H, W), or a
            `cleanplate.depth.depth_estimators.DepthEstimator`. See docs/depth.md.
        depth_convention: what its numbers mean, "metric", "disparity" or "relative-depth"; None =
            as the file's metadata say.
        known_distances: (x, y, metres) in the plate, which make estimated depth metric. `scene`
            may set others.
        fixed_size: load the network again for the working size when its first frame comes: takes
            about .1 s, and each frame then takes less. For clips and cameras.

    Raises:
        CleanplateError: no such model, provider, working size, way to align or way with holes.
    """

    def __init__(
        self,
        model: str | Path | Model | None = None,
        *,
        threads: int | None = None,
        working_size: int | None = None,
        align: bool | str = "auto",
        fit: bool = False,
        providers: Sequence[str] | None = None,
        force: bool = False,
        max_pixels: int | None = None,
        depth_holes: Holes = "fill",
        focal: float | None = None,
        depth_model: DepthModel | None = None,
        depth_convention: str | None = None,
        known_distances: Sequence[KnownDistance] = (),
        fixed_size: bool = False,
    ):
        self.model = model if isinstance(model, Model) else find_model(model)
        for side in (working_size, self.model.working_size):
            if side is not None:
                check_working_size(side)
        if depth_holes not in HOLES:
            raise CleanplateError(
                f"depth_holes is {depth_holes!r}", cure=f"choose one of: {', '.join(HOLES)}"
            )
        check_focal(focal)
        self.settings = PredictionSettings(
            working_size, align_mode(align), fit, force, max_pixels, depth_holes, focal
        )
        self._depth_model = None
        if depth_model is not None:
            self._depth_model = depth_estimator(depth_model, depth_convention)
        elif depth_convention is not None:
            raise CleanplateError(
                "a depth convention says what a depth model means, and none is given",
                cure="depth_model=..., on the command line --depth-model",
            )
        self._known_distances = _distances(known_distances)
        self._session = PairSession(self.model, threads, providers, fixed_size=fixed_size)

    def scene(
        self,
        plate: PictureSource,
        depth: DepthSource | None = None,
        *,
        focal: float | None = None,
        known_distances: Sequence[KnownDistance] | None = None,
    ) -> Scene:
        """Prepare a plate for many frames.

        Args:
            plate: a path, or (H, W, 3) RGB: uint8, uint16, or float in [0, 1].
            depth: of the plate, along the optical axis: a path, or (H, W) floats in metres
                (nan = unknown, +inf = nothing hit) or integers in millimetres (0 = unknown); its
                resolution may differ. Makes results metric. See docs/depth.md.
            focal: focal length in pixels of this plate; None = the predictor's.
            known_distances: (x, y, metres) in this plate, for depth that is not given; None = the
                predictor's.

        Raises:
            CleanplateError: a file cannot be read, the depth does not fit the plate, no lens has
                this focal length, or known distances contradict the estimate.
        """
        check_focal(focal)
        picture = as_picture(plate, "plate", max_pixels=self.settings.max_pixels)
        known = self._known_distances
        if known_distances is not None:
            known = _distances(known_distances)
        disparity = self._disparity(picture, depth, known)
        focal = focal or self.settings.focal
        if focal is None and isinstance(plate, (str, Path)):
            focal = focal_of_file(plate, picture.shape[:2])
        settings = replace(self.settings, focal=focal)
        return Scene(self._session, settings, picture, disparity)

    def _disparity(
        self, plate: Coded | Picture, depth: DepthSource | None, known: Sequence[KnownDistance]
    ) -> PlateDisparity | None:
        """Give the plate's disparity from what is there; None = the model estimates it."""
        if depth is not None:
            name = {"file": str(depth)} if isinstance(depth, (str, Path)) else {}
            return PlateDisparity(as_disparity(depth), True, {"from": "given depth", **name})
        if self._depth_model is not None:
            return modelled_disparity(self._depth_model, plate, known)
        if not known:
            return None
        if not self._session.estimates_plate:
            raise no_plate_disparity()
        size: Size = (plate.shape[0], plate.shape[1])
        side = self.settings.working_size or default_long_side(size, self.model.working_size)
        small = to_float(resize(plate, working_size(size, side)))
        relative = np.asarray(resize(estimate_disparity(self._session, small), size), np.float32)
        return PlateDisparity(
            at_known_distances(relative, known, zero_is_far=False),
            True,
            {"from": "this model's estimate", "known_distances": [list(one) for one in known]},
        )


def _distances(given: Sequence[KnownDistance]) -> tuple[KnownDistance, ...]:
    return tuple(KnownDistance(*one) for one in given)
