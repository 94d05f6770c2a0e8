"""Monocular depth estimators from `transformers`, by hub name or from a folder."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.arrays import Coded, Plane
from cleanplate.depth.depth_estimators import Convention
from cleanplate.errors import CleanplateError, require
from cleanplate.formats.pictures import as_uint8, resize, to_float

_METRIC = frozenset({"depth_pro", "glpn", "zoedepth"})
"""Model types whose output is always in metres."""

_MIDAS_BACKBONES = frozenset({"beit", "bit", "swin", "swinv2"})
"""A DPT with one of these backbones, or with none, is of the MiDaS family: relative disparity. With
DINOv2 the configuration does not tell; most such models are metric."""

_CURE = (
    "Say what its output means with --convention: metric (metres), disparity (larger is nearer) "
    "or relative-depth (larger is farther)."
)
_LARGEST_MISSING = 0.05
"""Largest share of a model's tensors that may be missing: with more its output is random."""


class TransformersDepthEstimator:
    """A depth-estimation model that `transformers` can load.

    Pictures are prepared by the Pillow variant of the model's processor, so that torchvision is
    not needed. Code that comes with a model is never run.

    Args:
        name: a folder with a saved model, or a name on the hub; the hub's cache is used, and with
            HF_HUB_OFFLINE=1 nothing else.
        convention: of its output; None = from its configuration.
        threads: CPU threads of torch; None = torch's choice.

    Raises:
        MissingExtraError: without torch and transformers (extra `depth-estimator`).
        CleanplateError: if the model is not there, is no depth model, lacks weights, or its
            configuration does not tell the convention.
    """

    def __init__(
        self,
        name: str | Path,
        *,
        convention: Convention | None = None,
        threads: int | None = None,
    ):
        torch: Any = require("torch", "depth-estimator")
        transformers: Any = require("transformers", "depth-estimator")
        if threads is not None:
            torch.set_num_threads(threads)
        folder = Path(name).is_dir()
        self.name = str(name)
        with _loading_errors(self.name, folder), _quiet(transformers.utils.logging):
            config = transformers.AutoConfig.from_pretrained(name, local_files_only=folder)
            self.convention = convention or convention_of(self.name, config)
            model, info = transformers.AutoModelForDepthEstimation.from_pretrained(
                name, local_files_only=folder, output_loading_info=True
            )
            self._processor = _processor(transformers, name, config.model_type, folder)
        _check_weights(self.name, info["missing_keys"], len(model.state_dict()))
        self._model = model.eval()
        self._kind = str(config.model_type)
        self._commit = getattr(config, "_commit_hash", None)

    @property
    def metadata(self) -> dict[str, Any]:
        """Name of the model, its commit on the hub, its kind and its convention."""
        known = Path(self.name).name if Path(self.name).is_dir() else self.name
        facts = {"model": known, "kind": self._kind, "convention": self.convention}
        return {**facts, "commit": self._commit} if self._commit else facts

    def estimate(self, picture: Coded) -> Plane:
        """Estimate the depth of a picture.

        Args:
            picture: (H, W, 3) sRGB, uint8 or uint16.

        Returns:
            (H, W) float32 in `convention`.

        Raises:
            CleanplateError: if the model's output is not one map.
        """
        import torch
        from PIL import Image

        height, width = picture.shape[:2]
        shown = as_uint8(picture)
        fed = self._processor(images=Image.fromarray(shown), return_tensors="pt")
        with torch.inference_mode():
            out = self._model(pixel_values=fed["pixel_values"])
        plane = out.predicted_depth.float().squeeze().numpy()
        if plane.ndim != 2:
            raise CleanplateError(f"{self.name}: its output has the shape {list(plane.shape)}")
        if self._kind == "zoedepth" and self._processor.do_pad:
            plane = _without_padding(plane, height, width)
        full: Plane = resize(np.ascontiguousarray(plane, np.float32), (height, width))
        if self._kind == "depth_pro":
            angle = getattr(out, "field_of_view", None)
            return _metres_of_depth_pro(full, None if angle is None else float(angle))
        return full


