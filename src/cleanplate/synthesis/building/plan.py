"""Plan of a data set: everything that decides its bytes, fixed before the first sample.

`plan.json` is the first file of a set. Sample i follows from it alone, on any machine; the same
command finds the same plan again, which is how a stopped build resumes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import read_json
from cleanplate.synthesis.assets.licensing import Credit
from cleanplate.synthesis.compositor.settings import CompositorSettings

FORMAT = 1
"""Version of `plan.json`, the manifests and `dataset.json`; raised when their meaning changes."""
PLAN = "plan.json"
_FLIPS = 2


@dataclass(frozen=True)
class PlannedAsset:
    """A plate or a cutout of the set.

    `name` is unique among its type; `sha256` covers all its files; `kind` is a cutout's.
    """

    name: str
    sha256: str
    credit: Credit
    kind: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` takes."""
        credit = {k: v for k, v in self.credit.as_json().items() if k != "asset"}
        kind = {"kind": self.kind} if self.kind else {}
        return {"name": self.name, "sha256": self.sha256, **kind, **credit}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PlannedAsset:
        """Read what `as_json` gives."""
        credit = Credit.from_json({**stored, "asset": stored["name"]})
        return cls(stored["name"], stored["sha256"], credit, stored.get("kind", ""))


@dataclass(frozen=True)
class Skipped:
    """An asset that was left out, and the reason."""

    name: str
    reason: str
    sha256: str


