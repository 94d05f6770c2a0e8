"""Whole files spoiled in the ways that broken, cut and hostile files are; the same for one seed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np

HEADER = 96
"""Half of the changes lie in so many first bytes: there sizes, counts and offsets stand."""

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Change = Callable[[bytearray, np.random.Generator], None]


def mutant(files: dict[str, bytes], seed: int, index: int) -> tuple[str, bytes, str]:
    """Make mutant `index`: the name of its file, its bytes, and what was done to it.

    The files take turns. Nothing but `files`, `seed` and `index` matters.
    """
    random = np.random.default_rng([seed, index])
    name = list(files)[index % len(files)]
    data = bytearray(files[name])
    done = []
    for _ in range(int(random.choice([1, 1, 2, 4]))):
        kind = list(CHANGES)[int(random.integers(len(CHANGES)))]
        CHANGES[kind](data, random)
        done.append(kind)
    if data[:4] == b"\x89PNG" and random.random() < 0.7:
        # With right check sums the change reaches the decoder.
        data = _checked(data)
        done.append("check sums")
    return name, bytes(data), ", ".join(done)


def _place(data: bytearray, random: np.random.Generator) -> int:
    reach = min(len(data), HEADER) if random.random() < 0.5 else len(data)
    return int(random.integers(max(reach, 1)))


def _bit(data: bytearray, random: np.random.Generator) -> None:
    if data:
        data[_place(data, random)] ^= 1 << int(random.integers(8))


def _byte(data: bytearray, random: np.random.Generator) -> None:
    if data:
        data[_place(data, random)] = int(random.integers(256))


def _noise(data: bytearray, random: np.random.Generator) -> None:
    start, length = _place(data, random), int(random.integers(1, 33))
    end = min(start + length, len(data))
    data[start:end] = random.bytes(end - start)


def _extreme(data: bytearray, random: np.random.Generator) -> None:
    value = EXTREMES[int(random.integers(len(EXTREMES)))]
    form = ("<H", ">H", "<I", ">I")[int(random.integers(4))]
    size = struct.calcsize(form)
    start = min(_place(data, random), max(len(data) - size, 0))
    data[start : start + size] = struct.pack(form, value & (2 ** (8 * size) - 1))


def _cut(data: bytearray, random: np.random.Generator) -> None:
    del data[_place(data, random) :]


def _lose(data: bytearray, random: np.random.Generator) -> None:
    start = _place(data, random)
    del data[start : start + int(random.integers(1, 65))]


def _repeat(data: bytearray, random: np.random.Generator) -> None:
    start = _place(data, random)
    piece = data[start : start + int(random.integers(1, 129))]
    data[start:start] = piece * int(random.integers(1, 5))


def _insert(data: bytearray, random: np.random.Generator) -> None:
    start = _place(data, random)
    data[start:start] = random.bytes(int(random.integers(1, 33)))


def _zero(data: bytearray, random: np.random.Generator) -> None:
    start = _place(data, random)
    end = min(start + int(random.integers(1, 257)), len(data))
    data[start:end] = bytes(end - start)


def _digit(data: bytearray, random: np.random.Generator) -> None:
    """Another number where a number stands in letters, as in the heads of PNM and NPY."""
    digits = [i for i, value in enumerate(data[:HEADER]) if chr(value).isdigit()]
    if digits:
        start = digits[int(random.integers(len(digits)))]
        number = b"%d" % EXTREMES[int(random.integers(len(EXTREMES)))]
        data[start : start + 1] = number


CHANGES: dict[str, Change] = {
    "bit": _bit,
    "byte": _byte,
    "noise": _noise,
    "extreme": _extreme,
    "cut": _cut,
    "lost piece": _lose,
    "repeated piece": _repeat,
    "inserted bytes": _insert,
    "zeros": _zero,
    "number": _digit,
}


def _checked(data: bytearray) -> bytearray:
    """The PNG with the check sum of each whole chunk made right."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return data
