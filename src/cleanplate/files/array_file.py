"""Memory-mapped array file: the arrays of many items in one file, shared between processes.

File layout: the arrays one after another, each aligned to 64 bytes; a JSON index of all items; the
index length (uint64, little-endian); a 16-byte marker. A file without the marker is incomplete.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cleanplate.files.atomic import replacing, telling_write_faults
from cleanplate.files.json_files import parse_json

Array = npt.NDArray[Any]

_MARK = b"cleanplate array"
_END = struct.Struct(f"<Q{len(_MARK)}s")
_STEP = 64


class Item(NamedTuple):
    """Item of an array file: its arrays and their metadata.

    Attributes:
        name: key of the item, unique in the file.
        stamp: JSON value that identifies the inputs, for cache invalidation.
        facts: metadata, a JSON object.
        arrays: NumPy arrays of any shape and numeric dtype.
    """

    name: str
    stamp: Any
    facts: dict[str, Any]
    arrays: Sequence[Array]


class ArrayFile:
    """Open array file; its arrays are read-only views of the memory-mapped file.

    Memory pages are read from the disk on first access and shared by all processes that map the
    file. The mapping stays valid if the file is replaced or deleted.

    Attributes:
        made_by: identifier that was given to `write_arrays`.
        size: length of the file in bytes.
    """

    def __init__(self, memory: mmap.mmap, index: dict[str, Any]):
        self._memory, self._items = memory, index["items"]
        self.made_by = str(index["made_by"])
        self.size = len(memory)

    @classmethod
    def open(cls, path: Path) -> ArrayFile | None:
        """Map a file; None if it does not exist, is incomplete, or has another format."""
        try:
            with open(path, "rb") as file:
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            length, mark = _END.unpack(memory[-_END.size :])
            if mark != _MARK or length > len(memory) - _END.size:
                return None
            index = parse_json(memory[-_END.size - length : -_END.size])
            return cls(memory, index)
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            return None

    def __contains__(self, name: str) -> bool:
        return name in self._items

    def __len__(self) -> int:
        return len(self._items)

    def stamp(self, name: str) -> Any:
        """Return the stamp of an item.

        Raises:
            KeyError: if there is no item of that name.
        """
        return self._items[name][0]

    def item(self, name: str) -> Item:
        """Return an item; its arrays are read-only views of the file.

        Raises:
            KeyError: if there is no item of that name.
        """
        stamp, facts, layout = self._items[name]
        return Item(name, stamp, facts, [self._array(*one) for one in layout])

    def _array(self, kind: str, shape: list[int], offset: int) -> Array:
        count = int(np.prod(shape, dtype=np.int64))
        if not count:
            return np.zeros(shape, kind)
        flat: Array = np.frombuffer(self._memory, kind, count, offset)
        return flat.reshape(shape)


def write_arrays(path: Path, made_by: str, items: Iterable[Item]) -> None:
    """Write an array file atomically.

    Args:
        path: of the file; an existing one is replaced.
        made_by: identifier of the producer, stored in the index.
        items: consumed one at a time; if a name repeats, the last item counts.

    Raises:
        CleanplateError: if the file cannot be written.
    """
    index: dict[str, Any] = {}
    with replacing(path) as temporary, telling_write_faults(path), open(temporary, "wb") as out:
        at = 0
        for item in items:
            layout = []
            for array in item.arrays:
                at += out.write(bytes(-at % _STEP))
                layout.append((array.dtype.str, array.shape, at))
                at += out.write(np.ascontiguousarray(array).data)
            index[item.name] = (item.stamp, item.facts, layout)
        told = json.dumps({"made_by": made_by, "items": index}).encode()
        out.write(told)
        out.write(_END.pack(len(told), _MARK))
