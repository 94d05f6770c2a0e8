"""Rendered items on disk: written whole, found again, rejected with a reason."""

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
"""Folder of the JSON files of rejected items."""


class Rejected(Exception):
    """An item that was rejected, with the reason and the reasons of earlier attempts."""

    def __init__(self, reason: str, tried: Mapping[str, int] | None = None):
        super().__init__(reason)
        self.reason = reason
        self.tried = dict(tried or {})


@dataclass
class RenderedItem:
    """Contents of one item's files.

    Args:
        metadata: of its JSON file.
        files: ending of the name (".jpg", "_depth.png") -> encoded bytes.
    """

    metadata: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)


def write_item(folder: Path, name: str, item: RenderedItem) -> None:
    """Write an item's files and, last, its JSON, which marks it as complete.

    Raises:
        CleanplateError: if a file cannot be written.
    """
    for ending, data in item.files.items():
        with replacing(folder / f"{name}{ending}") as temporary:
            temporary.write_bytes(data)
    with replacing(folder / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(item.metadata, indent=1) + "\n", encoding="utf-8")


def write_rejection(folder: Path, name: str, rejected: Rejected) -> None:
    """Record that an item was rejected, so that it is not tried again."""
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
class ItemCounts:
    """Numbers of accepted and rejected items, and reasons by count, also of single attempts."""

    accepted: int
    rejected: int
    reasons: dict[str, int]
    tries: dict[str, int]


def count_items(folder: Path, names: Iterable[str]) -> ItemCounts:
    """Count accepted and rejected items."""
    accepted, reasons, tries = 0, Counter[str](), Counter[str]()
    for name in names:
        record = folder / f"{name}.json"
        if record.is_file():
            accepted += 1
        else:
            record = folder / REJECTED / f"{name}.json"
            if not record.is_file():
                continue
        metadata = read_json(record)
        tries.update(metadata.get("tried", {}))
        if "reason" in metadata:
            reasons[metadata["reason"]] += 1
    return ItemCounts(accepted, sum(reasons.values()), dict(reasons), dict(tries))


def item_name(index: int) -> str:
    """Give the name of item `index`."""
    return f"{index:05d}"


def png(plane: np.ndarray) -> bytes:
    """Encode (H, W) or RGB(A) as PNG."""
    return encode_png(plane, "small")


def jpeg(picture: Picture, quality: int = 94) -> bytes:
    """Encode (H, W, 3) in [0, 1] as JPEG."""
    return encode_jpeg(to_uint8(picture), quality)
