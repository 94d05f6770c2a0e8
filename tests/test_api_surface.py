"""Public names, signatures and options are those of the committed inventory, `api_surface.json`.

A changed, new or lost name or option fails here until the inventory is edited in the same change.
To write it anew after a change that was meant:

    python tests/test_api_surface.py        (or `make surface`)
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from cleanplate import cli

INVENTORY = Path(__file__).with_name("api_surface.json")
BASE = (
    "cleanplate",
    "cleanplate.depth",
    "cleanplate.diagnosis",
    "cleanplate.evaluation",
    "cleanplate.formats.pictures",
    "cleanplate.matte",
    "cleanplate.metrics",
    "cleanplate.pairs.pair_files",
    "cleanplate.pairs.protocols",
    "cleanplate.synthesis",
    "cleanplate.synthesis.compositor.settings",
)
TRAINING = (
    "cleanplate.training.checkpoint",
    "cleanplate.training.data.data_module",
    "cleanplate.training.export.model_export",
    "cleanplate.training.fit",
    "cleanplate.training.losses",
    "cleanplate.training.networks",
    "cleanplate.training.recipes",
)
"""Modules that need the extra `train`."""
COMMAND_LINE = "command line"
"""Under this key: each command with its arguments and options."""


def modules_here() -> tuple[str, ...]:
    return BASE + (TRAINING if find_spec("lightning") else ())


def public_names(module: ModuleType) -> list[str]:
    """`__all__`; without one, the functions and classes that the module itself defines."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )


def signature(function: Any) -> str:
    # Annotations are strings (`from __future__ import annotations`), so the text is the same in
    # every version of Python but for quotes and the wrapping in named tuples.
    text = re.sub(r"ForwardRef\('(\w+)'[^)]*\)", r"\1", str(inspect.signature(function)))
    return re.sub(r"['\"]", "", text)


def described(value: Any) -> Any:
    """A function's signature; a class's public members; otherwise the kind of thing it is."""
    if inspect.isclass(value):
        return {"class": _base(value), **members(value)}
    if inspect.isroutine(value):
        return signature(value)
    return type(value).__name__


def _base(kind: type) -> str:
    return ", ".join(base.__name__ for base in kind.__bases__ if base is not object) or "object"


def members(kind: type) -> dict[str, str]:
    found = {}
    if "__init__" in vars(kind) or dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        found["()"] = signature(kind)
    ours = [base for base in reversed(kind.__mro__) if base.__module__.startswith("cleanplate")]
    own_and_inherited = {name: value for base in ours for name, value in vars(base).items()}
    for name, value in sorted(own_and_inherited.items()):
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            found[name] = f"property -> {inspect.get_annotations(value.fget).get('return')}"
        elif isinstance(value, staticmethod | classmethod):
            found[name] = f"{type(value).__name__} {signature(value.__func__)}"
        elif inspect.isfunction(value):
            found[name] = signature(value)
        elif type(value).__name__ == "cached_property":
            found[name] = f"property -> {inspect.get_annotations(value.func).get('return')}"
    return found


def options(command: click.Command, name: str) -> dict[str, dict[str, str]]:
    """Each command below `command` by its full name, with what each parameter takes."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        found = {}
        for below in command.list_commands(context):
            child = command.get_command(context, below)
            assert child is not None
            found |= options(child, f"{name} {below}".strip())
        return found
    return {name: {_spelled(one): _taken(one) for one in command.params}}


def _spelled(parameter: click.Parameter) -> str:
    return " / ".join([*parameter.opts, *parameter.secondary_opts])


def _taken(parameter: click.Parameter) -> str:
    kind = parameter.type
    words = [f"[{'|'.join(kind.choices)}]" if isinstance(kind, click.Choice) else kind.name]
    if isinstance(parameter, click.Option) and parameter.is_flag:
        words = ["flag"]
    words += ["required"] * parameter.required + ["repeated"] * parameter.multiple
    return " ".join(words + ["any number"] * (parameter.nargs == -1))


def surface() -> dict[str, dict[str, Any]]:
    found = {}
    for name in modules_here():
        module = import_module(name)
        found[name] = {one: described(getattr(module, one)) for one in public_names(module)}
    return found | {COMMAND_LINE: options(cli.command, "")}


def flat(inventory: dict[str, Any], prefix: str = "") -> dict[str, str]:
    lines = {}
    for name, value in inventory.items():
        path = f"{prefix}.{name}" if prefix else name
        lines |= flat(value, path) if isinstance(value, dict) else {path: value}
    return lines


def written() -> str:
    return json.dumps(surface(), indent=2, ensure_ascii=False) + "\n"


def test_public_names_and_signatures_are_those_of_the_inventory() -> None:
    inventory = json.loads(INVENTORY.read_text(encoding="utf-8"))
    here = {*modules_here(), COMMAND_LINE}
    assert inventory.keys() == {*BASE, *TRAINING, COMMAND_LINE}
    kept = flat({name: inventory[name] for name in here})
    now = flat(surface())
    lost = {name: kept[name] for name in kept.keys() - now.keys()}
    new = {name: now[name] for name in now.keys() - kept.keys()}
    changed = {n: (kept[n], now[n]) for n in kept.keys() & now.keys() if kept[n] != now[n]}
    assert lost | new | changed == {}, (
        f"lost: {lost}\nnew: {new}\nchanged (inventory, now): {changed}\n"
        "If this was meant: make surface, and a line in CHANGELOG.md."
    )


def test_public_names_have_docstrings() -> None:
    for module_name in modules_here():
        module = import_module(module_name)
        for name in public_names(module):
            value = getattr(module, name)
            if inspect.isroutine(value) or inspect.isclass(value):
                assert inspect.getdoc(value), f"{module_name}.{name} has no docstring"


def test_a_name_that_goes_is_noticed() -> None:
    assert described(signature) == "(function: Any) -> str"
    assert flat({"module": {"name": {"class": "object", "()": "(x)"}}}) == {
        "module.name.class": "object",
        "module.name.()": "(x)",
    }


def test_an_option_that_goes_is_noticed() -> None:
    @click.command
    @click.argument("frames", nargs=-1)
    @click.option("-o", "--output", required=True)
    @click.option("--align", type=click.Choice(["on", "off"]))
    @click.option("--fit", is_flag=True)
    def command() -> None: ...

    assert options(command, "predict") == {
        "predict": {
            "frames": "text any number",
            "-o / --output": "text required",
            "--align": "[on|off]",
            "--fit": "flag",
        }
    }


if __name__ == "__main__":
    INVENTORY.write_text(written(), encoding="utf-8")
    print(f"wrote {INVENTORY}")
