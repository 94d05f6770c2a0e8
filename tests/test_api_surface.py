"""The public names and signatures are those of the committed inventory, `api_surface.json`.

A changed, new or lost public name fails here until the inventory is edited in the same change.
To write it anew after a change that was meant:

    python tests/test_api_surface.py        (or `make surface`)
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

INVENTORY = Path(__file__).with_name("api_surface.json")
ROOMS = (
    "cleanplate",
    "cleanplate.depth",
    "cleanplate.matte",
    "cleanplate.metrics",
    "cleanplate.formats.pictures",
)


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


def surface() -> dict[str, dict[str, Any]]:
    found = {}
    for room in ROOMS:
        module = import_module(room)
        found[room] = {name: described(getattr(module, name)) for name in public_names(module)}
    return found


def flat(inventory: dict[str, Any], prefix: str = "") -> dict[str, str]:
    lines = {}
    for name, value in inventory.items():
        path = f"{prefix}.{name}" if prefix else name
        lines |= flat(value, path) if isinstance(value, dict) else {path: value}
    return lines


def written() -> str:
    return json.dumps(surface(), indent=2, ensure_ascii=False) + "\n"


def test_public_names_and_signatures_are_those_of_the_inventory() -> None:
    kept, now = flat(json.loads(INVENTORY.read_text(encoding="utf-8"))), flat(surface())
    lost = {name: kept[name] for name in kept.keys() - now.keys()}
    new = {name: now[name] for name in now.keys() - kept.keys()}
    changed = {n: (kept[n], now[n]) for n in kept.keys() & now.keys() if kept[n] != now[n]}
    assert lost | new | changed == {}, (
        f"lost: {lost}\nnew: {new}\nchanged (inventory, now): {changed}\n"
        "If this was meant: make surface, and a line in CHANGELOG.md."
    )


def test_public_names_have_docstrings() -> None:
    for room in ROOMS:
        module = import_module(room)
        for name in public_names(module):
            value = getattr(module, name)
            if inspect.isroutine(value) or inspect.isclass(value):
                assert inspect.getdoc(value), f"{room}.{name} says nothing about itself"


def test_a_name_that_goes_is_noticed() -> None:
    assert described(signature) == "(function: Any) -> str"
    assert flat({"room": {"name": {"class": "object", "()": "(x)"}}}) == {
        "room.name.class": "object",
        "room.name.()": "(x)",
    }


if __name__ == "__main__":
    INVENTORY.write_text(written(), encoding="utf-8")
    print(f"wrote {INVENTORY}")
