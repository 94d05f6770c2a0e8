"""`Predictor`: a model, and the settings of prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cleanplate.errors import CleanplateError
from cleanplate.models import Model, find_model
from cleanplate.predict.alignment.registration import align_mode
from cleanplate.predict.geometry.disparity_fusion import HOLES, Holes
from cleanplate.predict.geometry.focal_length import check_focal, focal_of_file
from cleanplate.predict.inputs import DepthSource, PictureSource, as_disparity, as_picture
from cleanplate.predict.prediction_settings import PredictionSettings
from cleanplate.predict.scene import Scene
from cleanplate.predict.session import PairSession
from cleanplate.predict.size import WORKING_SIZE, check_working_size


class Predictor:
    """Predicts matte, foreground, shadow and depth of frames, given their clean plate.

        predictor = Predictor()
        scene = predictor.scene("plate.jpg")
        result = scene.predict("frame.jpg")

    Args:
        model: a shipped model's name or the folder of an exported one; None = the default.
        threads: CPU threads of the network; None = as many as may be used, at most four.
        working_size: long side in pixels of what the network takes; pictures are never enlarged.
            None = the model's own, else 512.
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
        fixed_size: load the network again for the working size when its first frame comes: takes
            about .1 s and saves a tenth of the network's time from then on. For clips and cameras.

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
        fixed_size: bool = False,
    ):
        self.model = model if isinstance(model, Model) else find_model(model)
        if working_size is None:
            working_size = self.model.working_size or WORKING_SIZE
        check_working_size(working_size)
        if depth_holes not in HOLES:
            raise CleanplateError(
                f"depth_holes is {depth_holes!r}", cure=f"choose one of: {', '.join(HOLES)}"
            )
        check_focal(focal)
        self.settings = PredictionSettings(
            working_size, align_mode(align), fit, force, max_pixels, depth_holes, focal
        )
        self._session = PairSession(self.model, threads, providers, fixed_size=fixed_size)

    def scene(
        self,
        plate: PictureSource,
        depth: DepthSource | None = None,
        *,
        focal: float | None = None,
    ) -> Scene:
        """Prepare a plate for many frames.

        Args:
            plate: a path, or (H, W, 3) RGB: uint8, uint16, or float in [0, 1].
            depth: of the plate, along the optical axis: a path, or (H, W) floats in metres
                (nan = unknown, +inf = nothing hit) or integers in millimetres (0 = unknown); its
                resolution may differ. Makes results metric. See docs/depth.md.
            focal: focal length in pixels of this plate; None = the predictor's.

        Raises:
            CleanplateError: a file cannot be read, the depth does not fit the plate, or no lens
                has this focal length.
        """
        check_focal(focal)
        picture = as_picture(plate, "plate", max_pixels=self.settings.max_pixels)
        disparity = None if depth is None else as_disparity(depth)
        focal = focal or self.settings.focal
        if focal is None and isinstance(plate, (str, Path)):
            focal = focal_of_file(plate, picture.shape[:2])
        settings = replace(self.settings, focal=focal)
        return Scene(self._session, settings, picture, disparity)
