"""Freed memory is kept for the next frame, where the C library would give it back to the system."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of parameters in glibc's `malloc.h`."""

_LARGEST = 32 << 20
"""Bytes of one block; glibc takes no larger threshold on 64 bits."""
_KEPT = 256 << 20
"""Free bytes at the end of a heap."""


def keep_freed_memory() -> None:
    """Let this process keep the memory of freed arrays (glibc; does nothing elsewhere).

    A frame's arrays are freed and allocated again many times a frame. By default their pages go
    back to the system each time, which has to clear them again: some two thousand page faults a
    frame of 1280 x 720, a tenth of the loop's processor time. With this, memory stays at what the
    largest frame took. For programs, not for libraries: it changes the whole process. Settings of
    the environment (`MALLOC_TRIM_THRESHOLD_`, `GLIBC_TUNABLES`) stand.
    """
    if not sys.platform.startswith("linux"):
        return
    if "MALLOC_TRIM_THRESHOLD_" in os.environ or "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with suppress(AttributeError, OSError):  # another C library than glibc
        set_parameter = ctypes.CDLL(None).mallopt
        set_parameter(_MMAP_THRESHOLD, _LARGEST)
        set_parameter(_TRIM_THRESHOLD, _KEPT)
