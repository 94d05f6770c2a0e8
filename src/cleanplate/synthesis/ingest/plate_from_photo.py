"""Plate from a photograph: depth by an estimator, intrinsics, and the camera over the floor."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.arrays import Coded, Plane
from cleanplate.depth import Intrinsics, depth_to_disparity, disparity_to_depth, write_depth
from cleanplate.depth.depth_codec import DATASET, OLDER_RECORD, RECORD
from cleanplate.depth.depth_estimators import DepthEstimator
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.formats.pictures import (
    as_uint8,
    read_image,
    resize,
    write_image,
)
from cleanplate.synthesis.assets.sidecar import read_sidecar
from cleanplate.synthesis.ingest.ground_plane import GroundPlane, fit_ground_plane
from cleanplate.synthesis.ingest.metric_scaling import (
    DEFAULT_CAMERA_HEIGHT,
    DEFAULT_FAR,
    DEFAULT_NEAR,
    to_metres,
)
from cleanplate.synthesis.ingest.photo_intrinsics import (
    PhotoIntrinsics,
    intrinsics_from_exif,
    intrinsics_from_fov,
)

_MAX_ESTIMATOR_SIDE = 2048
"""Longest side in pixels given to an estimator; larger pictures are reduced."""
_DEPTH_ENDINGS = (".png", ".npy", ".exr", ".tif", ".tiff")
_WRITTEN_KEYS = (
    "width",
    "height",
    "fx",
    "fy",
    "cx",
    "cy",
    "camera_height",
    "pitch",
    RECORD,
    OLDER_RECORD,
)


@dataclass(frozen=True)
class PhotoSettings:
    """What is known of the photographs.

    Args:
        near: metres to the nearest part of the scene; only for relative depth.
        far: metres to the farthest; inf if there is sky.
        fov: field of view in degrees along the longer side; None = from EXIF.
        camera_height: metres over the floor; the depth is scaled to it.
        long_side: longest side of plates in pixels; None = keep the photograph.
        credit: `license`, `source` and `attribution`, as far as they are known.

    Raises:
        CleanplateError: if a value is not possible.
    """

    near: float | None = None
    far: float | None = None
    fov: float | None = None
    camera_height: float | None = None
    long_side: int | None = None
    credit: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        near, far = self.depth_range
        if not (0 < near < far) or math.isnan(far):
            raise CleanplateError(
                f"a scene from {near:g} m to {far:g} m is not possible",
                cure="The nearest part is more than 0 m away and nearer than the farthest.",
            )
        if self.fov is not None and not 0 < self.fov < 180:
            raise CleanplateError(f"an angle of view of {self.fov:g} degrees is not possible")
        if self.camera_height is not None and not 0 < self.camera_height < 1000:
            raise CleanplateError(f"a camera {self.camera_height:g} m high is not possible")

    @property
    def depth_range(self) -> tuple[float, float]:
        """Metres of the nearest and the farthest part, given or assumed."""
        near = DEFAULT_NEAR if self.near is None else self.near
        far = DEFAULT_FAR if self.far is None else self.far
        return near, far

    @property
    def assumed(self) -> list[str]:
        """Names of the bounds that were not given."""
        bounds = {"near_m": self.near, "far_m": self.far}
        return [name for name, given in bounds.items() if given is None]


def existing_depth(photo: Path) -> Path | None:
    """Find the depth file beside a plate; None if there is none."""
    for ending in _DEPTH_ENDINGS:
        candidate = photo.with_name(f"{photo.stem}_depth{ending}")
        if candidate.exists():
            return candidate
    return None


def plate_path(photo: Path, folder: Path | None, settings: PhotoSettings) -> Path:
    """Give the path of a photograph's plate: beside it, or in `folder`."""
    if folder is None:
        return photo
    return folder / (photo.stem + (photo.suffix.lower() if settings.long_side is None else ".jpg"))


