"""The version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]


def _installed() -> str:
    try:
        return version("cleanplate")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+source"


__version__ = _installed()
