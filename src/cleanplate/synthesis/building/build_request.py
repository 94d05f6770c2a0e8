"""Build request (what a user asks for), and the plan that follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.building.asset_selection import AssetSelection, AssetType, select_assets
from cleanplate.synthesis.building.plan import Plan, assignment_count, library_versions
from cleanplate.synthesis.building.presets import Preset, preset_of
from cleanplate.synthesis.compositor.settings import CompositorSettings

_MAX_SHARD_SIZE = 1000
_MIN_SIDE = 16


@dataclass(frozen=True)
class BuildRequest:
    """What to build; None leaves it to the preset.

    Args:
        out: the set's folder.
        preset: name of a preset.
        plates, cutouts: folders; without any, procedural.
        count: samples; the assignment's follows from its assets.
        size: (H, W).
        seed: of everything that is drawn.
        settings: of the compositor.
        shard_size: samples in a shard.
        plate_count, cutout_count: how many of the assets to use, or to make.
        placements: of each plate, cutout and flip (assignment).
        skip_bad: leave out unusable assets.
        assume_license: licence of assets that state none.
    """

    out: Path
    preset: str = "realistic"
    plates: tuple[Path, ...] = ()
    cutouts: tuple[Path, ...] = ()
    count: int | None = None
    size: tuple[int, int] | None = None
    seed: int = 0
    settings: CompositorSettings | None = None
    shard_size: int | None = None
    plate_count: int | None = None
    cutout_count: int | None = None
    placements: int | None = None
    skip_bad: bool = False
    assume_license: str | None = None


def make_plan(
    request: BuildRequest,
    stored_plan: Plan | None,
    progress: Callable[[Iterable[int]], Iterable[int]],
) -> tuple[Plan, AssetSelection, AssetSelection]:
    """Decide everything that the set's bytes depend on, and select its plates and cutouts.

    Args:
        request: what to build.
        stored_plan: the set's plan, if it has one; assets it lists are not checked again.
        progress: wraps the indices of the assets, to show progress.

    Raises:
        CleanplateError: if the request contradicts itself, an asset cannot be used or has no
            licence, or there are fewer than asked for.
    """
    preset = preset_of(request.preset)
    settings = request.settings or preset.settings
    height, width = request.size or preset.size
    _check(request, preset, settings, height, width)
    plates = _select("plates", request, preset, stored_plan, progress)
    cutouts = _select("cutouts", request, preset, stored_plan, progress)
    procedural_plates = _procedural_count(
        request, preset, plates, request.plate_count, settings.procedural_rooms
    )
    procedural_cutouts = _procedural_count(
        request, preset, cutouts, request.cutout_count, settings.procedural_cutouts
    )
    placements, count = 0, request.count or preset.count
    if preset.placements:
        placements = request.placements or preset.placements
        count = assignment_count(
            len(plates.files) or procedural_plates,
            len(cutouts.files) or procedural_cutouts,
            placements,
        )
        if request.count not in (None, count):
            raise CleanplateError(
                f"{request.count} samples are asked for, but plates x cutouts x 2 flips x "
                f"{placements} placements make {count}",
                cure="Leave the count out, or change the numbers of assets or placements.",
            )
    plan = Plan(
        preset=preset.name,
        form=preset.form,
        seed=request.seed,
        width=width,
        height=height,
        count=count,
        # Sixteen shards or more, so that small sets too run in parallel and can resume.
        shard_size=request.shard_size or min(_MAX_SHARD_SIZE, max(8, math.ceil(count / 16))),
        placements=placements,
        settings=settings,
        plates=plates.assets,
        cutouts=cutouts.assets,
        procedural_plates=procedural_plates,
        procedural_cutouts=procedural_cutouts,
        skipped=plates.skipped + cutouts.skipped,
        made_with=library_versions(),
    )
    return plan, plates, cutouts


def _check(
    request: BuildRequest, preset: Preset, settings: CompositorSettings, height: int, width: int
) -> None:
    if request.seed < 0:
        raise CleanplateError(f"the seed {request.seed} is negative")
    if min(height, width) < _MIN_SIDE:
        raise CleanplateError(f"{width} x {height} is too small: at least 16 x 16")
    if preset.placements and request.settings not in (None, preset.settings):
        raise CleanplateError(f"the preset {preset.name} has no settings to change")
    if request.placements and not preset.placements:
        raise CleanplateError(
            f"the preset {preset.name} draws each placement by itself",
            cure="Say how many samples by their count.",
        )
    if settings.textures is not None:
        raise CleanplateError("a set cannot be built with textures of one's own")
    for number in (request.count, request.shard_size, request.plate_count, request.cutout_count):
        if number is not None and number < 1:
            raise CleanplateError(f"{number} is no number of samples or assets")


def _select(
    asset_type: AssetType,
    request: BuildRequest,
    preset: Preset,
    stored_plan: Plan | None,
    progress: Callable[[Iterable[int]], Iterable[int]],
) -> AssetSelection:
    folders: Sequence[Path] = getattr(request, asset_type)
    wanted = request.plate_count if asset_type == "plates" else request.cutout_count
    if not folders:
        return AssetSelection()
    selection = select_assets(
        asset_type,
        folders,
        seed=request.seed,
        wanted=wanted or preset.assets,
        needs_depth=preset.needs_depth,
        skip_bad=request.skip_bad,
        assume_license=request.assume_license,
        stored_plan=stored_plan,
        progress=progress,
    )
    if wanted and len(selection.files) < wanted:
        raise CleanplateError(
            f"{wanted} {asset_type} are asked for, {len(selection.files)} can be used",
            file=folders[0],
        )
    return selection


def _procedural_count(
    request: BuildRequest,
    preset: Preset,
    selection: AssetSelection,
    wanted: int | None,
    largest: int,
) -> int:
    """Give the number of procedural assets; few samples need few of them."""
    if selection.files:
        share = request.settings.procedural_share if request.settings else 0.0
        return largest if share > 0 else 0
    few = max(8, math.ceil((request.count or preset.count) / 10))
    return wanted or preset.assets or min(largest, few)
