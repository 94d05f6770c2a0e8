"""Run of all benchmarks: one table of ratios with their spread.

    python -m benchmarks                      the table
    python -m benchmarks --json FILE          and all of it as JSON
    python -m benchmarks --only matting       one part of:
                                              compositor loading matting starting predicting
                                              rates

Read the ratios: both sides of each were measured in turn in the same run. Absolute times depend on
the machine, which the JSON names.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.timing import Row, as_table
from cleanplate.engines.cores import available_cores
from cleanplate.models import find_model

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PARTS = ("compositor", "loading", "matting", "starting", "predicting", "rates")
LIBRARIES = (
    *("cleanplate", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "torch"),
    "webdataset",
)
SCHEMA = 1
MEMORY_LIMIT_4K = 1536  # MB


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--only", choices=PARTS, action="append", help="may be repeated")
    parser.add_argument("--model", help="a shipped or an exported model")
    parser.add_argument("--threads", type=int, default=min(2, available_cores()))
    parser.add_argument("--rounds", type=int, default=15, help="of the short pieces of work")
    options = parser.parse_args(arguments)
    document = measured(
        options.only or PARTS, options.model, options.threads, options.rounds, log=sys.stderr
    )
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0 if document["memory_4k_ok"] in (True, None) else 1


def measured(
    parts: tuple[str, ...] | list[str], model_name: str | None, threads: int, rounds: int, log: Any
) -> dict[str, Any]:
    """Run the parts, print the table of each, return everything as a document."""
    model = find_model(model_name)
    pair = (EXAMPLES / "plate.jpg", EXAMPLES / "frame.jpg")
    found: list[Row] = []
    stages: dict[str, dict[str, float]] = {}
    for part in parts:
        print(f"measuring: {part} ...", file=log)
        if part == "compositor":
            from benchmarks.composing import composing

            new = composing(rounds)
        elif part == "loading":
            from benchmarks.loading import loading

            with tempfile.TemporaryDirectory() as scratch:
                new = loading(max(3, rounds // 2), Path(scratch))
        elif part == "matting":
            from benchmarks.matting import matting

            new = matting(pair, model, threads, rounds)
        elif part == "starting":
            from benchmarks.processes import starting

            new = starting(pair, model, threads, max(3, rounds // 2))
        elif part == "rates":
            from benchmarks.rates import rates

            with tempfile.TemporaryDirectory() as scratch:
                new = rates(EXAMPLES, model, threads, max(3, rounds // 5), Path(scratch))
        else:
            from benchmarks.processes import predicting

            with tempfile.TemporaryDirectory() as scratch:
                new, stages = predicting(
                    EXAMPLES, model, threads, max(3, rounds // 3), Path(scratch)
                )
        found += new
        print(as_table(new), end="\n\n")
        for title, seconds in stages.items() if part == "predicting" else ():
            parts_text = ", ".join(f"{name} {taken:.2f}" for name, taken in seconds.items())
            print(f"Stages at {title}, seconds: {parts_text}")
    return document(found, stages, threads, model.card.get("name", model.folder.name))


def document(
    found: list[Row], stages: dict[str, dict[str, float]], threads: int, model: str
) -> dict[str, Any]:
    peaks = [row.extra["peak MB"] for row in found if "3840" in row.group and row.extra]
    return {
        "schema": SCHEMA,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {
            "cores": available_cores(),
            "processor": _processor(),
            "system": f"{platform.system()} {platform.machine()}",
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        },
        "versions": {"python": platform.python_version(), **_versions()},
        "threads": threads,
        "model": model,
        "rows": [row.as_json() for row in found],
        "stages": stages,
        "memory_4k_ok": max(peaks) < MEMORY_LIMIT_4K if peaks else None,
    }


def _versions() -> dict[str, str | None]:
    def of(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {name: of(name) for name in LIBRARIES}


def _commit() -> str | None:
    done = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout.strip() or None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
