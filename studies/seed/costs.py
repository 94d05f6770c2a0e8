"""What networks cost: parameters, arithmetic, time on one core."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from cleanplate.training.networks import SeedNet
from studies.seed.experiments import Row, rows
from studies.seed.network import build
from studies.seed.settings import REPORT, SOUND, Scale, Settings

_ROUNDS = 9


def costs(scale: Scale) -> dict[str, Any]:
    """Measure the networks of the comparison at the scale's width and size.

    Returns:
        By row: parameters, gflop of a pair (a multiply-add counts as two), ms of a pair on one
        thread in float32, the median of interleaved rounds so that all meet the same machine.
    """
    wanted = {row.name: row for row in rows() if row.part in ("anchors", "others", "size")}
    found = {name: _counted(row.settings, scale) for name, row in wanted.items()}
    for name, ms in _timed(list(wanted.values()), scale).items():
        found[name]["ms"] = ms
    full = replace(scale, width=1.0, size=128)
    return {
        "rows": found,
        "report": {**_counted(REPORT, full), "by_use": _by_use()},
        "compact_full": _counted(replace(SOUND, network="compact"), full),
    }


def _counted(settings: Settings, scale: Scale) -> dict[str, Any]:
    model = build(settings, scale.width).eval()
    picture = torch.rand(1, 3, scale.size, scale.size)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(picture, picture)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "gflop": counter.get_total_flops() / 1e9,
    }


def _timed(wanted: list[Row], scale: Scale) -> dict[str, float]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    models = {row.name: build(row.settings, scale.width).eval() for row in wanted}
    picture = torch.rand(1, 3, scale.size, scale.size)
    times: dict[str, list[float]] = {name: [] for name in models}
    with torch.inference_mode():
        for _ in range(_ROUNDS + 2):
            for name, model in models.items():
                began = time.process_time()
                model(picture, picture)
                times[name].append(1000 * (time.process_time() - began))
    torch.set_num_threads(threads)
    return {name: round(statistics.median(spent[2:]), 3) for name, spent in times.items()}


def _by_use() -> int:
    """Parameters of the report's network counted at each use of a module, as its table does."""
    model, used = SeedNet(), list[int]()

    def count(module: torch.nn.Module, *_: object) -> None:
        used.append(sum(p.numel() for p in module.parameters(recurse=False)))

    for module in model.modules():
        module.register_forward_hook(count)
    with torch.inference_mode():
        model.eval()(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
    return sum(used)
