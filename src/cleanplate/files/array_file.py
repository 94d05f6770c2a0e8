"""Arrays of many items in one file, which all processes map into memory and share.

The arrays lie one after the other, each at a multiple of 64 bytes; behind them a JSON index of
all items, its length, and a mark: a file that ends otherwise was not written to its end.
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
    """One item: arrays, with what is told of them.

    `stamp` says what the item was made from; `facts` is plain JSON.
    """

    name: str
    stamp: Any
    facts: dict[str, Any]
    arrays: Sequence[Array]


class ArrayFile:
    """The items of a file; their arrays are views of the mapped file and cannot be written to.

    The pages that are looked at are read from the disk once, and shared by all processes that
    map the file. It may be replaced or deleted meanwhile: what is mapped stays.
    """

    def __init__(self, memory: mmap.mmap, index: dict[str, Any]):
        self._memory, self._items = memory, index["items"]
        self.made_by = str(index["made_by"])
        self.size = len(memory)

    @classmethod
    def open(cls, path: Path) -> ArrayFile | None:
        """Map a file; None if it is not there, not whole, or something else."""
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
        """Tell what an item was made from."""
        return self._items[name][0]

    def item(self, name: str) -> Item:
        """Give an item."""
        stamp, facts, layout = self._items[name]
        return Item(name, stamp, facts, [self._array(*one) for one in layout])

    def _array(self, kind: str, shape: list[int], offset: int) -> Array:
        count = int(np.prod(shape, dtype=np.int64))
        if not count:
            return np.zeros(shape, kind)
        flat: Array = np.frombuffer(self._memory, kind, count, offset)
        return flat.reshape(shape)


def write_arrays(path: Path, made_by: str, items: Iterable[Item]) -> None:
    """Write a file of items, whole or not at all.

    Raises:
        CleanplateError: if it cannot be written.
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
