"""Items of a rendering: written whole, found again, rejected with a reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.arrays import Picture
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import read_json
from cleanplate.formats.encoding import encode_jpeg, encode_png
from cleanplate.formats.pictures import to_uint8

REJECTED = "rejected"
"""Folder of the records of items that came to nothing."""


class Rejected(Exception):
    """An item that is useless, and why."""

    def __init__(self, reason: str, tried: Mapping[str, int] | None = None):
        super().__init__(reason)
        self.reason = reason
        self.tried = dict(tried or {})


@dataclass
class Item:
    """What is to be written of one item.

    Args:
        files: what follows the name (".jpg", "_depth.png") -> encoded bytes.
        facts: its JSON record.
    """

    facts: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)


def write(folder: Path, name: str, item: Item) -> None:
    """Write an item's files and, last, its record: an item with a record is whole.

    Raises:
        CleanplateError: if a file cannot be written.
    """
    for ending, data in item.files.items():
        with replacing(folder / f"{name}{ending}") as temporary:
            temporary.write_bytes(data)
    with replacing(folder / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(item.facts, indent=1) + "\n", encoding="utf-8")


def reject(folder: Path, name: str, rejected: Rejected) -> None:
    """Record that an item came to nothing, so that it is not tried again."""
    (folder / REJECTED).mkdir(exist_ok=True)
    with replacing(folder / REJECTED / f"{name}.json") as temporary:
        temporary.write_text(
            json.dumps({"reason": rejected.reason, "tried": rejected.tried}) + "\n",
            encoding="utf-8",
        )


def is_done(folder: Path, name: str) -> bool:
    """Tell whether an item is written or rejected."""
    return (folder / f"{name}.json").is_file() or (folder / REJECTED / f"{name}.json").is_file()


@dataclass(frozen=True)
class Account:
    """How many items there are, how many came to nothing, and what was rejected on the way."""

    accepted: int
    rejected: int
    reasons: dict[str, int]
    tries: dict[str, int]


def account(folder: Path, names: Iterable[str]) -> Account:
    """Count what became of some items."""
    accepted, reasons, tries = 0, Counter[str](), Counter[str]()
    for name in names:
        record = folder / f"{name}.json"
        if record.is_file():
            accepted += 1
        else:
            record = folder / REJECTED / f"{name}.json"
            if not record.is_file():
                continue
        facts = read_json(record)
        tries.update(facts.get("tried", {}))
        if "reason" in facts:
            reasons[facts["reason"]] += 1
    return Account(accepted, sum(reasons.values()), dict(reasons), dict(tries))


def name_of(index: int) -> str:
    """Give the name of item `index`."""
    return f"{index:05d}"


def png(plane: np.ndarray) -> bytes:
    """Encode (H, W) or RGB(A) as PNG."""
    return encode_png(plane, "small")


def jpeg(picture: Picture, quality: int = 94) -> bytes:
    """Encode (H, W, 3) in [0, 1] as JPEG."""
    return encode_jpeg(to_uint8(picture), quality)
