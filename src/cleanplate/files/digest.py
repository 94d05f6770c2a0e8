"""SHA-256 digest of a list of files, used as a key for results computed from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cleanplate.errors import CleanplateError


def digest(files: Iterable[Path]) -> str:
    """Compute the SHA-256 of the files' SHA-256 digests, in order, as hexadecimal.

    Raises:
        CleanplateError: if a file cannot be read.
    """
    total = hashlib.sha256()
    for file in files:
        try:
            total.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError as error:
            raise CleanplateError(f"cannot be read ({error.strerror})", file=file) from error
    return total.hexdigest()
