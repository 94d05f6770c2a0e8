"""Mattes of a clip's frames, predicted against its plate, for `cleanplate synth cutouts`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import as_uint8, read_image
from cleanplate.predict.alignment.health import smallest_movement
from cleanplate.predict.predictor import Predictor
from cleanplate.predict.result import Result
from cleanplate.synthesis.ingest.cutout_extraction import MattedPicture, Refused
from cleanplate.synthesis.ingest.photo_intrinsics import intrinsics_from_fov
from cleanplate.synthesis.ingest.plate_from_photo import read_photo_metadata


class Clip:
    """A clip's plate and camera.

    Args:
        predictor: of the frames.
        plate: the picture of the empty scene.
        depth: of the plate; with a focal length it gives cutouts their depth and size.
        fov: degrees that frames show along their longer side; None = as the plate's json says.

    Raises:
        CleanplateError: if depth is given and the focal length is nowhere to be found.
    """

    def __init__(self, predictor: Predictor, plate: Path, depth: Path | None, fov: float | None):
        self.plate = plate
        self._model = predictor.model.name
        facts = read_photo_metadata(plate, estimated=True)
        focal = facts.get("fy")
        if fov is not None:
            height, width = read_image(plate).shape[:2]
            focal = intrinsics_from_fov(fov, width, height).intrinsics.fy
        self._focal = float(focal) if isinstance(focal, (int, float)) else None
        self._scene = predictor.scene(plate, depth, focal=self._focal)
        if depth is not None and self._focal is None:
            raise CleanplateError(
                "the focal length of this plate is not known",
                file=plate,
                cure="Give --fov, or leave --plate-depth out: cutouts are flat then.",
            )
        names = {"camera_height": "camera_height_m", "pitch": "pitch"}
        self._camera = {
            theirs: float(facts[ours])
            for ours, theirs in names.items()
            if isinstance(facts.get(ours), (int, float))
        }

    def subject_of(self, frame: Path) -> tuple[MattedPicture, dict[str, Any]]:
        """Predict the matte of a frame.

        Raises:
            CleanplateError: if the frame cannot be read.
            Refused: if the plate does not belong to the frame, or the camera moved, so that the
                scene itself would be taken for a subject.
        """
        picture = read_image(frame)
        spatial = self._scene.metric
        try:
            result = self._scene.predict(picture, ("foreground", "depth" if spatial else "alpha"))
        except CleanplateError as error:
            raise Refused(str(error)) from error
        self._check_camera(result)
        made_from = {"plate": self.plate.name, "model": self._model}
        return MattedPicture(
            colour=as_uint8(result.foreground),
            alpha=result.alpha,
            depth=result.depth if spatial else None,
            focal=self._focal if spatial else None,
            camera=self._camera if spatial else {},
        ), made_from

    @staticmethod
    def _check_camera(result: Result) -> None:
        health, alignment = result.report["health"], result.report["alignment"]
        aligned = alignment is not None and alignment["trusted"]
        moved = health["moved_px"]
        if not aligned and moved is not None and moved > smallest_movement(result.alpha.shape):
            cure = "no trustworthy way back was found" if alignment else "use --align auto"
            raise Refused(f"the camera moved by {moved:.0f} pixels; {cure}")
