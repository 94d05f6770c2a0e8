"""WebDataset shards: tar files in which the parts of a sample share a name.

    000017.plate.jpg        the plate, sRGB                                   (.jpg .png .webp)
    000017.frame.jpg        the frame
    000017.alpha.png        grey, 8 or 16 bit
    000017.foreground.png   straight colour; without it, the frame            (optional)
    000017.shadow.png       grey, 1 = untouched; without it, no shadow        (optional)
    000017.plate_depth.png  16-bit millimetres, 0 = unknown; or .npy, metres  (optional)
    000017.depth.png        the frame's, likewise                             (optional)
    000017.json             anything; not read                                (optional)

The library `webdataset` reads such files as a stream. Here they are read by position: only so
is a resumed run the run that was never stopped, does every rank get its share whatever the
number of shards, and is the order a new one each epoch.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cleanplate.depth import depth_to_disparity
from cleanplate.errors import CleanplateError
from cleanplate.pictures import read_alpha, read_image

_NEEDED = ("plate", "frame", "alpha")
_PARTS = (*_NEEDED, "foreground", "shadow", "plate_depth", "depth")


@dataclass(frozen=True)
class _Part:
    shard: int
    offset: int
    length: int
    ending: str


class Shards:
    """The samples of all tar files in a folder, in the order of shard and sample names.

    Args:
        folder: holds `*.tar`.

    Raises:
        CleanplateError: if there are none, one is damaged, or a sample lacks a part.
    """

    def __init__(self, folder: Path):
        self.files = sorted(folder.glob("*.tar"))
        if not self.files:
            raise CleanplateError("there are no .tar shards", file=folder)
        self._samples: list[tuple[str, dict[str, _Part]]] = []
        for number, file in enumerate(self.files):
            self._samples += sorted(_index(number, file).items())

    def __len__(self) -> int:
        return len(self._samples)

    def name(self, number: int) -> str:
        """Give the name that the parts of a sample share."""
        return self._samples[number][0]

    def read(self, number: int) -> dict[str, Any]:
        """Read a sample at the size it is stored in.

        Raises:
            CleanplateError: if a part cannot be decoded.
        """
        name, parts = self._samples[number]
        source = f"{self.files[parts['frame'].shard]}:{name}"
        try:
            frame = read_image(self._open(parts["frame"]))
            alpha = read_alpha(self._open(parts["alpha"]))
            sample: dict[str, Any] = {
                "source": source,
                "plate": read_image(self._open(parts["plate"])),
                "frame": frame,
                "foreground": frame,
                "alpha": alpha,
                "shadow": np.ones_like(alpha),
            }
            if "foreground" in parts:
                sample["foreground"] = read_image(self._open(parts["foreground"]))
            if "shadow" in parts:
                sample["shadow"] = read_alpha(self._open(parts["shadow"]))
            for depth, disparity in (("plate_depth", "plate_disparity"), ("depth", "disparity")):
                sample[disparity] = np.full_like(alpha, np.nan)
                if depth in parts:
                    sample[disparity] = self._disparity(parts[depth])
        except CleanplateError as error:
            raise CleanplateError(error.what, file=source, cure=error.cure) from error
        sample["subject_disparity"] = np.where(alpha >= 0.5, sample["disparity"], np.nan)
        return sample

    def _open(self, part: _Part) -> io.BytesIO:
        with self.files[part.shard].open("rb") as file:
            file.seek(part.offset)
            return io.BytesIO(file.read(part.length))

    def _disparity(self, part: _Part) -> npt.NDArray[np.float32]:
        if part.ending == "npy":
            depth = np.load(self._open(part), allow_pickle=False).astype(np.float32)
        else:
            grey = read_image(self._open(part))[..., 0]
            if grey.dtype != np.uint16:
                raise CleanplateError("an 8-bit picture is no depth", cure="16-bit PNG or NPY")
            depth = grey.astype(np.float32) / 1000
        return np.asarray(depth_to_disparity(depth), np.float32)


def _index(number: int, file: Path) -> dict[str, dict[str, _Part]]:
    """Where each part of each sample lies in an uncompressed tar file."""
    samples: dict[str, dict[str, _Part]] = {}
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                folder, _, base = member.name.rpartition("/")
                key, _, rest = base.partition(".")
                part, _, ending = rest.rpartition(".")
                if part in _PARTS:
                    place = _Part(number, member.offset_data, member.size, ending)
                    samples.setdefault(f"{folder}/{key}".lstrip("/"), {})[part] = place
        with file.open("rb") as raw:
            whole = raw.seek(0, io.SEEK_END)
            raw.seek(max(0, whole - tarfile.BLOCKSIZE))
            ended = not any(raw.read())
    except (tarfile.TarError, OSError) as error:
        raise CleanplateError(
            f"the shard cannot be read ({error})", file=file, cure="Build or copy it again."
        ) from error
    if not ended:
        raise CleanplateError("the shard is cut short", file=file, cure="Build or copy it again.")
    if not samples:
        raise CleanplateError("the shard holds no samples", file=file)
    for key, parts in samples.items():
        missing = [part for part in _NEEDED if part not in parts]
        if missing:
            raise CleanplateError(f"sample {key} lacks {', '.join(missing)}", file=file)
        if any(part.offset + part.length > whole for part in parts.values()):
            raise CleanplateError(f"the shard is cut short in sample {key}", file=file)
    return samples
