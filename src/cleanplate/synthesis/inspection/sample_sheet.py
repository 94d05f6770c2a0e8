"""Contact sheet of a set: evenly spaced samples, their parts side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cleanplate.contact_sheet import Tile, as_tile, caption, heading, row
from cleanplate.depth import colour_map
from cleanplate.depth.depth_codec import DATASET, disparities
from cleanplate.errors import CleanplateError
from cleanplate.synthesis.inspection.stored_part import StoredPart, as_millimetres
from cleanplate.synthesis.inspection.stored_set import StoredSample, StoredSet

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "shards": ("plate", "frame", "alpha", "foreground", "shadow", "depth"),
    "folders": ("bg", "fg_bg", "mask", "depth"),
}


def draw_sheet(stored: StoredSet, count: int = 8, tile_width: int = 224) -> Tile:
    """Draw `count` evenly spaced samples, one in a row; depth near = bright.

    A part that cannot be decoded leaves its tile empty.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        CleanplateError: if no sample can be read.
    """
    columns = COLUMNS[stored.form]
    strips = [heading(columns, tile_width)]
    for sample in stored.spaced_samples(count):
        tiles = [_tile(sample, kind) for kind in columns]
        sizes = [tile.shape[:2] for tile in tiles if tile is not None]
        height, width = sizes[0] if sizes else (tile_width, tile_width)
        strips.append(caption(_title(sample), tile_width * len(columns)))
        strips.append(row(tiles, (max(1, round(tile_width * height / width)), tile_width)))
    if len(strips) == 1:
        raise CleanplateError("no sample of it can be read", file=stored.folder)
    return np.concatenate(strips)


def _title(sample: StoredSample) -> str:
    metadata = sample.parts.get("json")
    if metadata is None:
        return sample.name
    try:
        sidecar = metadata.read_metadata()
        subjects = ", ".join(f"{one['cutout']} ({one['how']})" for one in sidecar["subjects"])
        return f"{sample.name}   {sidecar['plate']}: {subjects or 'no subject'}"
    except (CleanplateError, KeyError, TypeError):  # metadata of another program
        return sample.name


def _tile(sample: StoredSample, kind: str) -> Tile | None:
    part = sample.parts.get(kind)
    if part is None:
        return None
    try:
        if "depth" in kind:
            return _depth(part)
        picture = part.decode()
        return as_tile(picture if picture.ndim == 2 else picture[..., :3])
    except (CleanplateError, ValueError, TypeError):
        return None


def _depth(part: StoredPart) -> Tile:
    """Colour depth by disparity; unknown depth is grey."""
    stored = part.decode()
    if stored.dtype == np.uint8:
        return colour_map(np.asarray(stored, np.float32))
    depth = as_millimetres(stored)
    return colour_map(disparities(DATASET).take(depth))
