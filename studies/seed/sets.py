"""The study's pairs: built by the project's own builder, held in memory at one size."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cleanplate.depth import depth_to_disparity
from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.pairs.pair_files import find_pairs
from cleanplate.synthesis.building.build import build
from cleanplate.synthesis.building.build_request import BuildRequest
from cleanplate.synthesis.building.local_engine import run_local
from cleanplate.synthesis.building.manifest import read_shard_manifest
from cleanplate.synthesis.building.plan import read_plan
from cleanplate.training.data.folder_reader import Folders
from cleanplate.training.data.shard_reader import Shards
from cleanplate.training.data.stored_samples import resize_to_cover
from studies.seed.settings import Scale

ROOT = Path(__file__).parents[2]
ARCHIVES = ROOT / "data"

_HELD_OUT = 5
"""One plate and one cutout in so many validate."""


@dataclass(frozen=True)
class Pairs:
    """N pairs of one size.

    plate, frame: (N, S, S, 3) uint8 sRGB.
    mask: (N, S, S) float32, the share that the subject covers.
    disparity: (N, S, S) float32 of the frame, 1/m; 0 = nothing hit; NaN = unknown.
    relative: (N, S, S) float32, the same spread over [0, 1] in each picture, near is 1.
    """

    plate: npt.NDArray[np.uint8]
    frame: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.float32]
    disparity: npt.NDArray[np.float32]
    relative: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.mask)

    def __getitem__(self, which: Any) -> Pairs:
        return Pairs(*(getattr(self, field.name)[which] for field in fields(self)))

    def save(self, file: Path) -> None:
        """Keep them, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as path, path.open("wb") as stream:
            np.savez(stream, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, file: Path) -> Pairs:
        """Undo `save`."""
        with np.load(file) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})


def prepare(scale: Scale, work: Path, processes: int, pairs: Path | None) -> dict[str, Path]:
    """Build the sets and cut the study's parts out of them; what is there already stays.

    Args:
        scale: decides sizes and numbers.
        work: where everything goes.
        processes: of the builder.
        pairs: full-scene pairs with exact truth, for validation only; None = none.

    Returns:
        File by part: `assignment/train`, `assignment/known` (places that train, other subjects),
        `assignment/new` (neither), the same of `realistic`, `assignment/more` (training pairs for
        longer runs), and `pairs/VARIANT`.
    """
    plates, cutouts = _assets(work)
    found: dict[str, Path] = {}
    for preset in ("assignment", "realistic"):
        files = {part: work / f"{preset}-{part}.npz" for part in ("train", "known", "new")}
        if preset == "assignment" and scale.more > 1:
            files["more"] = work / "assignment-more.npz"
        found |= {f"{preset}/{part}": file for part, file in files.items()}
        if all(file.is_file() for file in files.values()):
            continue
        order = BuildRequest(
            work / preset,
            preset,
            plates=(plates,),
            cutouts=(cutouts,),
            size=(scale.stored, scale.stored),
            seed=2020,
        )
        if preset == "assignment":
            order = replace(
                order,
                plate_count=scale.plates,
                cutout_count=scale.cutouts,
                placements=scale.placements,
            )
            build(order, _engine(processes))
            parts = _assignment(order.out, scale)
        else:
            count = scale.pairs + 2 * scale.validation
            build(replace(order, count=count), _engine(processes))
            parts = _realistic(order.out, scale)
        for part, file in files.items():
            parts[part].save(file)
    if pairs is not None:
        for variant in ("clean", "camera"):
            found[f"pairs/{variant}"] = file = work / f"pairs-{variant}.npz"
            if not file.is_file():
                _full_scenes(pairs, variant, scale.size).save(file)
    return found


def _engine(processes: int) -> Any:
    return lambda job, shards, watch: run_local(job, shards, watch, processes)


def _assets(work: Path) -> tuple[Path, Path]:
    """Unpack the rendered plates and cutouts that come with the project."""
    for noun in ("plates", "cutouts"):
        done = work / "assets" / f".{noun}"
        if not done.exists():
            with tarfile.open(ARCHIVES / f"{noun}.tar.gz") as archive:
                archive.extractall(work / "assets", filter="data")
            done.touch()
    return work / "assets" / "plates", work / "assets" / "cutouts"


