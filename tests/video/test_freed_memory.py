"""Freed memory that is kept: counted in page faults, in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, sys
import numpy as np
from cleanplate.video.freed_memory import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def frame():
    planes = [np.full(900_000, 1.0, np.float32) for _ in range(3)]
    return sum(float(plane[0]) for plane in planes)

for _ in range(3):
    frame()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    frame()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(argument: str, **environment: str) -> int:
    made = subprocess.run(
        [sys.executable, "-c", COUNT, argument],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        timeout=120,
    )
    return int(made.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a parameter of glibc")
def test_arrays_are_allocated_again_without_page_faults():
    assert faults("kept") < 100
    # Ten frames of 10.8 MB are 26,000 pages, if each is given back and cleared again.
    assert faults("kept", MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072") > 1000
