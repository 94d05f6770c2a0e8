"""Sources of cutouts in files: pictures with alpha, and photographs with a mask."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.listing import find_pictures
from cleanplate.formats.pictures import (
    as_uint8,
    read_alpha,
    read_image,
    read_rgba,
)
from cleanplate.synthesis.assets.licensing import read_credits
from cleanplate.synthesis.ingest.cutout_extraction import MattedPicture, Refused
from cleanplate.synthesis.ingest.decontamination import decontaminate, unmix_background


class UnlicensedError(CleanplateError):
    """A picture without a stated licence or source."""


def from_rgba(path: Path) -> tuple[MattedPicture, dict[str, Any]]:
    """Read a picture with alpha; colour mixed with black or white is made straight.

    Returns:
        The subject, and how its colour was changed.

    Raises:
        CleanplateError: if the file cannot be read.
        Refused: if it has no alpha.
    """
    coded, alpha = read_rgba(path)
    if alpha is None:
        raise Refused("it has no alpha channel")
    if alpha.min() > 0.99:
        raise Refused("it is opaque everywhere: that is a picture, not a matte")
    straight = unmix_background(as_uint8(coded), alpha)
    processing = {"unmixed_from": straight.background} if straight.background else {}
    return MattedPicture(straight.colour, alpha), processing


def from_photo(path: Path, mask: Path) -> tuple[MattedPicture, dict[str, Any]]:
    """Read a photograph and its mask; the background's share is removed from soft edges.

    Returns:
        The subject, and the mask's name.

    Raises:
        CleanplateError: if a file cannot be read.
        Refused: if the two differ in size.
    """
    photo, alpha = as_uint8(read_image(path)), read_alpha(mask)
    if alpha.shape != photo.shape[:2]:
        sizes = [f"{shape[1]} x {shape[0]}" for shape in (alpha.shape, photo.shape)]
        raise Refused(f"its mask is {sizes[0]}, the photograph {sizes[1]}")
    return MattedPicture(decontaminate(photo, alpha), alpha), {"mask": mask.name}


def list_masks(folder: Path) -> Mapping[str, Path]:
    """List the masks of a folder by their stems.

    Raises:
        CleanplateError: if there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise CleanplateError("is no folder of masks", file=folder)
    return {path.stem: path for path in find_pictures(folder)}


def find_credit(
    path: Path, given: Mapping[str, str | None], *, unlicensed: bool = False
) -> dict[str, Any]:
    """Give licence, source and attribution of a picture: its own, else its folder's, else given.

    Raises:
        UnlicensedError: if licence or source is missing, unless `unlicensed`.
        CleanplateError: if the JSON beside it is damaged.
    """
    own = read_credits([path])[0]
    stated = {"license": own.licenses, "source": own.sources, "attribution": own.attributions}
    credit: dict[str, Any] = {}
    for key, texts in stated.items():
        if texts:
            credit[key] = texts[0] if len(texts) == 1 else list(texts)
        elif text := given.get(key):
            credit[key] = text
    missing = [key for key in ("license", "source") if key not in credit]
    if missing and not unlicensed:
        raise UnlicensedError(
            f"nothing says its {' and '.join(missing)}",
            file=path,
            cure="Give --license and --source, or state them in its json or in a catalogue.json "
            "beside it; --no-license makes cutouts that a data set will not take as they are.",
        )
    return credit
