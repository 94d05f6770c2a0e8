"""`cleanplate doctor`: what is installed, what is missing, what this machine offers."""

from __future__ import annotations

import json
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import Any

import click

from cleanplate import __version__


@click.command(epilog="Example: cleanplate doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(as_json: bool) -> None:
    """Show what is installed and what is missing."""
    found = examine()
    click.echo(json.dumps(found, indent=2) if as_json else _table(found))


def examine() -> dict[str, Any]:
    """Look at this installation.

    Returns:
        `cleanplate`, `python`, `system`: strings; `cores`: those this process may use;
        `libraries`: name -> version or None; `extras`: extra -> the same; `providers`: of
        ONNX Runtime, or None where it does not load.
    """
    base, extras = _requirements()
    return {
        "cleanplate": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": _cores(),
        "libraries": {name: _version(name) for name in base},
        "extras": {
            extra: {name: _version(name) for name in names} for extra, names in extras.items()
        },
        "providers": _providers(),
    }


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """Names of the base libraries, and of each extra's, as the package itself declares them."""
    try:
        declared = requires("cleanplate") or []
    except PackageNotFoundError:
        declared = []
    base: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in declared:
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"""extra\s*==\s*['"]([\w.-]+)['"]""", line)
        if name:
            (extras.setdefault(extra[1], []) if extra else base).append(name[0])
    return base, extras


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _providers() -> list[str] | None:
    if find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _table(found: dict[str, Any]) -> str:
    lines = [f"cleanplate {found['cleanplate']}, Python {found['python']}, {found['system']}"]
    lines += [f"  {name:24} {got or 'MISSING'}" for name, got in found["libraries"].items()]
    return "\n".join(lines)
