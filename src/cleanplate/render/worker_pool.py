"""Pool of Blender worker processes: start, watch, restart; resumes where it stopped.

Blender runs in processes of its own (`render.blender_worker`), which end after a few items
because memory grows with every scene. A crash costs at most the current item.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cleanplate
from cleanplate.errors import CleanplateError, install_command
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import read_json
from cleanplate.render import rendered_items
from cleanplate.render.rendered_items import ItemCounts, Rejected
from cleanplate.render.scenes.asset_library import AssetLibrary

ITEMS_PER_PROCESS = {"plates": 12, "cutouts": 16, "pairs": 6}
"""Task -> items that one process renders; multiples of the items per scene or subject."""
PLAN = "render.json"
_MAX_CRASHES = 2
"""An item that ends its process this often is rejected."""
_MAX_FAILURES = 3
"""This many jobs in a row without a new item are an error."""


@dataclass(frozen=True)
class RenderRequest:
    """What to render; item i is the same for any number of processes.

    Args:
        task: plates, cutouts or pairs.
        assets: the asset folder.
        out: output folder.
        count: number of items, rejected ones included.
        seed: of everything that is drawn.
        size: (height, width) in pixels.
        scenes: kinds of scenes, in turn; () = all kinds in their usual shares.
    """

    task: str
    assets: Path
    out: Path
    count: int
    seed: int
    size: tuple[int, int]
    scenes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The items' names."""
        return [rendered_items.item_name(i) for i in range(self.count)]

    def count_items(self) -> ItemCounts:
        """Count accepted and rejected items."""
        return rendered_items.count_items(self.out, self.names)


def render_items(
    rendering: RenderRequest, *, processes: int = 2, python: str = sys.executable
) -> Iterator[int]:
    """Render missing items; yields the number of items done whenever it changes.

    Args:
        rendering: what to render. Stopped or killed, the same request resumes.
        processes: workers at a time, one thread each.
        python: an interpreter that has `bpy`; of this environment it needs only numpy, OpenCV
            and Pillow.

    Raises:
        CleanplateError: if the assets cannot be read, the interpreter has no Blender, the
            folder holds other items, or the workers fail again and again.
    """
    AssetLibrary(rendering.assets)
    _check_python(python)
    _write_or_compare_plan(rendering)
    with tempfile.TemporaryDirectory(prefix="render-") as scratch:
        pool = _WorkerPool(rendering, python, Path(scratch))
        try:
            yield from pool.run(processes)
        finally:
            pool.stop()


