"""Reader of WebDataset shards: tar files in which the parts of a sample share a name.

    000017.plate.jpg        the plate, sRGB                                   (.jpg .png .webp)
    000017.frame.jpg        the frame
    000017.alpha.png        grey, 8 or 16 bit
    000017.foreground.png   straight colour; without it, the frame            (optional)
    000017.shadow.png       grey, 1 = untouched; without it, no shadow        (optional)
    000017.plate_depth.png  16-bit millimetres; or .npy, metres               (optional)
    000017.depth.png        the frame's, likewise                             (optional)
    000017.json             facts                                             (optional)

Of the JSON one key is used, the meaning of 0 and 65535 in a depth PNG (docs/depth.md):
`"depth_convention"` names it. Without it, the older `"depth_zero": "infinity"` or the key
`"world"` of rendered pairs means that 0 is infinitely far; else it is the convention `dataset`, in
which `synth build` writes: 0 = unknown, 65535 = infinitely far.

The library `webdataset` reads such files as a stream. Here they are read by position, so that a
resumed run gets the samples of an uninterrupted one, every rank gets its part whatever the number
of shards, and each epoch has another order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cleanplate.depth.depth_codec import (
    DATASET,
    OLDER_RECORD,
    RECORD,
    ZERO_IS_FAR,
    Convention,
    convention_named,
)
from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import parse_json
from cleanplate.files.listing import is_hidden
from cleanplate.training.data import build_manifest, sample_decoding
from cleanplate.training.data.tar_index import members

_NEEDED = ("plate", "frame", "alpha")
_PARTS = (*_NEEDED, "foreground", "shadow", "plate_depth", "depth", "json")
_COLUMN = {part: column for column, part in enumerate(_PARTS)}
_LARGEST_GAP = 1 << 16
"""Bytes between the parts of a sample that are read rather than skipped."""


class Shards:
    """The samples of all tar files in a folder, in the order of shard and sample names.

    Hidden files are ignored and, in a set of `cleanplate synth build`, unfinished shards. The index
    has some hundred bytes for each sample, in arrays that worker processes share.

    Args:
        folder: holds `*.tar`.

    Raises:
        CleanplateError: if there are none, one is damaged, or a sample lacks a part.
    """

    def __init__(self, folder: Path):
        found = sorted(f for f in folder.glob("*.tar") if not is_hidden(f.name))
        if not found:
            raise CleanplateError("there are no .tar shards", file=folder)
        self.files = build_manifest.finished_shards(folder, found)
        tables = [_index(file) for file in self.files]
        self._first = np.cumsum([0, *(len(table.names) for table in tables)])
        """Number of each shard's first sample, and of all samples."""
        self._names = np.concatenate([table.names for table in tables])
        self._offsets = np.concatenate([table.offsets for table in tables])
        self._lengths = np.concatenate([table.lengths for table in tables])
        self._npy = np.concatenate([table.npy for table in tables])

    def __len__(self) -> int:
        return int(self._first[-1])

    @property
    def nbytes(self) -> int:
        """Memory of the index in bytes."""
        arrays = (self._first, self._names, self._offsets, self._lengths, self._npy)
        return sum(array.nbytes for array in arrays)

    def name(self, number: int) -> str:
        """Return the name of a sample, which its parts share."""
        return bytes(self._names[number]).decode()

    def read(self, number: int) -> dict[str, Any]:
        """Read a sample at its stored size.

        Raises:
            CleanplateError: if a part cannot be decoded.
        """
        file = self.files[int(np.searchsorted(self._first, number, "right")) - 1]
        source = f"{file}:{self.name(number)}"
        with sample_decoding.name_in_errors(source):
            files = self._bytes(file, number)
            return {
                "source": source,
                "facts": _facts(files.get("json", b"{}")),
                **_decoded(files, self._npy[number]),
            }

    def _bytes(self, file: Path, number: int) -> dict[str, bytes]:
        """Read the parts of a sample by one read where they are adjacent, as mostly."""
        offsets, lengths = self._offsets[number], self._lengths[number].astype(np.int64)
        there = np.flatnonzero(offsets)
        first, last = int(offsets[there].min()), int((offsets + lengths)[there].max())
        begins = offsets - first
        try:
            with file.open("rb") as raw:
                if last - first <= 2 * int(lengths.sum()) + _LARGEST_GAP:
                    raw.seek(first)
                    span = raw.read(last - first)
                    cut = {_PARTS[i]: span[begins[i] : begins[i] + lengths[i]] for i in there}
                else:
                    cut = {}
                    for i in there:
                        raw.seek(int(offsets[i]))
                        cut[_PARTS[i]] = raw.read(int(lengths[i]))
        except OSError as error:
            raise CleanplateError(f"cannot be read ({error.strerror})") from error
        if any(len(cut[_PARTS[i]]) != lengths[i] for i in there):
            raise CleanplateError("the shard has become shorter", cure="Build or copy it again.")
        return cut


