"""Depth networks from `transformers`, by hub name or from a folder, as teachers of depth."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.arrays import Coded, Plane
from cleanplate.errors import CleanplateError, require
from cleanplate.formats.pictures import resize, to_float, to_uint8
from cleanplate.synthesis.ingest.depth_estimators import Convention

_METRIC = frozenset({"depth_pro", "glpn", "zoedepth"})
"""Kinds of model whose answer is metres, all of them."""

_MIDAS_BACKBONES = frozenset({"beit", "bit", "swin", "swinv2"})
"""With these, or with none of its own, a DPT is of MiDaS: relative disparity. With DINOv2 it is
not said: such are metric as a rule."""

_CURE = (
    "Say what its output means with --convention: metric (metres), disparity (larger is nearer) "
    "or relative-depth (larger is farther)."
)
_HEAD = 0.05
"""A model that lacks more than this share of its tensors answers at random."""


class TransformersTeacher:
    """A depth-estimation model that `transformers` can load.

    Pictures are prepared by the model's own processor in its Pillow form, so that torchvision is
    not needed. Code that comes with a model is never run.

    Args:
        name: a folder with a saved model, or a name on the hub; the hub's cache is used, and with
            HF_HUB_OFFLINE=1 nothing else.
        convention: of its output; None = as its configuration says.
        threads: CPU threads of torch; None = torch's choice.

    Raises:
        MissingExtraError: without torch and transformers (extra `teacher`).
        CleanplateError: if the model is not there, is no depth model, lacks its weights, or does
            not say what its output means.
    """

    def __init__(
        self,
        name: str | Path,
        *,
        convention: Convention | None = None,
        threads: int | None = None,
    ):
        torch: Any = require("torch", "teacher")
        transformers: Any = require("transformers", "teacher")
        if threads is not None:
            torch.set_num_threads(threads)
        folder = Path(name).is_dir()
        self.name = str(name)
        with _told(self.name, folder), _quiet(transformers.utils.logging):
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
        """Look at (H, W, 3) sRGB, uint8 or uint16; give (H, W) float32 in `convention`.

        Raises:
            CleanplateError: if the model gives something else than one map.
        """
        import torch
        from PIL import Image

        height, width = picture.shape[:2]
        shown = picture if picture.dtype == np.uint8 else to_uint8(to_float(picture))
        fed = self._processor(images=Image.fromarray(shown), return_tensors="pt")
        with torch.inference_mode():
            out = self._model(pixel_values=fed["pixel_values"])
        plane = out.predicted_depth.float().squeeze().numpy()
        if plane.ndim != 2:
            raise CleanplateError(f"{self.name}: its answer has the shape {list(plane.shape)}")
        if self._kind == "zoedepth" and self._processor.do_pad:
            plane = _without_margin(plane, height, width)
        full: Plane = resize(np.ascontiguousarray(plane, np.float32), (height, width))
        if self._kind == "depth_pro":
            angle = getattr(out, "field_of_view", None)
            return _metres_of_depth_pro(full, None if angle is None else float(angle))
        return full


def convention_of(name: str, config: Any) -> Convention:
    """Say what a model's output means, from its `transformers` configuration.

    Raises:
        CleanplateError: if the configuration does not tell.
    """
    kind = str(getattr(config, "model_type", ""))
    said = getattr(config, "depth_estimation_type", None)
    if said == "metric" or kind in _METRIC:
        return "metric"
    if said == "relative":
        return "disparity"
    backbone = getattr(getattr(config, "backbone_config", None), "model_type", None)
    if kind == "dpt" and (backbone is None or backbone in _MIDAS_BACKBONES):
        return "disparity"
    raise CleanplateError(
        f"{name}: a model of the kind {kind!r} does not say what its output means", cure=_CURE
    )


def _without_margin(plane: Plane, height: int, width: int) -> Plane:
    """Cut off what ZoeDepth's processor added: 3 * sqrt(side / 2) pixels, mirrored, on each side.

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
    if len(lacking) > _HEAD * there or any(key.startswith("head.") for key in lacking):
        raise CleanplateError(
            f"{name}: lacks {len(lacking)} of the {there} tensors that a depth model of its kind "
            f"has, such as {lacking[0]}",
            cure="It was not trained for depth estimation; choose one that was.",
        )


def _processor(transformers: Any, name: str | Path, kind: str, folder: bool) -> Any:
    """Give the model's processor in the form that needs no torchvision."""
    if kind == "depth_pro":  # transformers has none such for it
        mixin = transformers.image_processing_base.ImageProcessingMixin
        told, _ = mixin.get_image_processor_dict(name, local_files_only=folder)
        return _Squares(told)
    major = int(transformers.__version__.split(".", maxsplit=1)[0])
    form: dict[str, Any] = {"backend": "pil"} if major >= 5 else {"use_fast": False}
    return transformers.AutoImageProcessor.from_pretrained(name, local_files_only=folder, **form)


class _Squares:
    """Depth Pro's preparation: one size, whatever the picture's shape, mean and deviation."""

    def __init__(self, told: Mapping[str, Any]):
        size = told.get("size", {})
        self.size = (int(size.get("height", 1536)), int(size.get("width", 1536)))
        self.mean = np.asarray(told.get("image_mean", [0.5] * 3), np.float32)
        self.deviation = np.asarray(told.get("image_std", [0.5] * 3), np.float32)

    def __call__(self, *, images: Any, return_tensors: str) -> dict[str, Any]:
        torch: Any = require("torch", "teacher")
        small = (to_float(resize(np.asarray(images), self.size)) - self.mean) / self.deviation
        return {"pixel_values": torch.from_numpy(small.transpose(2, 0, 1)[None].copy())}


def _metres_of_depth_pro(inverse: Plane, degrees: float | None) -> Plane:
    """Turn Depth Pro's canonical inverse depth into metres by the angle of view that it saw.

    `1 / depth = C * width / f` with `f = width / (2 tan(angle / 2))`: Bochkovskii et al. 2024,
    "Depth Pro: sharp monocular metric depth in less than a second", section 3.1.

    Raises:
        CleanplateError: if the model has no head for the angle, so that there is no scale.
    """
    if degrees is None:
        raise CleanplateError("this Depth Pro model was saved without its angle of view")
    scaled = inverse * np.float32(2 * np.tan(np.radians(degrees) / 2))
    return np.asarray(1 / np.clip(scaled, 1e-4, 1e4), np.float32)


@contextlib.contextmanager
def _told(name: str, folder: bool) -> Iterator[None]:
    """Say what goes wrong while a model is loaded in a person's words."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError) as error:
        first = str(error).strip().split("\n", maxsplit=1)[0]
        raise CleanplateError(
            f"the model cannot be loaded: {first}",
            file=name,
            cure="The folder holds a depth-estimation model as save_pretrained writes it, with its "
            "processor."
            if folder
            else "Is the name right, and the network there? A model that "
            "was loaded once is in the hub's cache and works offline; a folder works always.",
        ) from error


@contextlib.contextmanager
def _quiet(told: Any) -> Iterator[None]:
    """Keep progress bars and hints of the library off the screen."""
    level, bars = told.get_verbosity(), told.is_progress_bar_enabled()
    told.set_verbosity(logging.CRITICAL)
    told.disable_progress_bar()
    try:
        yield
    finally:
        told.set_verbosity(level)
        if bars:
            told.enable_progress_bar()
