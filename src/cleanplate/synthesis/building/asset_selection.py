"""Selection of the assets of a data set: checked, hashed and chosen before the build begins.

Every asset is read once here, so that unusable ones are found before the first sample. Workers
read them again and compare their hashes with the plan.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.assets.asset_folder import asset_files
from cleanplate.synthesis.assets.catalogue import CutoutFolder, PlateFolder
from cleanplate.synthesis.assets.cutout import Cutout
from cleanplate.synthesis.assets.licensing import (
    read_credits,
    require_licenses,
    with_assumed_license,
)
from cleanplate.synthesis.assets.plate import Plate
from cleanplate.synthesis.building.plan import Plan, PlannedAsset, Skipped

AssetType = Literal["plates", "cutouts"]
_MAX_BYTES = 512 << 20
"""Bytes of decoded assets that a worker keeps of each type."""
# What reading raises if a JSON file has values of the wrong type.
_MALFORMED = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)


@dataclass(frozen=True)
class AssetSelection:
    """Chosen assets: `files[i]` is the picture of `assets[i]`; both empty if procedural."""

    files: tuple[Path, ...] = ()
    assets: tuple[PlannedAsset, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def select_assets(
    asset_type: AssetType,
    folders: Sequence[Path],
    *,
    seed: int,
    wanted: int | None,
    needs_depth: bool,
    skip_bad: bool,
    assume_license: str | None,
    stored_plan: Plan | None,
    progress: Callable[[Iterable[int]], Iterable[int]],
) -> AssetSelection:
    """Check the assets of folders and choose `wanted` usable ones by the seed; None = all.

    Args:
        asset_type: plates or cutouts.
        folders: without any, assets are procedural and the selection is empty.
        seed: decides which are chosen if there are more.
        wanted: how many; fewer if there are not as many.
        needs_depth: whether a plate without depth is unusable.
        skip_bad: leave out unusable assets instead of raising.
        assume_license: for assets that state none.
        stored_plan: an earlier plan; assets it lists with the same hash are not checked again.
        progress: wraps the indices of the assets, to show progress.

    Raises:
        CleanplateError: if an asset cannot be used, has no licence, or none is left.
    """
    names = _asset_names(asset_type, folders)
    files = list(names)
    order = np.arange(len(files))
    if wanted is not None and wanted < len(files):
        order = np.random.default_rng([seed, len(asset_type), len(files)]).permutation(len(files))
    known_kinds = _known_kinds(stored_plan, asset_type)
    chosen: dict[int, PlannedAsset] = {}
    skipped = []
    for number in progress(order.tolist()):
        file, name = files[number], names[files[number]]
        [credit] = read_credits([file])
        digest = asset_digest(file)
        try:
            kind = known_kinds.get((name, digest))
            if kind is None:
                kind = check_asset(asset_type, file, needs_depth=needs_depth)
        except CleanplateError as error:
            if not skip_bad:
                raise
            at = error.file.name if error.file else file.name
            skipped.append(Skipped(name, f"{at}: {error.what}", digest))
            continue
        chosen[number] = PlannedAsset(name, digest, replace(credit, asset=name), kind)
        if len(chosen) == wanted:
            break
    if folders and not chosen:
        raise CleanplateError(
            f"no {asset_type} are left", file=folders[0], cure="All were skipped."
        )
    numbers = sorted(chosen)
    credits = [chosen[number].credit for number in numbers]
    if assume_license is not None:
        credits = with_assumed_license(credits, assume_license)
    if folders:
        require_licenses(credits, folders[0])
    assets = (replace(chosen[n], credit=c) for n, c in zip(numbers, credits, strict=True))
    return AssetSelection(
        tuple(files[number] for number in numbers),
        tuple(assets),
        tuple(sorted(skipped, key=lambda one: one.name)),
    )


def _asset_names(asset_type: AssetType, folders: Sequence[Path]) -> dict[Path, str]:
    """Name each asset `folder/stem`; folders of equal names are numbered."""
    kind = PlateFolder if asset_type == "plates" else CutoutFolder
    names: dict[Path, str] = {}
    labels: dict[str, int] = {}
    for folder in folders:
        label = folder.resolve().name or "assets"
        labels[label] = labels.get(label, 0) + 1
        if labels[label] > 1:
            label = f"{label}-{labels[label]}"
        for file in kind.open(folder).files:
            name = f"{label}/{file.stem}"
            if name in names.values():
                name = f"{label}/{file.name}"
            names[file] = name
    return names


def _known_kinds(stored_plan: Plan | None, asset_type: AssetType) -> Mapping[tuple[str, str], str]:
    """Kinds of the assets that an earlier plan found usable, by name and hash."""
    assets: Sequence[PlannedAsset] = () if stored_plan is None else getattr(stored_plan, asset_type)
    return {(asset.name, asset.sha256): asset.kind for asset in assets}


def asset_digest(file: Path) -> str:
    """Give the SHA-256 over all files of an asset, with their endings.

    Raises:
        CleanplateError: if a file cannot be read.
    """
    digest = hashlib.sha256()
    for part in asset_files(file):
        try:
            data = part.read_bytes()
        except OSError as error:
            raise CleanplateError(f"cannot be read ({error.strerror})", file=part) from error
        digest.update(f"{part.name.removeprefix(file.stem)} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def check_asset(asset_type: AssetType, file: Path, *, needs_depth: bool) -> str:
    """Read an asset as composing will; give its kind ("" for a plate).

    Raises:
        CleanplateError: if it cannot be used, naming the file.
    """
    try:
        if asset_type == "plates":
            plate = PlateFolder([file]).read(file)
            if needs_depth and plate.disparity is None:
                raise CleanplateError(
                    "has no depth beside it",
                    file=file,
                    cure=f"Put it there as {file.stem}_depth.png (`cleanplate synth depth` "
                    "estimates one), or leave such plates out with --skip-bad.",
                )
            _check_plate(file, plate)
            return ""
        folder = CutoutFolder([file])
        cutout = folder.read_unfilled(file)
        if not (math.isfinite(cutout.pixels_per_metre) and cutout.pixels_per_metre > 0):
            raise CleanplateError("its size or distance is not positive", file=file)
        if min(cutout.size) < 0:
            raise CleanplateError("size_m is negative", file=file)
        [kind] = folder.kinds
        return kind
    except _MALFORMED as error:
        raise CleanplateError(
            f"does not have the form it should ({error!r})", file=file.with_suffix(".json")
        ) from error


def _check_plate(file: Path, plate: Plate) -> None:
    camera = plate.camera
    if camera is not None and not (camera.intrinsics.fx > 0 and camera.intrinsics.fy > 0):
        raise CleanplateError("fx and fy are not positive", file=file.with_suffix(".json"))
    if min(plate.picture.shape[:2]) < 16:
        raise CleanplateError("is smaller than 16 pixels", file=file)


class PlannedPlates(PlateFolder):
    """The plates of a plan, under its names; each is compared with the plan's hash when read."""

    def __init__(
        self, files: list[Path], memory: int = _MAX_BYTES, assets: Sequence[PlannedAsset] = ()
    ):
        super().__init__(files, memory)
        self.assets = dict(zip(files, assets, strict=True))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "assets": list(self.assets.values())}

    def read(self, path: Path) -> Plate:
        """Read a plate.

        Raises:
            CleanplateError: if it has changed since the plan was made, or cannot be read.
        """
        plate = super().read(path)
        require_unchanged(path, self.assets[path])
        return replace(plate, name=self.assets[path].name)


class PlannedCutouts(CutoutFolder):
    """The cutouts of a plan, under its names; each is compared with the plan's hash when read."""

    def __init__(
        self, files: list[Path], memory: int = _MAX_BYTES, assets: Sequence[PlannedAsset] = ()
    ):
        super().__init__(files, memory)
        self.assets = dict(zip(files, assets, strict=True))
        self._kinds = {}
        for index, asset in enumerate(assets):
            self._kinds.setdefault(asset.kind, []).append(index)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "assets": list(self.assets.values())}

    def read(self, path: Path) -> Cutout:
        """Read a cutout.

        Raises:
            CleanplateError: if it has changed since the plan was made, or cannot be read.
        """
        cutout = super().read(path)
        require_unchanged(path, self.assets[path])
        return replace(cutout, name=self.assets[path].name)


def require_unchanged(file: Path, asset: PlannedAsset) -> None:
    """Compare an asset's files with its hash in the plan.

    Raises:
        CleanplateError: if they differ.
    """
    if asset_digest(file) != asset.sha256:
        raise CleanplateError(
            "has changed since the set was planned",
            file=file,
            cure="Put back the files as they were, or build a new set elsewhere.",
        )
