"""One part of a stored sample: its bytes, decoded on demand."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.depth.depth_codec import DATASET, encode
from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import parse_json
from cleanplate.formats.sixteen_bits import refuse_planar_tiff


@dataclass(frozen=True)
class StoredPart:
    """One part of a sample, as bytes.

    `place` names it in messages. `disk` is its size on the disk, in bytes; `link` identifies files
    with several names (hard links), None for others.
    """

    place: str
    ending: str
    data: bytes
    disk: int
    link: tuple[int, int] | None = None

    def decode(self) -> npt.NDArray[Any]:
        """Decode a picture to (H, W) or (H, W, C) RGB(A) uint8 or uint16; an .npy to its array.

        Raises:
            CleanplateError: if it is damaged, naming it.
        """
        if self.ending == "npy":
            return self._array()
        if self.ending in ("tif", "tiff"):
            refuse_planar_tiff(self.data, self.place)
        raw = np.frombuffer(self.data, np.uint8)
        try:
            picture = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED) if raw.size else None
        except cv2.error:
            picture = None
        if picture is None or picture.dtype not in (np.uint8, np.uint16):
            raise CleanplateError("cannot be decoded" if raw.size else "is empty", file=self.place)
        if picture.ndim == 3:
            swap = cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB
            picture = cv2.cvtColor(picture, swap)
        return np.asarray(picture)

    def _array(self) -> npt.NDArray[Any]:
        try:
            array = np.load(io.BytesIO(self.data), allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise CleanplateError("cannot be decoded", file=self.place) from error
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.ndim != 2:
            raise CleanplateError("is no (H, W) array of floats", file=self.place)
        return array

    def read_metadata(self) -> dict[str, Any]:
        """Decode a JSON object.

        Raises:
            CleanplateError: if it is not one.
        """
        try:
            stored = parse_json(self.data)
        except ValueError as error:
            raise CleanplateError(f"cannot be read as JSON: {error}", file=self.place) from error
        if not isinstance(stored, dict):
            raise CleanplateError("holds no JSON object", file=self.place)
        return stored


def as_millimetres(depth: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Convert stored depth (H, W) to 16-bit millimetres of the convention `dataset`.

    uint16 is in millimetres already; floats are metres.

    Raises:
        ValueError: on another type or shape.
    """
    if depth.ndim != 2 or (depth.dtype != np.uint16 and depth.dtype.kind != "f"):
        raise ValueError(f"expected (H, W) uint16 or floats, got {depth.shape} {depth.dtype}")
    return depth if depth.dtype == np.uint16 else encode(depth, DATASET)
