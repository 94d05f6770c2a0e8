"""What a run's training data are licensed under, and what that says of its weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import parse_json
from cleanplate.files.listing import find_pictures
from cleanplate.pairs.pair_files import find_pairs
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from cleanplate.synthesis.assets.licensing import (
    CATALOGUE,
    Credit,
    SourceUse,
    credit_from,
    group_by_source,
    read_credits,
    unlicensed,
)
from cleanplate.synthesis.assets.sidecar import read_sidecar
from cleanplate.synthesis.building.dataset_card import requires_attribution
from cleanplate.synthesis.building.plan import read_plan
from cleanplate.training.checkpoint import read_checkpoint
from cleanplate.training.data.tar_index import members
from cleanplate.training.recipes import listed

DEFAULT_LICENSE = "Apache-2.0"
"""Of weights whose data all allow it."""
KEY = "data_licensing"
"""In a checkpoint."""
_PERMISSIVE = re.compile(
    r"0bsd|apache-2\.0|bsd-[23]-clause|cc0-1\.0|cc-by-\d\.\d|isc|mit|mit-0|pddl-1\.0|unlicense|zlib",
    re.IGNORECASE,
)
"""SPDX names of licences that ask at most for a notice."""
_SHOWN = 5
ENCODER = SourceUse(
    "Apache-2.0",
    "EfficientNet-Lite0 with ImageNet weights (TensorFlow TPU repository)",
    ("The TensorFlow Authors",),
    1,
    0,
)
"""What a network owes that begins with the pretrained encoder."""


@dataclass(frozen=True)
class DataLicensing:
    """The sources that a run learned from.

    Args:
        uses: each source under its licence, with its attributions.
        unknown: sentences about what is not known of them.
    """

    uses: tuple[SourceUse, ...] = ()
    unknown: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give plain values, as a checkpoint keeps them."""
        uses = [{**use._asdict(), "attributions": list(use.attributions)} for use in self.uses]
        return {"uses": uses, "unknown": list(self.unknown)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> DataLicensing:
        """Undo `as_json`."""
        uses = (
            SourceUse(**{**use, "attributions": tuple(use["attributions"])})
            for use in stored["uses"]
        )
        return cls(tuple(uses), tuple(stored["unknown"]))

    def objections(self) -> list[str]:
        """Say why `DEFAULT_LICENSE` does not follow from the data; empty if it does."""
        said = list(self.unknown)
        for use in self.uses:
            source = use.source or "a source without a name"
            if not use.license:
                continue  # said in `unknown`, by asset
            if not all(map(_PERMISSIVE.fullmatch, _names(use.license))):
                said.append(f"{source}: {use.license}")
            elif requires_attribution(use.license) and not use.attributions:
                said.append(f"{source}: {use.license} asks for attribution, and none is given")
        return said

    def rows(self) -> list[dict[str, Any]]:
        """Give each licence with its attributions, and the sources under them."""
        groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for use in self.uses:
            told = f"{use.source or 'no source given'} ({use.assets})"
            groups.setdefault((use.license, use.attributions), []).append(told)
        return [
            {"license": licence, "attribution": list(attributions), "sources": sources}
            for (licence, attributions), sources in groups.items()
        ]


def licensing_of(recipe: Mapping[str, Any]) -> DataLicensing:
    """Read what the folders of a saved recipe say of their licences.

    Plates, cutouts, pairs and textures say it in the json beside each or in `catalogue.json`, a
    set that `cleanplate synth build` made in its plan, shards of others in each sample's json; a
    run that was begun with another's weights owes what that one owes. What cannot be read is
    said in `unknown`; nothing is raised.
    """
    data = recipe["data"]
    compositor = data.get("compositor", {})
    draws = data["kind"] == "procedural" or (
        data["kind"] == "composites" and compositor.get("procedural_share", 0) > 0
    )
    readers: list[tuple[str, Any, Callable[[Path], list[Credit]]]] = []
    if data["kind"] == "composites":
        readers += [("plates", data.get("plates"), _of_plates)]
        readers += [("cutouts", data.get("cutouts"), _of_cutouts)]
    elif data["kind"] != "procedural":
        readers += [(data["kind"], data.get("path"), _of_set)]
    readers += [("pairs", data.get("pairs"), _of_pairs)]
    readers += [("textures", compositor.get("textures") if draws else None, _of_textures)]
    credits: list[Credit] = []
    unknown: list[str] = []
    for noun, folders, read in readers:
        for folder in map(Path, listed(folders)):
            try:
                found = read(folder)
            except CleanplateError as error:
                unknown.append(f"{noun} {folder.name}: {error.what}")
                continue
            credits += found
            names = unlicensed(found)
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                unknown.append(
                    f"{noun} {folder.name}: {len(names)} of {len(found)} have no licence: "
                    f"{', '.join(names[:_SHOWN])}{more}"
                )
    uses = group_by_source(credits)
    if recipe.get("network", {}).get("pretrained"):
        uses = _merged([*uses, ENCODER])
    if recipe.get("start"):
        before = _of_start(Path(recipe["start"]))
        uses = _merged([*uses, *before.uses])
        unknown += before.unknown
    return DataLicensing(tuple(uses), tuple(dict.fromkeys(unknown)))


def _of_plates(folder: Path) -> list[Credit]:
    return read_credits(PlateFolder.open(folder).files)


def _of_cutouts(folder: Path) -> list[Credit]:
    return read_credits(CutoutFolder.open(folder).files)


def _of_textures(folder: Path) -> list[Credit]:
    return read_credits(find_pictures(folder))


def _of_pairs(folder: Path) -> list[Credit]:
    if any(folder.glob("*.tar")):
        return _of_set(folder)
    return read_credits([folder / f"{pair.name}.json" for pair in find_pairs(folder)])


def _of_set(folder: Path) -> list[Credit]:
    plan = read_plan(folder)
    if plan is not None:
        return [asset.credit for asset in (*plan.plates, *plan.cutouts)]
    shards = sorted(file for file in folder.glob("*.tar") if not file.name.startswith("."))
    if shards:
        return [credit for file in shards for credit in _of_shard(file)]
    if not folder.is_dir():
        raise CleanplateError("there is no such folder")
    return [credit_from(folder.name, {}, read_sidecar(folder / CATALOGUE), folder / CATALOGUE)]


def _of_shard(file: Path) -> Iterator[Credit]:
    whole = read_sidecar(file.with_name(CATALOGUE))
    found = members(file)
    facts: dict[str, dict[str, Any]] = {}
    with file.open("rb") as raw:
        for name, offset, size in zip(found.names, found.offsets, found.sizes, strict=True):
            folder, _, base = name.decode("utf-8", "replace").rpartition("/")
            key, _, kind = base.partition(".")
            own = facts.setdefault(f"{folder}/{key}".lstrip("/"), {})
            if kind == "json":
                raw.seek(int(offset))
                try:
                    told = parse_json(raw.read(int(size)))
                except ValueError:  # whoever wrote it may have meant something else by json
                    continue
                if isinstance(told, dict):
                    own.update(told)
    for key, own in facts.items():
        yield credit_from(key, own, whole, file)


def _of_start(checkpoint: Path) -> DataLicensing:
    try:
        content = read_checkpoint(checkpoint)
    except CleanplateError as error:
        return DataLicensing(unknown=(f"start {checkpoint.name}: {error.what}",))
    if KEY in content:
        return DataLicensing.from_json(content[KEY])
    if "recipe" in content:
        return licensing_of(content["recipe"])
    return DataLicensing(unknown=(f"start {checkpoint.name}: it does not say what it learned",))


def _merged(uses: Sequence[SourceUse]) -> list[SourceUse]:
    """Give each source once; assets count as often as they do in the run that used most."""
    found: dict[tuple[str, str], SourceUse] = {}
    for use in uses:
        other = found.get((use.license, use.source), use)
        found[use.license, use.source] = SourceUse(
            *(use.license, use.source),
            tuple(sorted({*use.attributions, *other.attributions})),
            max(use.assets, other.assets),
            max(use.assumed, other.assumed),
        )
    return [found[key] for key in sorted(found)]


def _names(licence: str) -> list[str]:
    """Split `A + B` and SPDX's `A AND B`; a blank in a name counts as its hyphen."""
    parts = re.split(r"\s+(?:\+|AND)\s+", licence.strip())
    return [part.strip().replace(" ", "-") for part in parts]
