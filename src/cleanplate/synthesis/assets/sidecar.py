"""The JSON file beside an asset: its metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import read_json


def read_sidecar(file: Path) -> dict[str, Any]:
    """Read the JSON object in a file; empty if there is no such file.

    Raises:
        CleanplateError: if the file cannot be read, or holds something else.
    """
    try:
        metadata = read_json(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CleanplateError(f"cannot be read as JSON: {error}", file=file) from error
    if not isinstance(metadata, dict):
        raise CleanplateError("holds no JSON object", file=file)
    return metadata
