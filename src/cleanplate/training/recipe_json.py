"""Recipes as JSON: saved beside a run's checkpoints, compared, and written as a command.

Recipes that earlier versions saved are read: `with_current_names` renames their fields.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cleanplate.files.atomic import replacing
from cleanplate.synthesis.compositor import settings as compositor
from cleanplate.training.recipes import RECIPES, Recipe

_RENAMED_FIELDS = {"loss": {"false_alarm": "empty_pair"}}
"""For a group of fields: name until version 0.1 -> name now."""


def with_current_names(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a saved recipe, its fields renamed from the names of earlier versions."""
    current = dict(saved)
    for group, names in _RENAMED_FIELDS.items():
        if isinstance(fields := current.get(group), Mapping):
            current[group] = _renamed(fields, names)
    data = current.get("data")
    if isinstance(data, Mapping) and isinstance(settings := data.get("compositor"), Mapping):
        current["data"] = {**data, "compositor": _renamed(settings, compositor.RENAMED)}
    return current


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in fields.items()}


def to_json(recipe: Recipe) -> dict[str, Any]:
    """Convert a recipe to plain JSON values: stages as `WxH:BATCH:SHARE`, paths as text."""
    values = dataclasses.asdict(recipe)
    values["stages"] = [str(stage) for stage in recipe.stages]
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def save(recipe: Recipe, path: Path) -> None:
    """Write a recipe as JSON, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(to_json(recipe), indent=2) + "\n", encoding="utf-8")


def changes(old: Mapping[str, Any], new: Recipe) -> list[str]:
    """List the fields in which a recipe differs from a saved one, as `field: old -> new`.

    A field that the saved one lacks, because an earlier version wrote it, counts as its default.
    The note is a description, and is not compared.
    """
    default = RECIPES.get(new.name, new)
    before = _flat(to_json(default)) | _flat(with_current_names(old))
    after = _flat(to_json(new))
    return [
        f"{key}: {before.get(key)} -> {after.get(key)}"
        for key in sorted((before.keys() | after.keys()) - {"note"})
        if listed(before.get(key)) != listed(after.get(key))
    ]


def listed(value: Any) -> list[Any]:
    """Return a saved field's values as a list; older recipes hold one folder, not a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested fields to one level: `{"loss": {"alpha": 1}}` to `{"loss.alpha": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def command_of(recipe: Mapping[str, Any]) -> str:
    """Return the shell command that starts a run of a saved recipe."""
    words = ["cleanplate", "train", recipe["name"]]
    default = _flat(to_json(RECIPES[recipe["name"]])) if recipe["name"] in RECIPES else {}
    for key, value in _flat(with_current_names(recipe)).items():
        if key in ("name", "note") or listed(default.get(key)) == listed(value):
            continue
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            head, _, last = flag.rpartition(".")
            no = "" if value else "no-"
            words.append(f"--{head}.{no}{last}" if head else f"--{no}{last}")
        else:
            words += [f"--{flag}", *(str(one) for one in listed(value))]
    return shlex.join(words)