def write_plate_from_photo(
    photo: Path, estimator: DepthEstimator, folder: Path | None, settings: PhotoSettings
) -> dict[str, Any]:
    """Write a plate's depth and JSON beside the photograph, or the whole plate to `folder`.

    The depth is written last and marks the plate as complete. Values in an existing JSON are
    kept: a measured camera is not replaced by an estimated one.

    Returns:
        The contents of the JSON, and under `files` the names of the written files.

    Raises:
        CleanplateError: if the photograph cannot be read, the estimator finds no depth, there is
            no floor though `camera_height` is given, or something cannot be written.
    """
    target = plate_path(photo, folder, settings)
    _check_target(photo, target)
    picture = read_image(photo)
    before = picture.shape[1]
    if settings.long_side is not None:
        picture = _limit_size(picture, settings.long_side)
    height, width = picture.shape[:2]
    known = _scale_intrinsics(read_photo_metadata(photo), width / before)
    if target != photo:
        known |= read_photo_metadata(target)
    lens = _photo_intrinsics(photo, (height, width), known, settings)
    depth, anchors = to_metres(
        estimator.estimate(_limit_size(picture, _MAX_ESTIMATOR_SIDE)),
        estimator.convention,
        *settings.depth_range,
    )
    ground = _fit_ground(depth, lens, width)
    stored_height = known.get("camera_height")
    wanted = settings.camera_height or (
        stored_height if isinstance(stored_height, (int, float)) else None
    )
    if ground is None and settings.camera_height is not None:
        raise CleanplateError(
            "no floor was found in it"
            if lens
            else "its focal length is not known, so that its floor cannot be looked for",
            file=photo,
            cure="Leave --camera-height out for it." if lens else "Give --fov.",
        )
    assumed = [] if anchors is None else settings.assumed
    if len(assumed) == 2 and ground is not None:
        assumed = ["camera_height"] if wanted is None else []
        wanted = wanted or DEFAULT_CAMERA_HEIGHT
    if wanted is not None and ground is not None:
        # A height, even an assumed one, fixes the scale better than bounds or a network.
        depth = (depth * np.float32(wanted / ground.height)).astype(np.float32)
        ground = replace(ground, height=float(wanted))
    metadata = _plate_metadata((height, width), lens, ground, settings)
    provenance = _depth_provenance(estimator, lens, ground, anchors, settings)
    provenance["scaled_to_camera_height"] = wanted is not None and ground is not None
    provenance["assumed"] = assumed
    provenance["estimated"] = [key for key in metadata if key in _WRITTEN_KEYS and key not in known]
    # The convention is that of the depth written here.
    known = {key: value for key, value in known.items() if key not in (RECORD, OLDER_RECORD)}
    metadata = {**metadata, **known, "depth_from": provenance}
    _write_picture(photo, target, picture, settings)
    with replacing(target.with_suffix(".json")) as part:
        part.write_text(json.dumps(metadata, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    file = target.with_name(f"{target.stem}_depth.png")
    write_depth(file, _resize_depth(depth, (height, width)), convention=DATASET)
    return {**metadata, "files": [target.name, f"{target.stem}.json", file.name]}


def read_photo_metadata(photo: Path, *, estimated: bool = False) -> dict[str, Any]:
    """Read the JSON beside a photograph, without estimated values unless `estimated`.

    Raises:
        CleanplateError: if the JSON is damaged.
    """
    metadata = read_sidecar(photo.with_suffix(".json"))
    if estimated:
        return metadata
    provenance = metadata.pop("depth_from", {})
    for key in provenance.get("estimated", ()) if isinstance(provenance, dict) else ():
        metadata.pop(key, None)
    return metadata


def _photo_intrinsics(
    photo: Path, size: tuple[int, int], known: Mapping[str, Any], settings: PhotoSettings
) -> PhotoIntrinsics | None:
    height, width = size
    if all(isinstance(known.get(key), (int, float)) for key in ("fx", "fy", "cx", "cy")):
        return PhotoIntrinsics(
            Intrinsics(*(float(known[key]) for key in ("fx", "fy", "cx", "cy"))), "json"
        )
    if settings.fov is not None:
        return intrinsics_from_fov(settings.fov, width, height)
    return intrinsics_from_exif(photo, width, height)


def _fit_ground(depth: Plane, lens: PhotoIntrinsics | None, width: int) -> GroundPlane | None:
    if lens is None:
        return None
    scale = depth.shape[1] / width
    return fit_ground_plane(depth_to_disparity(depth), lens.intrinsics.scaled(scale, scale))


def _plate_metadata(
    size: tuple[int, int],
    lens: PhotoIntrinsics | None,
    ground: GroundPlane | None,
    settings: PhotoSettings,
) -> dict[str, Any]:
    """Give the plate's JSON, as the catalogue reads it."""
    metadata: dict[str, Any] = {"width": size[1], "height": size[0], RECORD: DATASET.name}
    if lens is not None:
        metadata |= {key: round(value, 3) for key, value in lens.intrinsics._asdict().items()}
    if ground is not None:
        metadata |= {"camera_height": round(ground.height, 4), "pitch": round(ground.pitch, 5)}
    return {**metadata, **(settings.credit or {})}


def _depth_provenance(
    estimator: DepthEstimator,
    lens: PhotoIntrinsics | None,
    ground: GroundPlane | None,
    anchors: Mapping[str, float] | None,
    settings: PhotoSettings,
) -> dict[str, Any]:
    """Record how each number of the plate was obtained."""
    provenance: dict[str, Any] = {**estimator.metadata}
    if anchors is not None:
        near, far = settings.depth_range
        provenance |= {
            "near_m": near,
            "far_m": "infinity" if math.isinf(far) else far,
            **{key: round(value, 6) for key, value in anchors.items()},
        }
    if lens is not None:
        provenance["lens"] = lens.origin
    if ground is not None:
        provenance["floor"] = {
            "roll": round(ground.roll, 5),
            "share": round(ground.share, 4),
            "error": round(ground.error, 5),
        }
    return provenance


def _scale_intrinsics(metadata: dict[str, Any], scale: float) -> dict[str, Any]:
    """Scale values in pixels to the picture resized by `scale`."""
    if scale == 1:
        return metadata
    for key in ("fx", "fy", "cx", "cy"):
        if isinstance(metadata.get(key), (int, float)):
            metadata[key] = metadata[key] * scale
    return {key: value for key, value in metadata.items() if key not in ("width", "height")}


def _write_picture(photo: Path, target: Path, picture: Coded, settings: PhotoSettings) -> None:
    if target == photo:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if settings.long_side is None:
        with replacing(target) as part:
            part.write_bytes(photo.read_bytes())
    else:
        write_image(target, as_uint8(picture))


def _check_target(photo: Path, target: Path) -> None:
    """Refuse to replace a picture that is neither this photograph nor an earlier plate of it.

    Raises:
        CleanplateError: naming the picture.
    """
    if not target.exists() or "depth_from" in read_sidecar(target.with_suffix(".json")):
        return
    if target.read_bytes() != photo.read_bytes():
        raise CleanplateError(
            "is there already, and Cleanplate did not make it",
            file=target,
            cure="Choose another folder, or move the picture away.",
        )


def _limit_size(picture: Coded, long_side: int) -> Coded:
    height, width = picture.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    smaller: Coded = resize(picture, size)
    return smaller


def _resize_depth(depth: Plane, size: tuple[int, int]) -> Plane:
    """Resize depth by way of disparity, in which infinity is a number."""
    if depth.shape == size:
        return depth
    return disparity_to_depth(resize(depth_to_disparity(depth), size))
