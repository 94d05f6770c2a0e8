"""Who may write into a set: one build and its workers, never two builds at a time.

The build takes the set for itself alone for a moment, then shares it with its workers, each of
which holds it for as long as it lives. So a build that was killed leaves the set free only when
the last of its workers has gone too.
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
"""Seconds that a killed build's workers have to notice."""
_BUSY = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)

_log = logging.getLogger(__name__)


@contextmanager
def held_alone(out: Path, patience: float = _PATIENCE) -> Iterator[None]:
    """Be the one build in `out`; after the first moment its workers may share.

    Raises:
        CleanplateError: if another build, or a worker of one, holds it for longer than
            `patience` seconds.
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
    """Hold the set as a worker of the build that has it.

    Raises:
        CleanplateError: if another build is just taking it.
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
            # Some network file systems know no locks.
            _log.warning("this folder cannot be locked (%s): run one build at a time", error)
        return True
