"""Licences of a run's training data, and the licence of its weights that follows from them."""

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
from cleanplate.training.recipe_json import listed

DEFAULT_LICENSE = "Apache-2.0"
"""Licence of the weights where every licence of the data allows it."""
KEY = "data_licensing"
"""Key of the licences in a checkpoint."""
_PERMISSIVE = re.compile(
    r"0bsd|apache-2\.0|bsd-[23]-clause|cc0-1\.0|cc-by-\d\.\d|isc|mit|mit-0|pddl-1\.0|unlicense|zlib",
    re.IGNORECASE,
)
"""SPDX names of licences that require at most a notice or attribution."""
_SHOWN = 5
ENCODER = SourceUse(
    "Apache-2.0",
    "EfficientNet-Lite0 with ImageNet weights (TensorFlow TPU repository)",
    ("The TensorFlow Authors",),
    1,
    0,
)
"""Source of a network that starts from the pretrained encoder."""


@dataclass(frozen=True)
class DataLicensing:
    """Licences of the sources of a run's training data.

    Args:
        uses: each source with its licence and attributions.
        unknown: sentences, each about a source whose licence could not be read.
    """

    uses: tuple[SourceUse, ...] = ()
    unknown: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Convert to plain values for a checkpoint."""
        uses = [{**use._asdict(), "attributions": list(use.attributions)} for use in self.uses]
        return {"uses": uses, "unknown": list(self.unknown)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> DataLicensing:
        """Convert from the values of `as_json`; the key `licence` of version 0.1 is read too."""
        return cls(tuple(map(_source_use, stored["uses"])), tuple(stored["unknown"]))

    def objections(self) -> list[str]:
        """List the reasons why `DEFAULT_LICENSE` does not follow from the data, as sentences."""
        found: dict[str, list[str]] = {}
        for use in self.uses:
            source = use.source or "a source without a name"
            if not use.license:
                continue  # `unknown` names the assets
            if not all(map(_PERMISSIVE.fullmatch, _names(use.license))):
                found.setdefault(use.license, []).append(source)
            elif requires_attribution(use.license) and not use.attributions:
                reason = f"{use.license} asks for attribution, and none is given"
                found.setdefault(reason, []).append(source)
        return [*self.unknown, *(f"{_first(names)}: {reason}" for reason, names in found.items())]

    def rows(self) -> list[dict[str, Any]]:
        """Group the sources by licence: rows of the model card's table.

        Many sources of one collection ("owner/repository file") are counted, not named.
        """
        groups: dict[str, list[SourceUse]] = {}
        for use in self.uses:
            groups.setdefault(use.license, []).append(use)
        return [
            {
                "license": licence,
                "attribution": sorted({line for use in uses for line in use.attributions}),
                "sources": _collections(uses),
            }
            for licence, uses in groups.items()
        ]


def licensing_of(recipe: Mapping[str, Any]) -> DataLicensing:
    """Read the licences of the data of a saved recipe.

    Those of plates, cutouts, pairs and textures are in the JSON file beside each or in
    `catalogue.json`, those of a set of `cleanplate synth build` in its plan, those of other shards
    in each sample's JSON. A run that started from another's weights,
    or learned from its answers, has that run's licences too.
    What cannot be read becomes a sentence in `unknown`; nothing is raised.

    Args:
        recipe: as `cleanplate.training.recipe_json.to_json` gives it.
    """
    data = recipe["data"]
    compositor = data.get("compositor", {})
    is_procedural = data["kind"] == "procedural" or (
        data["kind"] == "composites" and compositor.get("procedural_share", 0) > 0
    )
    readers: list[tuple[str, Any, Callable[[Path], list[Credit]]]] = []
    if data["kind"] == "composites":
        readers += [("plates", data.get("plates"), _of_plates)]
        readers += [("cutouts", data.get("cutouts"), _of_cutouts)]
    elif data["kind"] != "procedural":
        readers += [(data["kind"], data.get("path"), _of_set)]
    readers += [("pairs", data.get("pairs"), _of_pairs)]
    readers += [("textures", compositor.get("textures") if is_procedural else None, _of_textures)]
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
                unknown.append(
                    f"{noun} {folder.name}: {len(names)} of {len(found)} have no licence: "
                    f"{_first(names)}"
                )
    uses = group_by_source(credits)
    if recipe.get("network", {}).get("pretrained"):
        uses = _merged([*uses, ENCODER])
    for role in ("start", "teacher"):
        if recipe.get(role):
            earlier = _of_weights(role, Path(recipe[role]))
            uses = _merged([*uses, *earlier.uses])
            unknown += earlier.unknown
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
                    values = parse_json(raw.read(int(size)))
                except ValueError:  # other programs may store something else under this name
                    continue
                if isinstance(values, dict):
                    own.update(values)
    for key, own in facts.items():
        yield credit_from(key, own, whole, file)


def _of_weights(role: str, checkpoint: Path) -> DataLicensing:
    try:
        content = read_checkpoint(checkpoint)
    except CleanplateError as error:
        return DataLicensing(unknown=(f"{role} {checkpoint.name}: {error.what}",))
    if KEY in content:
        return DataLicensing.from_json(content[KEY])
    if "recipe" in content:
        return licensing_of(content["recipe"])
    return DataLicensing(unknown=(f"{role} {checkpoint.name}: no record of its training data",))


def _merged(uses: Sequence[SourceUse]) -> list[SourceUse]:
    """Merge equal sources; the number of assets is the largest one."""
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


def _first(names: Sequence[str]) -> str:
    """Name the first few."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _collections(uses: Sequence[SourceUse]) -> list[str]:
    """Name each source with its number of assets, of a larger collection the number of sources."""
    found: dict[str, list[str]] = {}
    for use in uses:
        owner = use.source.split(maxsplit=1)[0] if "/" in use.source else use.source
        found.setdefault(owner, []).append(f"{use.source or 'no source given'} ({use.assets})")
    lines = []
    for owner, names in found.items():
        few = len(names) <= _SHOWN
        lines += names if few else [f"{owner}: {len(names)} sources"]
    return lines


def _source_use(stored: Mapping[str, Any]) -> SourceUse:
    values = {("license" if key == "licence" else key): value for key, value in stored.items()}
    return SourceUse(**{**values, "attributions": tuple(values["attributions"])})


def _names(licence: str) -> list[str]:
    """Split `A + B` and SPDX's `A AND B`; a blank in a name counts as its hyphen."""
    parts = re.split(r"\s+(?:\+|AND)\s+", licence.strip())
    return [part.strip().replace(" ", "-") for part in parts]
