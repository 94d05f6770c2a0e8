"""Archives of plates, cutouts and pairs: small enough to be kept beside the code.

Plates and cutouts are packed as a `.tar.gz` that unpacks to a folder for the catalogue (a cutout
is then `NAME.jpg` + `NAME_alpha.png`); pairs as a WebDataset shard, which training reads as it is.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.listing import is_hidden
from cleanplate.synthesis.assets.asset_compression import (
    CompressionSettings,
    NamedBytes,
    compress_cutout,
    compress_pair,
    compress_plate,
    resized_metadata,
)
from cleanplate.synthesis.assets.licensing import CATALOGUE
from cleanplate.synthesis.assets.sidecar import read_sidecar

_FOLDER_FILES = frozenset({"catalogue", "render"})
"""Stems of JSON files that describe a whole folder."""
_CREDIT_KEYS = frozenset({"license", "source", "attribution"})
"""Keys of `catalogue.json` that hold for each item."""

Compressor = Callable[[Path, str, CompressionSettings], NamedBytes]
"""Maps (folder, item name, settings) to the endings and contents of the item's files.

A name is not a path: `Path.with_suffix` would cut the number of `room.001`.
"""


def pack_plates(folder: Path, archive: Path, settings: CompressionSettings | None = None) -> int:
    """Write a folder of plates as a `.tar.gz`.

    Returns:
        The number of plates.

    Raises:
        CleanplateError: if there is no complete plate, or a file cannot be read or written.
    """
    settings = settings or CompressionSettings()
    return _pack(folder, archive, compress_plate, folder.name, settings)


def pack_cutouts(folder: Path, archive: Path, settings: CompressionSettings | None = None) -> int:
    """Write a folder of cutouts as a `.tar.gz`.

    Returns:
        The number of cutouts.

    Raises:
        CleanplateError: if there is no complete cutout, or a file cannot be read or written.
    """
    settings = settings or CompressionSettings()
    return _pack(folder, archive, compress_cutout, folder.name, settings)


def pack_pairs(folder: Path, shard: Path, settings: CompressionSettings | None = None) -> int:
    """Write full-scene pairs (as in `data/pairs`) as a WebDataset shard.

    WebDataset ends a sample's name at its first dot, so dots in names become underscores.

    Returns:
        The number of pairs.

    Raises:
        CleanplateError: if there is no complete pair, two get the same name, or a file cannot be
            read or written.
    """
    settings = settings or CompressionSettings()
    return _pack(folder, shard, compress_pair, None, settings)


def sidecars_of(folder: Path) -> list[Path]:
    """List the `.json` of every item in a folder, sorted; without those of the folder itself."""
    return sorted(
        file
        for file in folder.glob("*.json")
        if file.stem not in _FOLDER_FILES and not is_hidden(file.name)
    )


def _pack(
    folder: Path,
    archive: Path,
    compress: Compressor,
    prefix: str | None,
    settings: CompressionSettings,
) -> int:
    sidecars = sidecars_of(folder)
    if not sidecars:
        raise CleanplateError("holds no item with its .json", file=folder)
    names = {sidecar_file: sidecar_file.name.removesuffix(".json") for sidecar_file in sidecars}
    if prefix is None:
        names = _sample_names(names)
    catalogue = folder / CATALOGUE
    # A shard holds no file for the whole folder: its credit goes into each sample.
    sidecar = read_sidecar(catalogue)
    sidecar.setdefault("license", sidecar.pop("licence", None))
    shared = {key: text for key, text in sidecar.items() if key in _CREDIT_KEYS and text}
    members = _members(names, compress, settings, shared if prefix is None else {})
    with replacing(archive) as path, path.open("wb") as raw:
        if prefix is None:
            _write_tar(raw, members)
        else:
            if catalogue.exists():
                members = chain([(catalogue.name, catalogue.read_bytes())], members)
            # No time or name in the header: the same items give the same bytes.
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
                _write_tar(packed, ((f"{prefix}/{name}", content) for name, content in members))
    return len(sidecars)


def _sample_names(names: dict[Path, str]) -> dict[Path, str]:
    """Give each pair a name without dots, as WebDataset requires.

    Raises:
        CleanplateError: if two would have the same.
    """
    taken: dict[str, Path] = {}
    for sidecar_file, name in names.items():
        first = taken.setdefault(name.replace(".", "_"), sidecar_file)
        if first != sidecar_file:
            raise CleanplateError(
                f"would have the same name in the shard as {first.name}: a dot there ends a name "
                "and becomes an underscore",
                file=sidecar_file,
                cure="Rename one of the two pairs.",
            )
    return {sidecar_file: name for name, sidecar_file in taken.items()}


def _members(
    names: dict[Path, str],
    compress: Compressor,
    settings: CompressionSettings,
    shared: Mapping[str, Any],
) -> NamedBytes:
    for sidecar_file, name in names.items():
        for ending, content in compress(
            sidecar_file.parent, sidecar_file.name.removesuffix(".json"), settings
        ):
            yield f"{name}{ending}", content
        metadata = read_sidecar(sidecar_file)
        if "licence" in metadata:  # the key's old spelling
            metadata.setdefault("license", metadata.pop("licence"))
        metadata = {**shared, **metadata}
        sidecar = json.dumps(resized_metadata(metadata, settings.long_side), separators=(",", ":"))
        yield f"{name}.json", sidecar.encode()


def _write_tar(out: Any, members: NamedBytes) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            _add_member(tar, name, content)


def _add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
