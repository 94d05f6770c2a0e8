"""The option `--json FILE|-`: the outcome of a command for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from cleanplate.errors import CleanplateError


@dataclass(frozen=True)
class JsonOutput:
    """Where a command writes its outcome as JSON.

    target: path of a file, or "-" for the standard output.
    """

    target: str

    @property
    def is_stdout(self) -> bool:
        """Whether JSON goes to the standard output, in place of the command's summary."""
        return self.target == "-"

    def check(self, *, overwrite: bool | None = None) -> None:
        """Refuse, before any work, a file that could not be written after it.

        Args:
            overwrite: the command's `--overwrite`; None if it has no such option.

        Raises:
            CleanplateError: the folder does not exist, or the file is not Cleanplate's own.
        """
        from cleanplate.files.ownership import check_target

        if self.is_stdout:
            return
        try:
            check_target(self.target, overwrite=bool(overwrite))
        except CleanplateError as error:
            if overwrite is not None or "--overwrite" not in (error.cure or ""):
                raise
            cure = "Only what Cleanplate wrote, unchanged, is replaced. Choose another name."
            raise CleanplateError(error.what, file=error.file, cure=cure) from error

    def write(self, document: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Write the document and its seal (`cleanplate.files.ownership`).

        A file that a shell makes of the standard output is thereby Cleanplate's own, too.
        """
        from cleanplate.files.ownership import sealed, write_sealed

        if self.is_stdout:
            click.echo(json.dumps(sealed(document), indent=1))
        else:
            write_sealed(self.target, document, overwrite=overwrite, indent=1)


def shows_summary(json_output: JsonOutput | None, quiet: bool) -> bool:
    """Whether a command prints its summary: not with `--quiet` nor with JSON on stdout."""
    return not quiet and (json_output is None or not json_output.is_stdout)
