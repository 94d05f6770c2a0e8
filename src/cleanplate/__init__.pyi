from .depth import read_depth as read_depth
from .errors import CleanplateError as CleanplateError
from .formats.pictures import read_image as read_image
from .predict import Predictor as Predictor
from .predict import Result as Result
from .predict import Scene as Scene
from .version import __version__ as __version__

__all__ = [
    "CleanplateError",
    "Predictor",
    "Result",
    "Scene",
    "__version__",
    "read_depth",
    "read_image",
]