class _WorkerPool:
    def __init__(self, rendering: RenderRequest, python: str, scratch: Path):
        self.rendering, self.python, self.scratch = rendering, python, scratch
        step = ITEMS_PER_PROCESS[rendering.task]
        undone = [i for i in range(rendering.count) if not self._is_done(i)]
        groups: dict[int, list[int]] = {}
        for index in undone:
            groups.setdefault(index // step, []).append(index)
        self.jobs = deque(groups.values())
        self.done = rendering.count - len(undone)
        self.running: dict[subprocess.Popen[bytes], tuple[Path, list[int]]] = {}
        self.crashes = Counter[int]()
        self.failures = self.started = 0

    def run(self, processes: int) -> Iterator[int]:
        yield self.done
        waiting = 0
        while self.jobs or self.running:
            while self.jobs and len(self.running) < processes:
                self._start(self.jobs.popleft())
            time.sleep(0.1)
            for process in [p for p in self.running if p.poll() is not None]:
                self._finish(process)
            waiting = sum(not self._is_done(i) for _, job in self.running.values() for i in job)
            done = self.rendering.count - waiting - sum(len(job) for job in self.jobs)
            if done != self.done:
                self.done = done
                yield done

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def _is_done(self, index: int) -> bool:
        return rendered_items.is_done(self.rendering.out, rendered_items.item_name(index))

    def _start(self, indices: list[int]) -> None:
        path = self.scratch / f"{self.started}.json"
        self.started += 1
        job = {
            "task": self.rendering.task,
            "assets": str(self.rendering.assets.resolve()),
            "out": str(self.rendering.out.resolve()),
            "seed": self.rendering.seed,
            "size": self.rendering.size,
            "scenes": self.rendering.scenes,
            "indices": indices,
            "parent": os.getpid(),
        }
        path.write_text(json.dumps(job), encoding="utf-8")
        with path.with_suffix(".log").open("wb") as log:
            process = subprocess.Popen(
                [self.python, "-m", "cleanplate.render.blender_worker", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,  # Ctrl-C goes to this process alone
            )
        self.running[process] = path, indices

    def _finish(self, process: subprocess.Popen[bytes]) -> None:
        """Requeue what a worker left undone; reject an item that crashed it twice.

        Raises:
            CleanplateError: if it failed before any item, or too many did.
        """
        path, indices = self.running.pop(process)
        left = [i for i in indices if not self._is_done(i)]
        if not left:
            self.failures = 0
            return
        self.failures = self.failures + 1 if len(left) == len(indices) else 0
        started = path.with_suffix(".started")
        if not started.is_file() or self.failures >= _MAX_FAILURES:
            raise CleanplateError(
                f"a worker ended with code {process.returncode}: "
                f"{_last_line(path.with_suffix('.log'))}",
                file=self.rendering.out,
                cure="What is made stays: the same command goes on.",
            )
        at = int(started.read_text(encoding="utf-8"))
        self.crashes[at] += 1
        if at in left and self.crashes[at] >= _MAX_CRASHES:
            rendered_items.write_rejection(
                self.rendering.out, rendered_items.item_name(at), Rejected("crashed")
            )
            left.remove(at)
        if left:
            self.jobs.append(left)


def _environment() -> dict[str, str]:
    """Give workers this package and one thread: faster than one worker with two threads."""
    here = str(Path(cleanplate.__file__).parent.parent)
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def _check_python(python: str) -> None:
    code = "import sys, importlib.util as u; sys.exit(u.find_spec('bpy') is None)"
    try:
        has = subprocess.run([python, "-c", code], check=False, capture_output=True).returncode
    except OSError as error:
        raise CleanplateError(
            f"cannot be started ({error.strerror})", file=python, cure="Check --python."
        ) from error
    if has:
        raise CleanplateError(
            "has no Blender (the module bpy)",
            file=python,
            cure=f"{install_command('render', f'{python} -m pip')}\nBlender's module is for Python "
            "3.11 alone, best in an environment of its own, whose interpreter --python names.",
        )


def _write_or_compare_plan(rendering: RenderRequest) -> None:
    """Write what the folder holds, or compare it with what it holds already.

    Raises:
        CleanplateError: if it holds other items, or anything else.
    """
    plan: dict[str, Any] = {
        "format": 1,
        "task": rendering.task,
        "seed": rendering.seed,
        "size": list(rendering.size),
        "scenes": list(rendering.scenes),
    }
    path = rendering.out / PLAN
    rendering.out.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        try:
            before = read_json(path)
        except ValueError:
            before = {}
        before.setdefault("scenes", [])  # missing in plans of older versions
        other = [k for k, v in plan.items() if before.get(k) != v]
        if other:
            differs = ", ".join(f"{k} {before.get(k)} there, {plan[k]} asked for" for k in other)
            raise CleanplateError(
                f"holds another rendering: {differs}", file=path, cure="Choose another folder."
            )
        return
    if any(not one.name.startswith(".") for one in rendering.out.iterdir()):
        raise CleanplateError(
            "is not empty, and holds no rendering",
            file=rendering.out,
            cure="Give a new or an empty folder.",
        )
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plan) + "\n", encoding="utf-8")


def _last_line(log: Path) -> str:
    lines = [
        line
        for line in log.read_text(errors="replace", encoding="utf-8").splitlines()
        if line.strip()
    ]
    return lines[-1] if lines else "it said nothing"