def _assignment(folder: Path, scale: Scale) -> dict[str, Pairs]:
    """Training: plates and cutouts that are not held out. Known: those plates, held cutouts."""
    plan = read_plan(folder)
    assert plan is not None
    index = np.arange(plan.count)
    plate, cutout = np.array([plan.assignment_indices(int(i))[:2] for i in index]).T
    held_plate, held_cutout = plate % _HELD_OUT == 0, cutout % _HELD_OUT == 0
    learned = ~held_plate & ~held_cutout
    sides = {
        "train": (learned, scale.pairs),
        "known": (~held_plate & held_cutout, scale.validation),
        "new": (held_plate & held_cutout, scale.validation),
    }
    if scale.more > 1:  # drawn last, so that the others are the same with and without
        sides["more"] = (learned, scale.more * scale.pairs)
    rng = np.random.default_rng(2020)
    samples, ranges = Folders(folder), _Ranges(folder, plan.shard_size)
    found = {}
    for part, (side, count) in sides.items():
        numbers = np.flatnonzero(side)
        if len(numbers) < count:
            raise CleanplateError(
                f"the set has {len(numbers)} pairs for {part}, {count} are asked for", file=folder
            )
        chosen = np.sort(rng.choice(numbers, count, replace=False))
        found[part] = _stacked(
            (_metric(samples.read(int(n)), ranges.of(int(n))) for n in chosen), scale.size
        )
    return found


class _Ranges:
    """What code 0 and code 255 of a sample's depth picture mean, from the set's records."""

    def __init__(self, folder: Path, shard_size: int):
        self.folder, self.shard_size = folder, shard_size
        self._known: dict[int, list[Any]] = {}

    def of(self, index: int) -> tuple[float, float]:
        shard, place = divmod(index, self.shard_size)
        if shard not in self._known:
            record = read_shard_manifest(self.folder, shard)
            assert record is not None
            self._known[shard] = record["samples"]
        facts = self._known[shard][place]
        return float(facts["disparity_low"]), float(facts["disparity_high"])


def _metric(sample: dict[str, Any], ends: tuple[float, float]) -> dict[str, Any]:
    low, high = ends
    return {**sample, "disparity": low + sample["disparity"] * np.float32(high - low)}


def _realistic(folder: Path, scale: Scale) -> dict[str, Pairs]:
    """Cut a realistic set; plates are drawn, so the parts share places: all validate as known."""
    samples = Shards(folder)
    bounds = np.cumsum([0, scale.pairs, scale.validation, scale.validation])
    return {
        part: _stacked((samples.read(n) for n in range(bounds[i], bounds[i + 1])), scale.size)
        for i, part in enumerate(("train", "known", "new"))
    }


def _full_scenes(folder: Path, variant: str, size: int) -> Pairs:
    def read() -> Iterable[dict[str, Any]]:
        for pair in find_pairs(folder):
            view = pair.read(variant)
            assert view.depth is not None
            yield {
                "plate": view.plate,
                "frame": view.frame,
                "alpha": view.alpha,
                "disparity": depth_to_disparity(view.depth),
            }

    return _stacked(read(), size)


def student_pairs(folder: Path, size: int) -> Pairs:
    """Read tuples of original student data: `relative` is a monocular network's, not truth."""
    samples = Folders(folder, "near-dark")
    return _stacked((samples.read(number) for number in range(len(samples))), size)


def _stacked(samples: Iterable[Mapping[str, Any]], size: int) -> Pairs:
    kept: dict[str, list[Any]] = {field.name: [] for field in fields(Pairs)}
    for sample in samples:
        known = {k: sample[k] for k in ("plate", "frame", "alpha", "disparity")}
        cut = resize_to_cover(known, (size, size))
        kept["plate"].append(cut["plate"])
        kept["frame"].append(cut["frame"])
        kept["mask"].append(np.clip(cut["alpha"], 0, 1).astype(np.float32))
        kept["disparity"].append(np.asarray(cut["disparity"], np.float32))
        kept["relative"].append(spread(cut["disparity"]))
    return Pairs(**{name: np.stack(values) for name, values in kept.items()})


def spread(disparity: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Spread a map over [0, 1] between its ends, near is 1; unknown becomes 0."""
    low, high = float(np.nanmin(disparity)), float(np.nanmax(disparity))
    relative = (disparity - low) / max(high - low, 1e-6)
    return np.nan_to_num(relative, nan=0.0).astype(np.float32)


def shrunk(pairs: Pairs) -> Pairs:
    """Halve the size of every picture and map."""

    def half(stack: npt.NDArray[Any], way: int) -> npt.NDArray[Any]:
        side = stack.shape[1] // 2
        return np.stack([cv2.resize(one, (side, side), interpolation=way) for one in stack])

    return Pairs(
        half(pairs.plate, cv2.INTER_AREA),
        half(pairs.frame, cv2.INTER_AREA),
        half(pairs.mask, cv2.INTER_AREA),
        half(pairs.disparity, cv2.INTER_NEAREST),
        half(pairs.relative, cv2.INTER_AREA),
    )
