"""Contact sheets of rendered items."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from cleanplate.contact_sheet import Tile, as_tile, caption, ground, row
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import read_json
from cleanplate.formats.pictures import read_rgba, to_float
from cleanplate.render.rendered_items import jpeg

FOLDER = "sheets"
"""Folder of the sheets, inside the output folder."""
_COLUMNS, _ROWS = 6, 10
_TILE = 192, 256
_PARTS = {"plates": (".jpg",), "cutouts": (".png",), "pairs": ("_plate.png", "_frame.png")}


def draw_sheets(folder: Path, task: str, names: list[str]) -> list[Path]:
    """Draw existing items on sheets of sixty tiles.

    Args:
        folder: of the rendered items.
        task: plates, cutouts or pairs; a pair takes two tiles.
        names: of items; those without a JSON file are left out.

    Returns:
        The sheets' paths.
    """
    found = [n for n in names if (folder / f"{n}.json").is_file()]
    per_sheet = _ROWS * _COLUMNS // len(_PARTS[task])
    sheets = []
    for number, start in enumerate(range(0, len(found), per_sheet)):
        sheet = _sheet(folder, task, found[start : start + per_sheet])
        path = folder / FOLDER / f"{number:03d}.jpg"
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(jpeg(to_float(sheet), 85))
        sheets.append(path)
    return sheets


def _sheet(folder: Path, task: str, names: list[str]) -> Tile:
    width = _TILE[1]
    cells = []
    for name in names:
        metadata = read_json(folder / f"{name}.json")
        text = f"{name} {metadata.get('world') or metadata.get('name')}"[:34]
        for part in _PARTS[task]:
            tile = _fit_tile(folder / f"{name}{part}")
            cells.append(np.concatenate([caption(text, width), tile]))
    cells += [ground(cells[0].shape[0], width)] * (-len(cells) % _COLUMNS)
    size = cells[0].shape[:2]
    rows = [row(cells[i : i + _COLUMNS], size) for i in range(0, len(cells), _COLUMNS)]
    return np.concatenate(rows)


def _fit_tile(path: Path) -> Tile:
    """Fit a picture into a tile; transparent parts over grey."""
    height, width = _TILE
    colour, alpha = read_rgba(path)
    picture = as_tile(colour)
    if alpha is not None:
        grey = np.full_like(picture, 128)
        picture = as_tile(
            to_float(picture) * alpha[..., None] + to_float(grey) * (1 - alpha[..., None])
        )
    scale = min(height / picture.shape[0], width / picture.shape[1])
    h, w = (max(1, round(s * scale)) for s in picture.shape[:2])
    small = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
    tile = ground(height, width)
    top, left = (height - h) // 2, (width - w) // 2
    tile[top : top + h, left : left + w] = small
    return tile
