"""JSON from files that other programs wrote: with a byte order mark or without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def parse_json(data: bytes) -> Any:
    """Decode JSON in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    RFC 8259, section 8.1, lets a reader ignore the mark; Windows editors and PowerShell write it.

    Raises:
        ValueError: if it is not JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(data)  # finds the encoding of bytes itself; of text it takes no mark
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_json(path: Path) -> Any:
    """Read a JSON file; see `parse_json`.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not JSON.
    """
    return parse_json(path.read_bytes())
