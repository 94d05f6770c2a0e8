"""Processor cores that this process may use."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Count the processor cores that this process may run on, at least 1.

    Fewer than the machine has where the process is bound to some of them (`taskset`, containers).
    """
    if hasattr(os, "sched_getaffinity"):  # not every system lets processes be bound to cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
