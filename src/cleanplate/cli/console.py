"""The console that a command writes to, whatever characters it can show."""

from __future__ import annotations

import codecs
import io
import sys
from typing import Any, TextIO


class _AsciiConsole(io.TextIOWrapper):
    """A stream of ASCII that does not call itself so: Click writes UTF-8 where it reads "ascii"."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "ascii, the rest escaped"


def escape_unknown_characters() -> None:
    r"""Let stdout and stderr write `\xe9` for a character that they cannot encode.

    A redirected stream has the encoding of the locale or of PYTHONIOENCODING, and the names of
    files may have any character. Streams that are no real ones (a test's, a notebook's) are left
    as they are where they cannot be changed.
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
