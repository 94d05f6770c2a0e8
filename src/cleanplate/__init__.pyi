from .depth import read_depth as read_depth
from .errors import CleanplateError as CleanplateError
from .formats.pictures import read_image as read_image
from .predict import Predictor as Predictor
from .predict import Result as Result
from .predict import Scene as Scene
from .predict import adjust as adjust
from .predict import preview as preview
from .version import __version__ as __version__

__all__ = [
    "CleanplateError",
    "Predictor",
    "Result",
    "Scene",
    "__version__",
    "adjust",
    "preview",
    "read_depth",
    "read_image",
]
