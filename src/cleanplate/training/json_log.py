"""A run's log as JSON Lines: one object a line, readable after the process was killed."""

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

_RENAMED_KEYS = {
    f"{part}/false_alarm": f"{part}/empty_pair" for part in ("train", "val", "val-raw")
}
"""Key in the logs of version 0.1 -> key now."""


class JsonLinesLogger(Logger):
    """Lightning logger that appends each step's values to a JSON Lines file.

    The line of step s holds what was logged after s steps were done.

    Args:
        path: of the file; made if it is not there.
        start: step that the run resumes from; lines of this step and later ones, which a killed
            process left, are removed.
    """

    def __init__(self, path: Path, start: int = 0):
        super().__init__()
        self.path = path
        if path.exists():
            _drop_from(path, start)

    @property
    def name(self) -> str:
        """Name of the logger, which Lightning requires."""
        return "lines"

    @property
    def version(self) -> str:
        """Empty; Lightning requires one."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Do nothing: `recipe.json` holds the hyperparameters."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one line."""
        values = {key: value for key, value in metrics.items() if key != "epoch"}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a log, with the current names of keys.

    A last line that is incomplete because the process was killed is left out.
    """
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            values = parse_json(line)
        except ValueError:
            break
        lines.append({_RENAMED_KEYS.get(key, key): value for key, value in values.items()})
    return lines


@rank_zero_only
def _drop_from(path: Path, start: int) -> None:
    kept = [line for line in read_log(path) if line["step"] < start]
    with replacing(path) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
