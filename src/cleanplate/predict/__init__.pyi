from .output.adjustment import adjust as adjust
from .output.rendered_image import preview as preview
from .predictor import Predictor as Predictor
from .result import Result as Result
from .scene import Scene as Scene

__all__ = [
    "Predictor",
    "Result",
    "Scene",
    "adjust",
    "preview",
]
