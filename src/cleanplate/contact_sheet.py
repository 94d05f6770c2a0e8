"""Contact sheets: rows of labelled tiles, captions and bar charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.formats.pictures import as_uint8, resize

Tile = npt.NDArray[np.uint8]
"""Part of a contact sheet: (H, W, 3) uint8 RGB."""

LINE = 22
"""Height of a line of text in pixels."""
_INK = (235, 235, 235)
_GROUND = 28


def heading(titles: Sequence[str], width: int) -> Tile:
    """Draw a row of column titles, each `width` pixels wide; returns (LINE, width * n, 3)."""
    line = ground(LINE, width * len(titles))
    for place, title in enumerate(titles):
        write(line, title, place * width + 6)
    return line


def caption(text: str, width: int) -> Tile:
    """Draw a line of text on a tile of (LINE, width, 3)."""
    line = ground(LINE, width)
    write(line, text, 6)
    return line


def row(pictures: Sequence[Tile | None], size: tuple[int, int], missing: str = "none") -> Tile:
    """Place pictures side by side, each resized to `size`.

    Args:
        pictures: (h, w, 3) uint8 RGB each; None becomes an empty tile.
        size: (height, width) of each tile in pixels.
        missing: text on an empty tile.

    Returns:
        (height, n * width, 3) uint8 RGB.
    """
    height, width = size
    tiles = []
    for picture in pictures:
        tile = ground(height, width) if picture is None else resize(picture, size)
        if picture is None:
            write(tile, missing, 6)
        tiles.append(tile)
    return np.concatenate(tiles, axis=1)


def as_tile(picture: npt.NDArray[Any]) -> Tile:
    """Convert a picture or map to 8-bit RGB.

    Args:
        picture: (H, W) or (H, W, 3); uint8, uint16, or float in [0, 1].

    Raises:
        TypeError: on any other dtype.
    """
    picture = as_uint8(picture)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    return np.asarray(picture, np.uint8)


def bars(
    values: Sequence[float], size: tuple[int, int], title: str, labels: Mapping[int, str]
) -> Tile:
    """Draw a bar chart, scaled to its largest value.

    Args:
        values: heights of the bars, at least 0.
        size: (height, width) of the tile in pixels.
        title: text above the chart.
        labels: bar index -> text below the left edge of that bar.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    height, width = size
    tile = ground(height, width)
    write(tile, title, 6)
    left, right, top, bottom = 10, width - 10, LINE + 8, height - LINE
    highest = max(values, default=0) or 1
    for place, value in enumerate(values):
        x0 = left + (right - left) * place // len(values)
        x1 = left + (right - left) * (place + 1) // len(values) - 2
        y = round(bottom - (bottom - top) * value / highest)
        tile[y:bottom, x0 : max(x1, x0 + 1)] = (120, 170, 230)
    tile[bottom : bottom + 1, left:right] = _INK
    for place, label in labels.items():
        (wide, _), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
        at = left + (right - left) * place / len(values)
        write(tile, label, round(min(max(at - wide / 2, 2), width - wide - 2)), bottom + 15, 0.4)
    return tile


def ground(height: int, width: int) -> Tile:
    """Return an empty tile of (height, width, 3) in the background colour."""
    return np.full((height, width, 3), _GROUND, np.uint8)


def write(tile: Tile, text: str, left: int, base: int = 16, scale: float = 0.45) -> None:
    """Draw text on a tile in place; characters outside ASCII become "?".

    Args:
        tile: (H, W, 3) uint8 RGB, modified.
        text: one line.
        left: pixels from the left edge.
        base: pixels from the top edge to the baseline.
        scale: font scale of OpenCV.
    """
    # OpenCV's fonts have ASCII characters only.
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(tile, plain, (left, base), cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)
