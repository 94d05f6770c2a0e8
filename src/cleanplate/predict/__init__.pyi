from .predictor import Predictor as Predictor
from .result import Result as Result
from .scene import Scene as Scene

__all__ = [
    "Predictor",
    "Result",
    "Scene",
]
