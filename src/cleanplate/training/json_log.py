"""The run's figures as JSON lines: one object a line, readable after a kill."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import parse_json


class LineLog(Logger):
    """Append to `path`; lines at or after step `start`, left by a killed part, are dropped.

    The line of step s holds what was logged after s steps were done.
    """

    def __init__(self, path: Path, start: int = 0):
        super().__init__()
        self.path = path
        if path.exists():
            _drop_from(path, start)

    @property
    def name(self) -> str:
        """Lightning asks for it."""
        return "lines"

    @property
    def version(self) -> str:
        """Lightning asks for it."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Do nothing: the recipe lies beside the log already."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """One line."""
        values = {key: value for key, value in metrics.items() if key != "epoch"}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a log; a last line that a kill cut short is left out."""
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            lines.append(parse_json(line))
        except ValueError:
            break
    return lines


@rank_zero_only
def _drop_from(path: Path, start: int) -> None:
    kept = [line for line in read_log(path) if line["step"] < start]
    with replacing(path) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
