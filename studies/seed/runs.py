"""Every training once: which are left, who does them, where their figures lie."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cleanplate.engines.cores import available_cores
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import read_json
from cleanplate.training.networks import PairNetwork
from studies.seed.experiments import Row, rows
from studies.seed.measures import NotFiniteError, answers, figures, measure
from studies.seed.network import build
from studies.seed.sets import Pairs, spread
from studies.seed.settings import TEACHER, Scale, Settings
from studies.seed.training import nearness, train

_TEACHER_SEED = 0


@dataclass(frozen=True)
class Run:
    """A training with its seed.

    Args:
        settings: of the training.
        seed: of the weights, the order and everything drawn.
        keep: keep the weights.
    """

    settings: Settings
    seed: int
    keep: bool = False

    @property
    def name(self) -> str:
        """Follows from the settings, so that a changed row is trained anew."""
        text = json.dumps(asdict(self.settings), sort_keys=True)
        return f"{hashlib.sha256(text.encode()).hexdigest()[:12]}-{self.seed}"


_FIRST = frozenset({"task1", "anchors", "rates", "longer"})
"""Parts that all else leans on; their seeds come before the others' second ones."""


def seeds_of(row: Row, scale: Scale) -> int:
    """Give the number of a row's trainings at a scale."""
    kind = 0 if row.part in _FIRST else 1 if row.part.startswith("suspect") else 2
    return min(row.seeds, scale.seeds[kind])


def _turn(entry: tuple[Row, int]) -> tuple[bool, bool, int, bool]:
    """Sort rows with their seeds: a study stopped half-way has something of everything."""
    row, seed = entry
    return seed > 0, row.part not in _FIRST, seed, not row.part.startswith("suspect")


def planned(scale: Scale, seeds: int | None = None) -> list[Run]:
    """Give every training once, in order: one seed of each, then the other seeds."""
    found: dict[str, Run] = {}
    wanted = [row for row in rows() if scale.more > 1 or not row.settings.more]
    counts = {row: min(row.seeds, seeds) if seeds else seeds_of(row, scale) for row in wanted}
    for row, seed in sorted(((r, s) for r in wanted for s in range(counts[r])), key=_turn):
        run = Run(row.settings, seed, row.keep and seed < (2 if row.part in _FIRST else 1))
        known = found.get(run.name, run)
        found[run.name] = replace(run, keep=run.keep or known.keep)
    return list(found.values())


@dataclass(frozen=True)
class Workspace:
    """Where the trainings of a scale happen.

    Args:
        scale: of the study.
        work: its folder; `runs/` holds figures, `weights/` what pictures are drawn from.
        sets: file by part of the data, from `sets.prepare`.
    """

    scale: Scale
    work: Path
    sets: dict[str, Path]

    def figures(self, run: Run) -> Path:
        """Where a training's figures lie; when they are there, it is done."""
        return self.work / "runs" / f"{run.name}.json"

    def weights(self, run: Run) -> Path:
        """Where its weights lie, if they are kept."""
        return self.work / "weights" / f"{run.name}.pt"

    def is_done(self, run: Run) -> bool:
        """Tell whether nothing is left to do."""
        return self.figures(run).is_file() and (not run.keep or self.weights(run).is_file())

    def read(self, run: Run) -> dict[str, Any] | None:
        """Read a training's figures; None if it is not done."""
        file = self.figures(run)
        found: dict[str, Any] | None = read_json(file) if file.is_file() else None
        return found

    def keep(self, run: Run, found: Mapping[str, Any]) -> None:
        """Write a training's figures, whole or not at all: it is done."""
        told = {"settings": asdict(run.settings), "scale": asdict(self.scale), **found}
        self.figures(run).parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.figures(run)) as path:
            path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def claim_folder(scale: Scale, work: Path) -> None:
    """Keep a folder for one scale: what lies in it is not made again.

    Raises:
        CleanplateError: if it holds another scale's data, or some of unknown scale.
    """
    file = work / "scale.json"
    told = json.loads(json.dumps({**asdict(scale), "device": "any"}))
    if file.is_file():
        if read_json(file) == told:
            return
    elif not list(work.glob("*.npz")):
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as path:
            path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        return
    raise CleanplateError(
        "holds the data of a scale with other sizes or numbers",
        file=work,
        cure="Choose another folder with --work, or remove this one.",
    )


