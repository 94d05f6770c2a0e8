"""Chunks of a set in several processes: killed workers, killed parents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.inspection.parallel import over_portions
from cleanplate.synthesis.inspection.stored_set import Chunk
from tests.synthesis.building import environment

PORTIONS = [Chunk(number, f"{number}.tar") for number in range(5)]


def square(portion: Chunk) -> tuple[int, int]:
    return portion.number**2, os.getpid()


def die_at_three(portion: Chunk) -> int:
    if portion.number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return portion.number


def complain(portion: Chunk) -> int:
    raise CleanplateError("is damaged", file=portion.title, cure="Build it again.")


def linger(portion: Chunk) -> int:
    print(os.getpid(), flush=True)
    time.sleep(120)
    return 0


@pytest.mark.parametrize("workers", [1, 2])
def test_every_chunk_is_processed_once(workers: int) -> None:
    found = list(over_portions(square, PORTIONS, workers))
    assert sorted((portion.number, answer[0]) for portion, answer in found) == [
        (number, number**2) for number in range(5)
    ]
    assert (os.getpid() in {answer[1] for _, answer in found}) == (workers == 1)


def test_a_killed_worker_is_an_error() -> None:
    with pytest.raises(CleanplateError, match="a worker process was killed"):
        list(over_portions(die_at_three, PORTIONS, 2))


def test_a_mistake_comes_through_whole() -> None:
    with pytest.raises(CleanplateError) as caught:
        list(over_portions(complain, PORTIONS, 2))
    assert caught.value.what == "is damaged"
    assert str(caught.value.file).endswith(".tar")
    assert str(caught.value).endswith("Build it again.")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    program = (
        "from cleanplate.synthesis.inspection.parallel import over_portions\n"
        "from tests.synthesis.test_parallel import PORTIONS, linger\n"
        "if __name__ == '__main__':\n"
        "    list(over_portions(linger, PORTIONS, 2))\n"
    )
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    told = environment()
    told["PYTHONPATH"] = os.pathsep.join([told["PYTHONPATH"], str(Path(__file__).parents[2])])
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=told,
    ) as parent:
        assert parent.stdout is not None
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
        parent.wait()
        # The pipe's end comes when the last process that holds it has gone.
        try:
            parent.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            for worker in workers:
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            pytest.fail("workers outlive their parent")