@dataclass(frozen=True)
class Plan:
    """Everything that decides the bytes of a set.

    Args:
        preset: name in `presets.PRESETS`.
        form: "shards" (WebDataset) or "folders" (the assignment's).
        seed: of everything that is drawn.
        width, height: of a sample, in pixels.
        count: samples.
        shard_size: samples in one shard; the last may hold fewer.
        placements: of each plate, cutout and flip; 0 if drawn sample by sample.
        settings: of the compositor.
        plates, cutouts: in the order of their indices; empty = procedural.
        procedural_plates, procedural_cutouts: numbers of procedural assets.
        skipped: assets left out on request.
        made_with: versions of the libraries that the bytes depend on.
    """

    preset: str
    form: str
    seed: int
    width: int
    height: int
    count: int
    shard_size: int
    placements: int
    settings: CompositorSettings
    plates: tuple[PlannedAsset, ...]
    cutouts: tuple[PlannedAsset, ...]
    procedural_plates: int
    procedural_cutouts: int
    skipped: tuple[Skipped, ...]
    made_with: Mapping[str, str]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of a sample."""
        return self.height, self.width

    @property
    def shards(self) -> int:
        """Number of shards, or chunks of the folders' form."""
        return -(-self.count // self.shard_size)

    def samples_of(self, shard: int) -> range:
        """Give the indices of the samples in a shard."""
        first = shard * self.shard_size
        return range(first, min(first + self.shard_size, self.count))

    def name_of(self, index: int) -> str:
        """Give the name that all parts of a sample share."""
        return f"{index:09}" if self.form == "shards" else f"{index:06}"

    def assignment_indices(self, index: int) -> tuple[int, int, int, int]:
        """Give the indices of plate, cutout, flip and placement of an assignment's sample.

        Placements vary fastest, plates slowest, so that consecutive samples share a plate.
        """
        rest, placement = divmod(index, self.placements)
        rest, flip = divmod(rest, _FLIPS)
        plate, cutout = divmod(rest, len(self.cutouts) or self.procedural_cutouts)
        return plate, cutout, flip, placement

    def as_json(self) -> dict[str, Any]:
        """Give what is written to `plan.json`."""
        stored: dict[str, Any] = {"format": FORMAT}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("plates", "cutouts"):
                value = [asset.as_json() for asset in value]
            elif field.name == "skipped":
                value = [asdict(one) for one in value]
            elif field.name == "settings":
                value = {k: v for k, v in asdict(value).items() if k != "textures"}
            stored[field.name] = value
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Plan:
        """Read what `as_json` gives, also of older versions.

        Raises:
            KeyError, TypeError, ValueError: if it is no plan.
            CleanplateError: if a setting is out of range.
        """
        values = {field.name: stored[field.name] for field in fields(cls)}
        values["settings"] = CompositorSettings.from_json(values["settings"])
        for asset_type in ("plates", "cutouts"):
            values[asset_type] = tuple(PlannedAsset.from_json(one) for one in values[asset_type])
        values["skipped"] = tuple(Skipped(**one) for one in values["skipped"])
        return cls(**values)

    @property
    def text(self) -> str:
        """The contents of `plan.json`."""
        return json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n"

    @property
    def sha256(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def assignment_count(plates: int, cutouts: int, placements: int) -> int:
    """Count samples: every plate with every cutout, both flips, in every placement."""
    return plates * cutouts * _FLIPS * placements


def library_versions() -> dict[str, str]:
    """Give the versions of the libraries that a sample's bytes depend on."""
    import cv2
    import numpy as np
    import PIL

    try:
        own = version("cleanplate")
    except PackageNotFoundError:  # run from a source tree
        own = "source"
    return {
        "cleanplate": own,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
    }


def read_plan(out: Path) -> Plan | None:
    """Read the plan of a set; None if the folder has none.

    Raises:
        CleanplateError: if it is damaged or of another format.
    """
    file = out / PLAN
    try:
        stored = read_json(file)
        if stored["format"] != FORMAT:
            raise CleanplateError(
                f"is of format {stored['format']}, this version reads {FORMAT}", file=file
            )
        return Plan.from_json(stored)
    except FileNotFoundError:
        return None
    except CleanplateError as error:  # a setting out of range does not know its file
        raise CleanplateError(error.what, file=file, cure=error.cure) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CleanplateError(f"is no plan of a data set ({error!r})", file=file) from error


def write_plan(out: Path, plan: Plan) -> None:
    """Write the plan, whole or not at all.

    Raises:
        CleanplateError: if it cannot be written.
    """
    with replacing(out / PLAN) as path:
        path.write_text(plan.text, encoding="utf-8")


def plan_differences(there: Plan, here: Plan) -> list[str]:
    """List the differences between two plans, one line each; empty if they are equal."""
    return list(_iterate_differences(there, here))


def _iterate_differences(there: Plan, here: Plan) -> Iterator[str]:
    for field in fields(Plan):
        name = field.name
        a, b = getattr(there, name), getattr(here, name)
        if a == b:
            continue
        if name in ("plates", "cutouts"):
            yield from _asset_differences(name, a, b)
        elif name == "settings":
            for one in fields(CompositorSettings):
                x, y = getattr(a, one.name), getattr(b, one.name)
                if x != y:
                    yield f"{one.name}: {x} there, {y} here"
        elif name == "made_with":
            for library in sorted({*a, *b}):
                if a.get(library) != b.get(library):
                    yield f"{library}: {a.get(library)} there, {b.get(library)} here"
        elif name == "skipped":
            yield f"left out: {_names(a)} there, {_names(b)} here"
        else:
            yield f"{name}: {a} there, {b} here"


def _asset_differences(
    asset_type: str, there: tuple[PlannedAsset, ...], here: tuple[PlannedAsset, ...]
) -> Iterator[str]:
    a, b = ({asset.name: asset for asset in assets} for assets in (there, here))
    if len(there) != len(here):
        yield f"{asset_type}: {len(there)} there, {len(here)} here"
    for name in sorted(a.keys() | b.keys()):
        if name not in b:
            yield f"{asset_type}: {name} is missing here"
        elif name not in a:
            yield f"{asset_type}: {name} is new here"
        elif a[name].sha256 != b[name].sha256:
            yield f"{asset_type}: the files of {name} have changed"
        elif a[name] != b[name]:
            yield f"{asset_type}: what is said of the licence or kind of {name} has changed"
    if a.keys() == b.keys() and list(a) != list(b):
        yield f"{asset_type}: in another order"


def _names(skipped: tuple[Skipped, ...]) -> str:
    return ", ".join(one.name for one in skipped) or "nothing"
