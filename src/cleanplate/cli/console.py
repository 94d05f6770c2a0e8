"""Encoding of the console: characters that it cannot encode are escaped."""

from __future__ import annotations

import codecs
import io
import sys
from typing import Any, TextIO


class _AsciiConsole(io.TextIOWrapper):
    """An ASCII stream under another name: Click writes UTF-8 to a stream whose name is "ascii"."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "ascii, the rest escaped"


def escape_unknown_characters() -> None:
    r"""Make stdout and stderr write `\xe9` for a character that they cannot encode.

    A redirected stream has the encoding of the locale or of PYTHONIOENCODING, and file names may
    have any character. Replaced streams (of a test, a notebook) that cannot be reconfigured are
    not changed.
    """
    sys.stdout = _escaping(sys.stdout)
    sys.stderr = _escaping(sys.stderr)


def _escaping(stream: Any) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # type: ignore[no-any-return]
    if isinstance(stream, _AsciiConsole) or not _is_ascii(stream.encoding):
        stream.reconfigure(errors="backslashreplace")
        return stream
    buffered = stream.line_buffering
    stream.flush()
    return _AsciiConsole(
        stream.detach(), "ascii", errors="backslashreplace", line_buffering=buffered
    )


def _is_ascii(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name == "ascii"
    except LookupError:
        return False