class Clock:
    """Wall-clock seconds that a study has taken, over all its calls; a killed one counts, too.

    Args:
        work: the study's folder.
    """

    def __init__(self, work: Path):
        self.file = work / "clock.json"
        self._began = time.monotonic()
        self._before = self.read()

    def read(self) -> dict[str, Any]:
        """Give seconds, and processes, threads and cores of the last call; empty before."""
        return dict(read_json(self.file)) if self.file.is_file() else {}

    def note(self, processes: int, threads: int) -> None:
        """Write what has passed until now."""
        told = {
            "seconds": round(self._before.get("seconds", 0) + time.monotonic() - self._began, 1),
            "processes": processes,
            "threads": threads,
            "cores": available_cores(),
        }
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.file) as path:
            path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def load(settings: Settings, scale: Scale, weights: Path) -> torch.nn.Module:
    """Load a network whose weights were kept."""
    model = build(settings, scale.width)
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.eval().to(scale.device)


def carry_out(
    workspace: Workspace, runs: Sequence[Run], processes: int, threads: int = 1
) -> Iterator[Run]:
    """Do what is not done, in order, `threads` threads each; gives each run as it ends.

    A run's figures are written whole or not at all: stopped or killed, the same call goes on.
    """
    set_up(threads)
    for folder in ("runs", "weights"):
        for half in (workspace.work / folder).glob(".*"):  # left by a process that was killed
            half.unlink()
    left = [run for run in runs if not workspace.is_done(run)]
    taught = teacher_run()
    if any(run.settings.teacher == "monocular" for run in left) and not workspace.is_done(taught):
        _carry_out_one(workspace, taught)  # others learn from it
        left = [run for run in left if run.name != taught.name]
        yield taught
    if processes <= 1:
        for run in left:
            _carry_out_one(workspace, run)
            yield run
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _start, (threads,)) as pool:
        waiting = {pool.submit(_carry_out_one, workspace, run): run for run in left}
        try:
            for future in as_completed(waiting):
                future.result()
                yield waiting[future]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start(threads: int) -> None:
    """Ctrl-C is the parent's to handle; one thread each is faster than two that share."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_up(threads)


def set_up(threads: int) -> None:
    """Set how torch computes in this process."""
    torch.set_num_threads(threads)
    # A tenth of the time: gradients of saturated outputs are full of numbers below 1e-38.
    torch.set_flush_denormal(True)


def teacher_run() -> Run:
    """Give the monocular network that the rows with such a teacher learn from."""
    return Run(TEACHER, _TEACHER_SEED, keep=True)


def _carry_out_one(workspace: Workspace, run: Run) -> None:
    began = time.process_time()
    settings = run.settings
    training = _part(workspace.sets[f"{settings.data}/{'more' if settings.more else 'train'}"])
    if settings.teacher == "monocular":
        training = replace(
            training,
            relative=_taught(
                workspace.scale,
                workspace.weights(teacher_run()),
                workspace.sets["assignment/train"],
            ),
        )

    def look(model: PairNetwork) -> dict[str, float]:
        known = _part(workspace.sets[f"{settings.data}/known"])
        try:
            return figures(settings, answers(settings, workspace.scale, model, known), known)
        except NotFiniteError:
            return {}

    model, course = train(
        settings, workspace.scale, training, run.seed, look=look if settings.more else None
    )
    trained = time.process_time() - began
    checks = {
        "known": f"{settings.data}/known",
        "new": f"{settings.data}/new",
        "pairs/clean": "pairs/clean",
        "pairs/camera": "pairs/camera",
    }
    sets = {
        name: _part(workspace.sets[file]) for name, file in checks.items() if file in workspace.sets
    }
    sets["train"] = _part(workspace.sets[f"{settings.data}/train"])[: workspace.scale.validation]
    measured: dict[str, dict[str, float]] = {}
    if not course.diverged:
        try:
            measured = measure(settings, workspace.scale, model, sets, run.seed)
        except NotFiniteError:
            course.diverged = True
    found = {
        "seed": run.seed,
        "course": asdict(course),
        # A network that has blown up has no figures. That is a result, too.
        "figures": measured,
        "parameters": sum(p.numel() for p in model.parameters()),
        "cpu_seconds": round(trained, 2),
    }
    if run.keep:
        workspace.weights(run).parent.mkdir(parents=True, exist_ok=True)
        with replacing(workspace.weights(run)) as path:
            torch.save(model.state_dict(), path)
    workspace.keep(run, found)


@lru_cache(12)
def _part(file: Path) -> Pairs:
    return Pairs.load(file)


@lru_cache(1)
def _taught(scale: Scale, weights: Path, frames: Path) -> npt.NDArray[np.float32]:
    """Ask the monocular teacher about the training frames; spread over [0, 1]."""
    said = answers(TEACHER, scale, load(TEACHER, scale, weights), _part(frames))
    assert said.depth is not None
    return np.stack([spread(one) for one in nearness(TEACHER, said.depth)])


def found(workspace: Workspace, row: Row) -> list[dict[str, Any]]:
    """Give the figures of a row, one for each of its seeds that is done."""
    done = (workspace.read(Run(row.settings, seed)) for seed in range(row.seeds))
    return [one for one in done if one is not None]
