"""Errors that a person can cause, said so that the person can mend them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType


class CleanplateError(Exception):
    """A mistake in what was given: what is wrong, which file, what to do.

    The command line prints it without a traceback and ends with exit code 2.
    """

    def __init__(self, what: str, *, file: str | Path | None = None, cure: str | None = None):
        self.what = what
        self.file = None if file is None else Path(file)
        self.cure = cure
        lines = [what if file is None else f"{file}: {what}"]
        if cure:
            lines.append(cure)
        super().__init__("\n".join(lines))


def install_command(extra: str, pip: str | None = None) -> str:
    """Give the command that adds an extra to this installation; every message takes it from here.

    Args:
        extra: its name, as in `pyproject.toml`.
        pip: of another environment; by default that of the running Python.
    """
    from cleanplate import installation  # reads the package's metadata: only when it is needed

    return installation.install_command(extra, pip)


class MissingExtraError(CleanplateError):
    """A part of Cleanplate that needs libraries outside the base install."""

    def __init__(self, library: str, extra: str, *, file: str | Path | None = None):
        super().__init__(
            f"this needs {library}, which is not installed",
            file=file,
            cure=install_command(extra),
        )
        self.extra = extra


def require(library: str, extra: str) -> ModuleType:
    """Import `library`, or say which extra brings it.

    Raises:
        MissingExtraError: if `library` itself is not installed. A fault inside an
            installed library passes through unchanged.
    """
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        if error.name and library.partition(".")[0] == error.name.partition(".")[0]:
            raise MissingExtraError(library, extra) from error
        raise
