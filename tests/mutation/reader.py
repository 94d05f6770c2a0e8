"""The process that reads mutants, one after the other, and tells how each ended.

    python -m tests.mutation.reader MODULE:FUNCTION

Takes one JSON line for each file (its path), answers with one: what came of it, the processor
time it took and the peak of memory so far. What kills or stops this process is its parent's to see.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import re
import sys
import time
import traceback
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_alpha, read_image, read_rgba


def read_picture(path: Path) -> float:
    """Read it in each of the ways that the package has; what comes must be a picture.

    The processor time of the slowest way is given.
    """
    taken = [time.process_time()]
    with suppress(CleanplateError):  # colour is no matte
        matte = read_alpha(path)
        _must(matte, 2, np.float32)
        assert 0 <= matte.min() <= matte.max() <= 1
    taken.append(time.process_time())
    with suppress(CleanplateError):
        colour, alpha = read_rgba(path)
        _must(colour, 3, np.uint8, np.uint16)
        if alpha is not None:
            _must(alpha, 2, np.float32)
            assert alpha.shape == colour.shape[:2]
    taken.append(time.process_time())
    _must(read_image(path), 3, np.uint8, np.uint16)
    taken.append(time.process_time())
    return max(end - start for start, end in pairwise(taken))


def _must(array: np.ndarray, dimensions: int, *kinds: type) -> None:
    assert array.ndim == dimensions, array.shape
    assert array.size, array.shape
    assert array.dtype in kinds, array.dtype


def read_depth(path: Path) -> None:
    """Read it as depth, an array also as disparity; what comes must be depth."""
    from cleanplate import depth

    metres = depth.read_depth(path)
    assert metres.ndim == 2, metres.shape
    assert metres.dtype == np.float32, metres.dtype
    assert not (metres <= 0).any()
    with suppress(CleanplateError):  # whole numbers are no disparity, nor are other files
        assert depth.read_disparity(path).shape == metres.shape


def main() -> int:
    faulthandler.enable()
    module, function = sys.argv[1].split(":")
    read = getattr(importlib.import_module(module), function)
    for line in sys.stdin:
        path = Path(json.loads(line))
        slowest = None
        started = time.process_time()
        try:
            slowest = read(path)
            told = {"read": True}
        except CleanplateError as error:
            told = {"refused": str(error)}
        except BaseException:
            told = {"fault": traceback.format_exc()}
        seconds = time.process_time() - started if slowest is None else slowest
        told |= {"seconds": seconds, "peak": _peak()}
        # Not print: a decoder may have written on the same pipe.
        sys.stdout.write(f"\n{json.dumps(told)}\n")
        sys.stdout.flush()
    return 0


def _peak() -> float | None:
    """The largest memory of this process so far, in MB; None where the system does not tell."""
    # Linux counts in `ru_maxrss` what the parent had when it started this process.
    status = Path("/proc/self/status")
    if status.exists():
        line = re.search(r"VmHWM:\s+(\d+) kB", status.read_text("utf-8"))
        if line:
            return int(line[1]) / 1024
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


if __name__ == "__main__":
    raise SystemExit(main())
