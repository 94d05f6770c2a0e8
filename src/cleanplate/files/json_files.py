"""JSON reading: any Unicode encoding, with or without a byte order mark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def parse_json(data: bytes) -> Any:
    """Decode JSON in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    RFC 8259, section 8.1, lets parsers ignore the mark; Windows editors and PowerShell write it.

    Raises:
        ValueError: if the data is not JSON, or nested too deeply.
    """
    try:
        return json.loads(data)  # given bytes, it detects the encoding and skips the mark
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_json(path: Path) -> Any:
    """Read a JSON file in any encoding that `parse_json` supports.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not JSON, or nested too deeply.
    """
    return parse_json(path.read_bytes())
