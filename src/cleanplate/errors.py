"""Exceptions for user errors, each with its remedy, and the check for optional dependencies."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType


class CleanplateError(Exception):
    """User error: a file, argument or setting that cannot be used.

    The command line prints the message without a traceback and exits with code 2.

    Attributes:
        what: what is wrong, without the file's name.
        file: the file concerned, or None.
        cure: what the user can do about it, or None.
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
    """Return the shell command that installs an extra; all error messages use it.

    Args:
        extra: name of the extra, as in `pyproject.toml`.
        pip: pip command of another environment; None = that of the running Python.
    """
    from cleanplate import installation  # imported late, because it reads package metadata

    return installation.install_command(extra, pip)


class MissingExtraError(CleanplateError):
    """Missing optional dependency: the feature needs a library outside the base install.

    Attributes:
        extra: name of the extra that installs the library.
    """

    def __init__(self, library: str, extra: str, *, file: str | Path | None = None):
        super().__init__(
            f"this needs {library}, which is not installed",
            file=file,
            cure=install_command(extra),
        )
        self.extra = extra


def require(library: str, extra: str) -> ModuleType:
    """Import and return an optional library.

    Args:
        library: module name, such as "torch".
        extra: name of the extra that installs it; the error names it.

    Raises:
        MissingExtraError: if `library` itself is not installed. An error inside an
            installed library is raised unchanged.
    """
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        if error.name and library.partition(".")[0] == error.name.partition(".")[0]:
            raise MissingExtraError(library, extra) from error
        raise
