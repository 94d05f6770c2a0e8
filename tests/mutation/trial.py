"""Many mutants, read in a process that may hang or die; every fault is named."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cleanplate.formats.decoding import MAX_PIXELS_VARIABLE
from tests.mutation.mutants import mutant

ROOT = Path(__file__).resolve().parent.parent.parent
READERS = {
    "pictures": "tests.mutation.reader:read_picture",
    "depths": "tests.mutation.reader:read_depth",
}
SECONDS = 3.0
"""Processor time that one reading of a file may take, whatever else the machine does."""

HANGS = 60.0
"""After so many seconds by the clock a file without an answer hangs."""

MAX_PIXELS = 2**25
"""Pixels that a file may claim: what only claims many is told from what takes long for few."""

PEAK = 1024.0
"""MB that the process may reach: the largest picture that is let in, with its copies."""


@dataclass
class Outcome:
    """What came of the mutants."""

    read: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    peak: float = 0.0

    def __str__(self) -> str:
        count = self.read + self.refused + len(self.faults)
        return (
            f"{count} mutants: {self.read} read, {self.refused} refused, {len(self.faults)} "
            f"faults; slowest {self.slowest:.2f} s, peak {self.peak:.0f} MB"
        )


@dataclass
class Limits:
    """What a file may take before it counts as a fault."""

    seconds: float = SECONDS
    hangs: float = HANGS
    peak: float = PEAK


def trial(
    files: dict[str, bytes],
    reader: str,
    indices: range,
    seed: int,
    *,
    limits: Limits | None = None,
    told: Callable[[int], object] = lambda _: None,
) -> Outcome:
    """Read the mutants of `indices`; `reader` is MODULE:FUNCTION. `told` hears of each index."""
    limits = limits or Limits()
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as folder, _Reading(reader) as reading:
        for index in indices:
            name, data, done = mutant(files, seed, index)
            path = Path(folder, name)
            path.write_bytes(data)
            fault = _one(reading, path, outcome, limits)
            if fault:
                outcome.faults.append(f"{index}, {name} ({done}): {fault}")
            told(index)
    return outcome


def _one(reading: _Reading, path: Path, outcome: Outcome, limits: Limits) -> str | None:
    """Read one file; what is wrong with how it went, if anything."""
    try:
        answer = reading.ask(path, limits.hangs)
    except TimeoutError:
        return f"hangs: no answer in {limits.hangs:g} s"
    except ChildProcessError as died:
        return str(died)
    outcome.slowest = max(outcome.slowest, answer["seconds"])
    outcome.peak = max(outcome.peak, answer["peak"] or 0)
    if "fault" in answer:
        return str(answer["fault"])
    if answer["seconds"] > limits.seconds:
        return f"takes {answer['seconds']:.1f} s"
    if (answer["peak"] or 0) > limits.peak:
        reading.stop()  # the peak would stay for the files to come
        return f"takes {answer['peak']:.0f} MB"
    if "refused" in answer:
        outcome.refused += 1
    else:
        outcome.read += 1
    return None


class _Reading:
    """A process of `reader.py`, started anew whenever it has ended."""

    def __init__(self, reader: str):
        self._command = [sys.executable, "-W", "error", "-m", "tests.mutation.reader", reader]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ask(self, path: Path, seconds: float) -> dict:
        """Have it read one file.

        Raises:
            TimeoutError: it did not answer in time, and was killed.
            ChildProcessError: it died; the message has the signal and its last words.
        """
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(str(path)) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._died()
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            self.stop()
            raise TimeoutError from None
        if line is None:
            self._died()
        return json.loads(line)

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()
        self._process = None
        self._words.close()

    def _start(self) -> None:
        # Closed when the process is stopped.
        self._words = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env={**os.environ, MAX_PIXELS_VARIABLE: str(MAX_PIXELS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        assert self._process.stdout is not None
        self._answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(
            target=_listen, args=(self._process.stdout, self._answers), daemon=True
        ).start()

    def _died(self) -> None:
        assert self._process is not None
        code = self._process.wait()
        self._words.seek(0)
        words = self._words.read()[-2000:].strip()
        self.stop()
        ended = f"died of signal {-code}" if code < 0 else f"ended with {code}"
        raise ChildProcessError(f"{ended}: {words}")


def _listen(pipe: IO[str], answers: queue.Queue[str | None]) -> None:
    for line in pipe:
        if line.startswith("{"):
            answers.put(line)
    answers.put(None)
