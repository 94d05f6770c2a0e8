"""Prediction: the subject's matte, foreground, shadow and depth from a plate and a frame.

Data flow: pictures -> `alignment` (health, registration, exposure) -> `plate_features` -> `session`
(the network) -> `upsample` -> `geometry` (disparity) -> `frame_outputs` -> `Result` -> `output`.
Names are loaded when they are first used, because they bring OpenCV and ONNX Runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanplate.predict.output.adjustment import adjust as adjust
    from cleanplate.predict.output.rendered_image import preview as preview
    from cleanplate.predict.predictor import Predictor as Predictor
    from cleanplate.predict.result import Result as Result
    from cleanplate.predict.scene import Scene as Scene

_HOMES = {
    "Predictor": "predictor",
    "Result": "result",
    "Scene": "scene",
    "adjust": "output.adjustment",
    "preview": "output.rendered_image",
}

__all__ = ["Predictor", "Result", "Scene", "adjust", "preview"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"cleanplate.predict.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