def convention_of(name: str, config: Any) -> Convention:
    """Tell what a model's output means from its `transformers` configuration.

    Args:
        name: of the model, for errors.
        config: the configuration.

    Raises:
        CleanplateError: if the configuration does not tell.
    """
    kind = str(getattr(config, "model_type", ""))
    stated = getattr(config, "depth_estimation_type", None)
    if stated == "metric" or kind in _METRIC:
        return "metric"
    if stated == "relative":
        return "disparity"
    backbone = getattr(getattr(config, "backbone_config", None), "model_type", None)
    if kind == "dpt" and (backbone is None or backbone in _MIDAS_BACKBONES):
        return "disparity"
    raise CleanplateError(
        f"{name}: a model of the kind {kind!r} does not say what its output means", cure=_CURE
    )


def _without_padding(plane: Plane, height: int, width: int) -> Plane:
    """Crop the padding of ZoeDepth's processor: 3 * sqrt(side / 2) mirrored pixels on each side.

    Bhat et al. 2023, "ZoeDepth: zero-shot transfer by combining relative and metric depth".
    """
    bounds = []
    for side, seen in zip((height, width), plane.shape, strict=True):
        margin = int(np.sqrt(side / 2) * 3)
        scale = seen / (side + 2 * margin)
        bounds.append(slice(round(margin * scale), seen - round(margin * scale)))
    return plane[bounds[0], bounds[1]]


def _check_weights(name: str, missing: Any, there: int) -> None:
    lacking = sorted(str(key) for key in missing)
    if len(lacking) > _LARGEST_MISSING * there or any(key.startswith("head.") for key in lacking):
        raise CleanplateError(
            f"{name}: lacks {len(lacking)} of the {there} tensors that a depth model of its kind "
            f"has, such as {lacking[0]}",
            cure="It was not trained for depth estimation; choose one that was.",
        )


def _processor(transformers: Any, name: str | Path, kind: str, folder: bool) -> Any:
    """Load the model's processor in the variant that needs no torchvision."""
    if kind == "depth_pro":  # transformers has no such variant for it
        mixin = transformers.image_processing_base.ImageProcessingMixin
        config, _ = mixin.get_image_processor_dict(name, local_files_only=folder)
        return _DepthProProcessor(config)
    major = int(transformers.__version__.split(".", maxsplit=1)[0])
    variant: dict[str, Any] = {"backend": "pil"} if major >= 5 else {"use_fast": False}
    return transformers.AutoImageProcessor.from_pretrained(name, local_files_only=folder, **variant)


class _DepthProProcessor:
    """Depth Pro's preparation: resize to one size, subtract the mean, divide by the deviation."""

    def __init__(self, config: Mapping[str, Any]):
        size = config.get("size", {})
        self.size = (int(size.get("height", 1536)), int(size.get("width", 1536)))
        self.mean = np.asarray(config.get("image_mean", [0.5] * 3), np.float32)
        self.deviation = np.asarray(config.get("image_std", [0.5] * 3), np.float32)

    def __call__(self, *, images: Any, return_tensors: str) -> dict[str, Any]:
        torch: Any = require("torch", "depth-estimator")
        small = (to_float(resize(np.asarray(images), self.size)) - self.mean) / self.deviation
        return {"pixel_values": torch.from_numpy(small.transpose(2, 0, 1)[None].copy())}


def _metres_of_depth_pro(inverse: Plane, degrees: float | None) -> Plane:
    """Convert Depth Pro's canonical inverse depth to metres by its estimated angle of view.

    `1 / depth = C * width / f` with `f = width / (2 tan(angle / 2))`: Bochkovskii et al. 2024,
    "Depth Pro: sharp monocular metric depth in less than a second", section 3.1.

    Raises:
        CleanplateError: if the model does not estimate the angle, so that there is no scale.
    """
    if degrees is None:
        raise CleanplateError("this Depth Pro model has no head for the angle of view")
    scaled = inverse * np.float32(2 * np.tan(np.radians(degrees) / 2))
    return np.asarray(1 / np.clip(scaled, 1e-4, 1e4), np.float32)


@contextlib.contextmanager
def _loading_errors(name: str, folder: bool) -> Iterator[None]:
    """Convert the errors of loading a model to `CleanplateError`."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError) as error:
        first = str(error).strip().split("\n", maxsplit=1)[0]
        raise CleanplateError(
            f"the model cannot be loaded: {first}",
            file=name,
            cure="Give a folder with a depth-estimation model and its processor, as "
            "save_pretrained writes them."
            if folder
            else "Check the name and the network connection. A model that was loaded once is in "
            "the hub's cache and works offline; a folder always does.",
        ) from error


@contextlib.contextmanager
def _quiet(log: Any) -> Iterator[None]:
    """Disable the library's progress bars and log messages."""
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(logging.CRITICAL)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
