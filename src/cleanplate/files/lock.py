"""File lock of a data set folder: one build and its worker processes at a time.

The build acquires the lock exclusively, then downgrades it to shared. Each worker holds a shared
lock until it exits. So after a build is killed, the lock is free only when its last worker has
exited. On Windows there is no lock.
"""

from __future__ import annotations

import errno
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import telling_write_faults

_LOCK = ".lock"
_PATIENCE = 10.0
"""Default timeout in seconds: time for the workers of a killed build to exit."""
_BUSY = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)

_log = logging.getLogger(__name__)


@contextmanager
def held_alone(out: Path, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold the lock of a folder as its only build; workers may share it.

    Args:
        out: folder of the data set; must exist.
        patience: timeout in seconds.

    Raises:
        CleanplateError: if another build or its worker holds the lock for longer than
            `patience`, or the lock file cannot be written.
    """
    with telling_write_faults(out / _LOCK):
        file = open(out / _LOCK, "a+b")  # noqa: SIM115 - closed below
    with file:
        until = time.monotonic() + patience
        while not (_locked(file.fileno(), alone=True) and _locked(file.fileno(), alone=False)):
            if time.monotonic() > until:
                raise CleanplateError(
                    "another build is at work in this folder",
                    file=out,
                    cure="Wait until it has ended, or stop it.",
                )
            time.sleep(0.1)
        yield


@contextmanager
def shared(out: Path) -> Iterator[None]:
    """Hold the lock of a folder as a worker, shared with its build.

    Args:
        out: folder of the data set; must exist.

    Raises:
        CleanplateError: if another build is acquiring the lock, or the lock file cannot be
            written.
    """
    with telling_write_faults(out / _LOCK):
        file = open(out / _LOCK, "a+b")  # noqa: SIM115 - closed below
    with file:
        if not _locked(file.fileno(), alone=False):
            raise CleanplateError("another build has taken this folder", file=out)
        yield


if sys.platform == "win32":

    def _locked(handle: int, *, alone: bool) -> bool:
        return True

else:
    import fcntl

    def _locked(handle: int, *, alone: bool) -> bool:
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY:
                return False
            # Some network file systems do not support locks.
            _log.warning("this folder cannot be locked (%s): run one build at a time", error)
        return True
