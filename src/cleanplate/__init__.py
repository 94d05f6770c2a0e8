"""Alpha matte, true foreground colours and depth from a picture and its clean plate.

The public names are loaded when they are first used, so that importing the package
costs next to nothing:

    >>> from cleanplate import CleanplateError
    >>> str(CleanplateError("this is empty", file="plate.png"))
    'plate.png: this is empty'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cleanplate.depth import read_depth
    from cleanplate.errors import CleanplateError
    from cleanplate.formats.pictures import read_image
    from cleanplate.predict import Predictor, Result, Scene, adjust, preview

    __version__: str

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

_HOMES = {
    "CleanplateError": "cleanplate.errors",
    "Predictor": "cleanplate.predict",
    "Result": "cleanplate.predict",
    "Scene": "cleanplate.predict",
    "adjust": "cleanplate.predict",
    "preview": "cleanplate.predict",
    "read_depth": "cleanplate.depth",
    "read_image": "cleanplate.formats.pictures",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for (PEP 562)."""
    value: object
    if name == "__version__":
        value = _version()
    elif name in _HOMES:
        from importlib import import_module

        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cleanplate")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+source"
