"""Sets with planted faults, and the faults that the check reports."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.synthesis.inspection.check import check_set


def found(folder: Path, **options: Any) -> list[tuple[str, str]]:
    """Sample and part of each fault."""
    return [fault[:2] for fault in check_set(folder, **options).faults]


def rewrite(folder: Path, shard: str, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change the members of a shard and let its record and the set's totals speak true of it."""
    file = folder / f"{shard}.tar"
    with tarfile.open(file) as tar:
        parts = {member.name: tar.extractfile(member).read() for member in tar}
    change(parts)
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    record = folder / "records" / f"{shard}.json"
    told = json.loads(record.read_text(encoding="utf-8"))
    told["bytes"] = file.stat().st_size
    told["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    record.write_text(json.dumps(told), encoding="utf-8")
    settle(folder)


def settle(folder: Path) -> None:
    """Make `dataset.json` the sum of the records again."""
    digest, size = hashlib.sha256(), 0
    for record in sorted((folder / "records").iterdir()):
        digest.update(record.read_bytes())
        size += json.loads(record.read_text(encoding="utf-8"))["bytes"]
    whole = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    whole |= {"records_sha256": digest.hexdigest(), "bytes": size}
    (folder / "dataset.json").write_text(json.dumps(whole), encoding="utf-8")


def png(array: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", array)[1])


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