def _decoded(files: dict[str, bytes], npy: npt.NDArray[np.bool_]) -> dict[str, Any]:
    frame, alpha = (
        sample_decoding.decode_picture(files["frame"]),
        sample_decoding.decode_plane(files["alpha"]),
    )
    sample: dict[str, Any] = {
        "plate": sample_decoding.decode_picture(files["plate"]),
        "frame": frame,
        "foreground": sample_decoding.decode_picture(files["foreground"])
        if "foreground" in files
        else frame,
        "alpha": alpha,
        "shadow": sample_decoding.decode_plane(files["shadow"])
        if "shadow" in files
        else np.ones_like(alpha),
    }
    convention = _convention(_facts(files.get("json", b"{}")))
    for part, name in (("plate_depth", "plate_disparity"), ("depth", "disparity")):
        if part in files:
            sample[name] = sample_decoding.decode_disparity(
                files[part], npy=bool(npy[_COLUMN[part]]), convention=convention
            )
        else:
            sample[name] = np.full_like(alpha, np.nan)
    sample["subject_disparity"] = np.where(alpha >= 0.5, sample["disparity"], np.float32(np.nan))
    return sample


def _facts(text: bytes) -> dict[str, Any]:
    """Parse a sample's JSON; empty if it is no JSON object."""
    try:
        values = parse_json(text)
    except ValueError:  # other programs may store something else under this name
        return {}
    return values if isinstance(values, dict) else {}


def _convention(facts: dict[str, Any]) -> Convention:
    """Return the depth convention that a sample's JSON names, by default that of `synth build`."""
    if RECORD in facts:
        return convention_named(facts[RECORD])
    far = facts.get(OLDER_RECORD, "infinity" if "world" in facts else None) == "infinity"
    return ZERO_IS_FAR if far else DATASET


class _Table(NamedTuple):
    """Index of n samples with P kinds of parts, sorted by name."""

    names: npt.NDArray[np.bytes_]  # (n,) UTF-8
    offsets: npt.NDArray[np.int64]  # (n, P) in the file; 0 = there is no such part
    lengths: npt.NDArray[np.uint32]  # (n, P)
    npy: npt.NDArray[np.bool_]  # (n, P) whether the part is an array


def _index(file: Path) -> _Table:
    """Index the parts of the samples in a tar file."""
    rows: dict[bytes, int] = {}
    kinds: dict[bytes, tuple[int, bool]] = {}
    taken, places = [], []
    found = members(file)
    for number, name in enumerate(found.names):
        key, _, kind = name.partition(b".")
        if b"/" in kind:  # the dot is in a folder's name
            folder, _, base = name.rpartition(b"/")
            key, _, kind = base.partition(b".")
            key = folder + b"/" + key
        if kind not in kinds:
            part, dot, ending = kind.decode("utf-8", "replace").rpartition(".")
            known = part if dot else ending if ending == "json" else ""
            kinds[kind] = _COLUMN.get(known, -1), ending == "npy"
        column, is_array = kinds[kind]
        if column >= 0:
            taken.append(number)
            places.append((rows.setdefault(key, len(rows)), column, is_array))
    if not rows:
        raise CleanplateError("the shard holds no samples", file=file)
    row, column, is_array = np.array(places).T
    shape = (len(rows), len(_PARTS))
    offsets, lengths = np.zeros(shape, np.int64), np.zeros(shape, np.uint32)
    npy = np.zeros(shape, np.bool_)
    offsets[row, column], lengths[row, column] = found.offsets[taken], found.sizes[taken]
    npy[row, column] = is_array
    names = np.array(list(rows))
    lacking = np.argwhere(offsets[:, : len(_NEEDED)] == 0)
    if lacking.size:
        first = int(lacking[:, 0].min())
        missing = [_NEEDED[column] for row, column in lacking if row == first]
        raise CleanplateError(
            f"sample {bytes(names[first]).decode()} lacks {', '.join(missing)}", file=file
        )
    order = np.argsort(names, kind="stable")
    return _Table(names[order], offsets[order], lengths[order], npy[order])
