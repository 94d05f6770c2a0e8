"""Building of sets: samples per second with one and two workers, and memory over a run.

    python benchmarks/building.py                          # procedural plates and cutouts
    python benchmarks/building.py --plates P --cutouts C    # folders in the catalogue's form
    python benchmarks/building.py --count 50000             # memory over a long run

Builds both presets by `cleanplate synth build`, with one worker and with two in turn. Prints JSON:
samples per second of wall time, milliseconds of CPU time per sample (which other processes disturb
less), the speed-up of two workers, and the memory of a worker over the run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cleanplate.engines.cores import available_cores

WORKERS = (1, 2)
ASSETS = 20
"""Plates, and as many cutouts, of the assignment; its placements follow from the count."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plates", type=Path)
    parser.add_argument("--cutouts", type=Path)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--size", default="224x224")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--presets", nargs="+", default=["assignment", "realistic"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        report = {preset: measured(preset, given, Path(scratch)) for preset in given.presets}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    report["machine"] = {"cores": available_cores(), "system": platform.machine(), "load": load}
    json.dump(report, sys.stdout, indent=1)
    print()


def measured(preset: str, given: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    rounds: dict[int, list[dict[str, Any]]] = {workers: [] for workers in WORKERS}
    for number in range(given.rounds):
        for workers in WORKERS:
            out = scratch / f"{preset}-{workers}-{number}"
            rounds[workers].append(built(preset, given, workers, out))
    rates = {
        workers: statistics.median(one["made"] / one["seconds"] for one in values)
        for workers, values in rounds.items()
    }
    return {
        "size": given.size,
        "samples": rounds[1][0]["samples"],
        "a second": {f"{workers} workers": round(rate, 1) for workers, rate in rates.items()},
        "growth from 1 to 2": round(rates[2] / rates[1], 2),
        "CPU ms a sample": {
            f"{workers} workers": round(
                statistics.median(1000 * one["cpu_seconds"] / one["made"] for one in values), 2
            )
            for workers, values in rounds.items()
        },
        "kB a sample": round(rounds[1][0]["bytes"] / rounds[1][0]["samples"] / 1000, 1),
        "memory": rounds[1][0]["memory"],
    }


def built(preset: str, given: argparse.Namespace, workers: int, out: Path) -> dict[str, Any]:
    """Build a set by the command, and return its JSON."""
    call = [sys.executable, "-m", "cleanplate", "synth", "build", "-o", str(out), "--json", "-"]
    for noun in ("plates", "cutouts"):
        folder = getattr(given, noun)
        call += [f"--{noun}", str(folder)] if folder else []
    if preset == "assignment":
        placements = math.ceil(given.count / ASSETS / ASSETS / 2)
        call += ["--placements", str(placements)]
        call += ["--plates-count", str(ASSETS), "--cutouts-count", str(ASSETS)]
    else:
        call += ["--count", str(given.count)]
    call += ["--preset", preset, "--size", given.size, "--workers", str(workers)]
    call += ["--assume-license", "measured, not passed on"]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True)
    values: dict[str, Any] = json.loads(done.stdout)
    return values


if __name__ == "__main__":
    main()
