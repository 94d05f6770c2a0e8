"""`cleanplate doctor`: installed and missing libraries, models and execution providers."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import click

from cleanplate import __version__
from cleanplate.cli.json_output import JsonOutput, shows_summary
from cleanplate.cli.options import json_option
from cleanplate.engines.cores import available_cores
from cleanplate.errors import CleanplateError, install_command
from cleanplate.installation import declared

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# Other distributions of the same library, which can be used too.
_ALTERNATIVES = {
    "opencv-python-headless": [
        "opencv-python",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ],
    "onnxruntime": ["onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"],
}


@click.command(epilog="Example: cleanplate doctor --json -")
@json_option
@click.pass_context
def command(ctx: click.Context, json_output: JsonOutput | None) -> None:
    """Show what is installed and what is missing.

    The exit code is 1 if something that prediction needs is missing.
    """
    if json_output is not None:
        json_output.check()
    found = examine()
    if json_output is not None:
        json_output.write(found)
    if shows_summary(json_output, quiet=False):
        click.echo(_page(found))
    if not found["healthy"]:
        ctx.exit(1)


def examine() -> dict[str, Any]:
    """Examine this installation.

    Returns:
        `cleanplate`, `python`, `system`: strings;
        `cores`: the number of processor cores available to this process;
        `threads`: the value of OMP_NUM_THREADS, or None;
        `libraries`: name -> version, or None if it is missing;
        `extras`: name of the extra -> the same for its libraries for this system and this Python;
        `elsewhere`: name of the extra -> its libraries for other systems or Pythons alone -> their
        environment marker;
        `unfit`: "base" or name of the extra -> its libraries that are installed in another version
        than required -> the required version;
        `providers`: execution providers of ONNX Runtime, empty if it does not load;
        `exr`: whether EXR files can be read;
        `models`: name -> `{"problem": None or the error}`, and `"default": bool`;
        `healthy`: whether everything that prediction needs is there.
    """
    needs = declared()
    libraries = _versions(needs.base)
    providers = _providers()
    models = _models()
    return {
        "cleanplate": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": available_cores(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "libraries": libraries,
        "extras": {extra: _versions(some) for extra, some in needs.extras.items()},
        "elsewhere": {
            extra: {need.name: _where(need, extra) for need in some}
            for extra, some in needs.elsewhere.items()
        },
        "unfit": {
            group: unfit
            for group, some in {"base": needs.base, **needs.extras}.items()
            if (unfit := _unfit(some))
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


def _versions(needs: Iterable[Requirement]) -> dict[str, str | None]:
    return {name: _version(name) for name in sorted(need.name for need in needs)}


def _unfit(needs: Iterable[Requirement]) -> dict[str, str]:
    found = {need: _version(need.name) for need in needs}
    return {
        need.name: str(need.specifier)
        for need, there in found.items()
        if there is not None and not need.specifier.contains(there, prereleases=True)
    }


def _where(need: Requirement, extra: str) -> str:
    """Return a requirement's environment marker without the part that names the extra."""
    clauses = str(need.marker).split(" and ")
    return " and ".join(one.strip("()") for one in clauses if one != f'extra == "{extra}"')


def _version(name: str) -> str | None:
    for one in (name, *_ALTERNATIVES.get(name, ())):
        try:
            return version(one)
        except PackageNotFoundError:
            continue
    return None


def _providers() -> list[str]:
    try:
        import onnxruntime
    except ImportError:  # also when its own libraries do not load
        return []
    return list(onnxruntime.get_available_providers())


def _reads_exr() -> bool:
    try:
        from cleanplate.depth import exr
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
    lines += _rows(found["libraries"], found["unfit"].get("base", {}))
    for extra, libraries in found["extras"].items():
        elsewhere = found["elsewhere"].get(extra, {})
        only = ", ".join(f"{name} is for {where} alone" for name, where in elsewhere.items())
        unfit = found["unfit"].get(extra, {})
        whole = None not in libraries.values() and not unfit
        cure = f" ({only})" if only else "" if whole else f"  -> {install_command(extra)}"
        lines += ["", f"Extra {extra}{cure}", *_rows(libraries, unfit)]
    lines += ["", "Models"]
    lines += [
        f"  {name}{' (default)' if model['default'] else ''}: {model['problem'] or 'whole'}"
        for name, model in found["models"].items()
    ] or ["  none"]
    lines += ["", "Ready to predict." if found["healthy"] else "Not ready to predict."]
    return "\n".join(lines)


def _rows(libraries: dict[str, str | None], unfit: dict[str, str]) -> list[str]:
    return [
        f"  {name:24}{got or 'missing'}{f', not {unfit[name]}' if name in unfit else ''}"
        for name, got in libraries.items()
    ]
