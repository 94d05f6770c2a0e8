"""`cleanplate doctor`: what is installed, what is missing, what this machine offers."""

from __future__ import annotations

import json
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import click

from cleanplate import __version__
from cleanplate.errors import CleanplateError

# Other distributions of the same library, which serve as well.
_TWINS = {
    "opencv-python-headless": [
        "opencv-python",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ],
    "onnxruntime": ["onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"],
}


@click.command(epilog="Example: cleanplate doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show what is installed and what is missing.

    Ends with exit code 1 if something that prediction needs is missing.
    """
    found = examine()
    click.echo(json.dumps(found, indent=2) if as_json else _page(found))
    if not found["healthy"]:
        ctx.exit(1)


def examine() -> dict[str, Any]:
    """Look at this installation.

    Returns:
        `cleanplate`, `python`, `system`: strings;
        `cores`: the processor cores that this process may use;
        `threads`: the value of OMP_NUM_THREADS, or None;
        `libraries`: name -> version, or None if it is missing;
        `extras`: name of the extra -> the same for its libraries;
        `providers`: what ONNX Runtime can compute on, empty if it does not load;
        `exr`: whether EXR files can be read;
        `models`: name -> `{"problem": None or what is wrong}`, and `"default": bool`;
        `healthy`: whether prediction has all it needs.
    """
    base, extras = _requirements()
    libraries = {name: _version(name) for name in base}
    providers = _providers()
    models = _models()
    return {
        "cleanplate": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": _cores(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "libraries": libraries,
        "extras": {
            extra: {name: _version(name) for name in names} for extra, names in extras.items()
        },
        "providers": providers,
        "exr": _reads_exr(),
        "models": models,
        "healthy": (
            None not in libraries.values()
            and bool(providers)
            and any(model["problem"] is None for model in models.values())
        ),
    }


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """Names of the base libraries and of each extra's, as the package itself declares them."""
    try:
        declared = requires("cleanplate") or []
    except PackageNotFoundError:  # run from a source tree that was never installed
        declared = []
    base: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in declared:
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"""extra\s*==\s*['"]([\w.-]+)['"]""", line)
        if name:
            (extras.setdefault(extra[1], []) if extra else base).append(name[0])
    return sorted(base), {extra: sorted(names) for extra, names in sorted(extras.items())}


def _version(name: str) -> str | None:
    for one in (name, *_TWINS.get(name, ())):
        try:
            return version(one)
        except PackageNotFoundError:
            continue
    return None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _providers() -> list[str]:
    try:
        import onnxruntime
    except ImportError:  # also when its own libraries do not load
        return []
    return list(onnxruntime.get_available_providers())


def _reads_exr() -> bool:
    try:
        from cleanplate import exr
    except ImportError:
        return False
    return exr.usable()


def _models() -> dict[str, dict[str, Any]]:
    from cleanplate.models import available_models, find_model

    try:
        default = find_model().folder.name
    except CleanplateError:
        default = None
    found: dict[str, dict[str, Any]] = {}
    for name in available_models():
        problem = None
        try:
            find_model(name)
        except CleanplateError as error:
            problem = str(error)
        found[name] = {"default": name == default, "problem": problem}
    return found


def _page(found: dict[str, Any]) -> str:
    threads = f", OMP_NUM_THREADS={found['threads']}" if found["threads"] else ""
    lines = [
        f"cleanplate {found['cleanplate']} on Python {found['python']}, {found['system']}",
        f"cores: {found['cores']}{threads}",
        f"onnxruntime computes on: {', '.join(found['providers']) or 'nothing, it does not load'}",
        f"EXR depth files: {'yes' if found['exr'] else 'no'}",
        "",
        "Libraries",
    ]
    if not found["libraries"]:
        lines.append("  run from a source tree that is not installed, so none is declared")
    lines += _rows(found["libraries"])
    for extra, libraries in found["extras"].items():
        whole = None not in libraries.values()
        cure = "" if whole else f"  -> pip install 'cleanplate[{extra}]'"
        lines += ["", f"Extra {extra}{cure}", *_rows(libraries)]
    lines += ["", "Models"]
    lines += [
        f"  {name}{' (default)' if model['default'] else ''}: {model['problem'] or 'whole'}"
        for name, model in found["models"].items()
    ] or ["  none"]
    lines += ["", "Ready to predict." if found["healthy"] else "Not ready to predict."]
    return "\n".join(lines)


def _rows(libraries: dict[str, str | None]) -> list[str]:
    return [f"  {name:24}{got or 'missing'}" for name, got in libraries.items()]
