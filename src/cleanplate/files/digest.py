"""The digest of files, by which what was made of them is known again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cleanplate.errors import CleanplateError


def digest(files: Iterable[Path]) -> str:
    """SHA-256 over the bytes of files, one after the other.

    Raises:
        CleanplateError: if one cannot be read.
    """
    total = hashlib.sha256()
    for file in files:
        try:
            total.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError as error:
            raise CleanplateError(f"cannot be read ({error.strerror})", file=file) from error
    return total.hexdigest()
