"""Whether the learning rate still changes the weights: from a log, or from an optimiser."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.diagnosis.array_input import as_numpy
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import opened
from cleanplate.files.json_files import parse_json

RATE_NAMES = ("learning-rate", "learning_rate", "lr", "rate", "train/learning-rate", "train/lr")
LOSS_NAMES = ("train/total", "loss", "train/loss", "train_loss", "total")
SPENT = 0.99
"""Of rate x steps: after this nothing much happens."""


@dataclass(frozen=True)
class TrainingLog:
    """What a training wrote down: loss and learning rate by step or by epoch, in order.

    Either may be empty; they may have different lengths.
    """

    losses: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()


def spent_after(rates: Sequence[float], share: float = SPENT) -> float:
    """Give the part of a training after which `share` of its rate x steps is spent, in (0, 1].

    A constant rate gives `share` itself, a cosine 0.82, "times 0.01 every 2 of 9 epochs"
    0.22: what follows after that cannot change much.

    Args:
        rates: learning rate of each step or epoch, at equal distances.
        share: of the sum.
    """
    used = np.cumsum(np.maximum(np.asarray(rates, np.float64), 0))
    if not len(used) or used[-1] <= 0:
        return 1.0
    goal = share * used[-1]
    place = int(np.searchsorted(used, goal))
    before = used[place - 1] if place else 0.0
    inside = (goal - before) / max(used[place] - before, 1e-300)
    return float((place + inside) / len(used))


def relative_updates(optimiser: Any) -> list[float]:
    """Size of the next step against the size of the weights, for each parameter group.

    |step| / |weights|, from what a torch optimiser holds: momentum buffer or gradient times the
    rate; for Adam the ratio of its two averages. About 1e-3 is usual, below 1e-6 nothing is learned
    any more. Weight decay is left out.

    Args:
        optimiser: of torch (SGD, Adam, AdamW or alike), after a backward pass.

    Returns:
        One number a group; groups in which no parameter has a gradient are left out.
    """
    found = []
    for group in optimiser.param_groups:
        step = weight = 0.0
        seen = False
        for parameter in group["params"]:
            state = optimiser.state.get(parameter, {})
            change = _change(parameter, state, group)
            if change is None:
                continue
            seen = True
            step += float(np.square(change, dtype=np.float64).sum())
            weight += float(np.square(as_numpy(parameter), dtype=np.float64).sum())
        if seen:
            found.append(float(group["lr"]) * float(np.sqrt(step / max(weight, 1e-300))))
    return found


def _change(parameter: Any, state: Any, group: Any) -> Any:
    if "exp_avg" in state and "exp_avg_sq" in state:
        # Kingma & Ba 2015, algorithm 1, without the correction of the first steps.
        root = np.sqrt(as_numpy(state["exp_avg_sq"]))
        return as_numpy(state["exp_avg"]) / (root + float(group.get("eps", 1e-8)))
    buffer = state.get("momentum_buffer")
    if buffer is None:
        buffer = parameter.grad
    return None if buffer is None else as_numpy(buffer)


def read_training_log(
    path: str | Path, *, loss: str | None = None, rate: str | None = None
) -> TrainingLog:
    """Read loss and learning rate from a log: JSON lines, a JSON list of objects, or CSV.

    Args:
        path: `log.jsonl` of `cleanplate train`, or another program's file.
        loss: name of its column; None = the first known one of `LOSS_NAMES`.
        rate: likewise, of `RATE_NAMES`; names that begin with "lr-" (Lightning) are known too.

    Raises:
        CleanplateError: if it cannot be read, or has neither.
    """
    with opened(path) as stream:
        text = stream.read().decode("utf-8-sig", "replace")
    rows = _rows(text)
    names = dict.fromkeys(name for row in rows for name in row)
    loss = loss or next((n for n in LOSS_NAMES if n in names), None)
    lightning = [n for n in names if n.startswith(("lr-", "learning-rate"))]
    rate = rate or next((n for n in (*RATE_NAMES, *lightning) if n in names), None)
    log = TrainingLog(_column(rows, loss), _column(rows, rate))
    if not log.losses and not log.rates:
        shown = ", ".join(list(names)[:12]) or "none"
        raise CleanplateError(
            "has no column of losses or of learning rates",
            file=path,
            cure=f"Its columns: {shown}. Name them with --loss-column and --rate-column.",
        )
    return log


def _rows(text: str) -> list[dict[str, Any]]:
    stripped = text.lstrip()
    if stripped.startswith("["):
        try:
            listed = parse_json(text.encode())
        except ValueError:
            return []
        return [row for row in listed if isinstance(row, dict)]
    if stripped.startswith("{"):
        rows = []
        for line in text.splitlines():
            try:
                row = parse_json(line.encode())
            except ValueError:
                continue  # a line that a kill cut short
            if isinstance(row, dict):
                rows.append(row)
        return rows
    return [dict(row) for row in csv.DictReader(io.StringIO(text))]


def _column(rows: Sequence[dict[str, Any]], name: str | None) -> tuple[float, ...]:
    found = []
    for row in rows:
        try:
            found.append(float(row[name]))  # type: ignore[index]
        except (KeyError, TypeError, ValueError):
            continue  # a line of something else, such as a validation
    return tuple(found)
