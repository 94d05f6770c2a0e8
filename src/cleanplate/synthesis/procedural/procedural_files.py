"""Procedural plates and cutouts as files, in the form of the catalogue.

Making one takes about a quarter of a second, reading it a few milliseconds, so a folder of them
serves all processes of all later runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cleanplate.depth.depth_codec import DATASET, RECORD, encode_disparity
from cleanplate.depth.foot_depth import encode_foot_depth
from cleanplate.engines.local_pool import WorkersKilled, map_tasks
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.digest import digest
from cleanplate.files.listing import find_pictures
from cleanplate.formats.pictures import write_image
from cleanplate.synthesis.assets.licensing import (
    Credit,
    group_by_source,
    read_credits,
    require_licenses,
    with_assumed_license,
)
from cleanplate.synthesis.assets.sidecar import read_sidecar
from cleanplate.synthesis.procedural.procedural_figures import render_cutout_with_distance
from cleanplate.synthesis.procedural.shading import render_plate

AssetType = Literal["plates", "cutouts"]
Metadata = Mapping[str, Any]

OWN_LICENSE = "CC0-1.0"
"""Licence of procedural assets, which contain no work of others."""
_OWN_SOURCE = "Cleanplate, procedural"


def write_plates(folder: Path, count: int, *, seed: int, textures: Path | None = None) -> None:
    """Write `count` procedural plates, as `write_assets` does, in this process."""
    for _ in write_assets("plates", folder, count, seed=seed, textures=textures):
        pass


def write_assets(
    asset_type: AssetType,
    folder: Path,
    count: int,
    *,
    seed: int,
    textures: Path | None = None,
    assume_license: str | None = None,
    workers: int = 0,
) -> Iterator[bool]:
    """Write procedural assets 0 to `count` - 1 of a seed; yield for each whether it was made now.

    A plate is `NNNNNN.jpg`, `NNNNNN_depth.png` (convention `dataset`) and `NNNNNN.json`;
    a cutout `NNNNNN.png` (straight RGBA), `NNNNNN_depth.png` (`cleanplate.depth.foot_depth`)
    and `NNNNNN.json`. The picture is written last and marks the asset as complete.

    Args:
        asset_type: what to make.
        folder: created if missing.
        count: number of assets.
        seed: decides, with the number, each asset.
        textures: texture pictures for plates.
        assume_license: of textures that state none.
        workers: processes; 0 = this one.

    Raises:
        CleanplateError: if a file cannot be written, the folder holds other assets under these
            names, or a texture has no licence.
    """
    credit = _credit(textures, assume_license)
    origin = {"seed": seed, "textures": digest(find_pictures(textures)) if textures else None}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CleanplateError("this folder cannot be made", file=folder) from error
    wanted = []
    for number in range(count):
        if _exists_already(folder, asset_type, number, origin):
            yield False
        else:
            wanted.append(number)
    one: Callable[[int], None] = partial(
        _write_plate if asset_type == "plates" else _write_cutout, folder, origin, credit, textures
    )
    with closing(map_tasks(one, wanted, workers)) as results:
        try:
            for _ in results:
                yield True
        except WorkersKilled as error:
            cure = f"{error.cure} The same command goes on."
            raise CleanplateError(error.what, file=folder, cure=cure) from error


def _exists_already(folder: Path, asset_type: AssetType, number: int, origin: Metadata) -> bool:
    """Tell whether this very asset exists.

    Raises:
        CleanplateError: if another one has its name.
    """
    picture = folder / _name(asset_type, number)
    if not picture.exists():
        return False
    if read_sidecar(picture.with_suffix(".json")).get("procedural") == {**origin, "number": number}:
        return True
    raise CleanplateError(
        "is there already, and was made from something else",
        file=picture,
        cure="Give the same seed and textures to go on, or another folder.",
    )


def _name(asset_type: AssetType, number: int) -> str:
    return f"{number:06}.jpg" if asset_type == "plates" else f"{number:06}.png"


def _credit(textures: Path | None, assume_license: str | None) -> Metadata:
    """Give `license`, `source` and, where there is one, `attribution` of assets."""
    if textures is None:
        return {"license": OWN_LICENSE, "source": _OWN_SOURCE}
    credits: list[Credit] = read_credits(find_pictures(textures))
    if assume_license is not None:
        credits = with_assumed_license(credits, assume_license)
    require_licenses(credits, textures)
    uses = group_by_source(credits)
    lines = dict.fromkeys(line for use in uses for line in use.attributions)
    return {
        "license": [OWN_LICENSE, *(use.license for use in uses)],
        "source": [_OWN_SOURCE, *(use.source or textures.name for use in uses)],
        **({"attribution": list(lines)} if lines else {}),
    }


def _write_plate(
    folder: Path, origin: Metadata, credit: Metadata, textures: Path | None, number: int
) -> None:
    plate = render_plate(int(origin["seed"]), number, textures=textures)
    assert plate.camera is not None
    assert plate.disparity is not None
    picture = folder / _name("plates", number)
    write_image(_depth_beside(picture), encode_disparity(plate.disparity, DATASET))
    camera = plate.camera
    _write_sidecar(
        picture,
        {
            "world": "procedural",
            RECORD: DATASET.name,
            **camera.intrinsics._asdict(),
            "camera_height": camera.height,
            "pitch": camera.pitch,
            **credit,
            "procedural": {**origin, "number": number},
        },
    )
    write_image(picture, plate.picture, quality=95)


def _write_cutout(
    folder: Path, origin: Metadata, credit: Metadata, textures: Path | None, number: int
) -> None:
    cutout, distance = render_cutout_with_distance(int(origin["seed"]), number)
    assert cutout.view_angle is not None
    picture = folder / _name("cutouts", number)
    depth = encode_foot_depth(cutout.depth.astype(np.float64), cutout.alpha > 0)
    write_image(_depth_beside(picture), depth)
    _write_sidecar(
        picture,
        {
            "kind": cutout.kind,
            "size_m": cutout.size,
            # At this distance; what counts is the ratio of the two.
            "focal_px": cutout.pixels_per_metre * distance,
            "distance_m": distance,
            "foot_xy": cutout.foot,
            "camera_height_m": distance * float(np.tan(cutout.view_angle)),
            "framing": "full",
            **credit,
            "procedural": {**origin, "number": number},
        },
    )
    write_image(picture, np.dstack([cutout.colour, cutout.alpha]))


def _depth_beside(picture: Path) -> Path:
    return picture.with_name(f"{picture.stem}_depth.png")


def _write_sidecar(picture: Path, metadata: Metadata) -> None:
    with replacing(picture.with_suffix(".json")) as part:
        part.write_text(json.dumps(metadata, allow_nan=False) + "\n", encoding="utf-8")
