"""What a person asks a build for, and the plan that follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.building.asset_selection import Noun, Stock, choose
from cleanplate.synthesis.building.plan import Plan, assignment_count, made_with
from cleanplate.synthesis.building.presets import Preset, preset_of
from cleanplate.synthesis.compositor.settings import CompositorSettings

_LARGEST_SHARD = 1000
_SMALLEST = 16


@dataclass(frozen=True)
class Order:
    """What a person asks for; None leaves it to the preset.

    Args:
        out: the set's folder.
        preset: name of a preset.
        plates, cutouts: folders; none = procedural.
        count: samples; the assignment's follows from its assets.
        size: (H, W).
        seed: of everything that is drawn.
        settings: of the compositor.
        shard_size: samples in a shard.
        plate_count, cutout_count: how many of the assets are taken, or made.
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


def draw_plan(
    order: Order, known: Plan | None, watch: Callable[[Iterable[int]], Iterable[int]]
) -> tuple[Plan, Stock, Stock]:
    """Decide everything that the set's bytes depend on, and find its plates and cutouts.

    Args:
        order: what is asked for.
        known: the set's plan, if it has one; assets that it knows are not looked through again.
        watch: draws progress over assets.

    Raises:
        CleanplateError: if the order contradicts itself, an asset cannot be used or has no
            licence, or there are fewer than asked for.
    """
    preset = preset_of(order.preset)
    settings = order.settings or preset.settings
    height, width = order.size or preset.size
    _check(order, preset, settings, height, width)
    plates = _stock("plates", order, preset, known, watch)
    cutouts = _stock("cutouts", order, preset, known, watch)
    rooms = _procedural(order, preset, plates, order.plate_count, settings.procedural_rooms)
    figures = _procedural(order, preset, cutouts, order.cutout_count, settings.procedural_cutouts)
    placements, count = 0, order.count or preset.count
    if preset.placements:
        placements = order.placements or preset.placements
        count = assignment_count(
            len(plates.files) or rooms, len(cutouts.files) or figures, placements
        )
        if order.count not in (None, count):
            raise CleanplateError(
                f"{order.count} samples are asked for, but plates x cutouts x 2 flips x "
                f"{placements} placements make {count}",
                cure="Leave the count out, or change the numbers of assets or placements.",
            )
    plan = Plan(
        preset=preset.name,
        form=preset.form,
        seed=order.seed,
        width=width,
        height=height,
        count=count,
        # Sixteen pieces or more, so that a small set too is shared out and can go on.
        shard_size=order.shard_size or min(_LARGEST_SHARD, max(8, math.ceil(count / 16))),
        placements=placements,
        settings=settings,
        plates=plates.assets,
        cutouts=cutouts.assets,
        procedural_plates=rooms,
        procedural_cutouts=figures,
        skipped=plates.skipped + cutouts.skipped,
        made_with=made_with(),
    )
    return plan, plates, cutouts


def _check(
    order: Order, preset: Preset, settings: CompositorSettings, height: int, width: int
) -> None:
    if order.seed < 0:
        raise CleanplateError(f"the seed {order.seed} is negative")
    if min(height, width) < _SMALLEST:
        raise CleanplateError(f"{width} x {height} is too small: at least 16 x 16")
    if preset.placements and order.settings not in (None, preset.settings):
        raise CleanplateError(f"the preset {preset.name} has no settings to change")
    if order.placements and not preset.placements:
        raise CleanplateError(
            f"the preset {preset.name} draws each placement by itself",
            cure="Say how many samples by their count.",
        )
    if settings.textures is not None:
        raise CleanplateError("a set cannot be built with textures of one's own")
    for number in (order.count, order.shard_size, order.plate_count, order.cutout_count):
        if number is not None and number < 1:
            raise CleanplateError(f"{number} is no number of samples or assets")


def _stock(
    noun: Noun,
    order: Order,
    preset: Preset,
    known: Plan | None,
    watch: Callable[[Iterable[int]], Iterable[int]],
) -> Stock:
    folders: Sequence[Path] = getattr(order, noun)
    wanted = order.plate_count if noun == "plates" else order.cutout_count
    if not folders:
        return Stock()
    stock = choose(
        noun,
        folders,
        seed=order.seed,
        wanted=wanted or preset.assets,
        needs_depth=preset.needs_depth,
        skip_bad=order.skip_bad,
        assume_license=order.assume_license,
        known=known,
        watch=watch,
    )
    if wanted and len(stock.files) < wanted:
        raise CleanplateError(
            f"{wanted} {noun} are asked for, {len(stock.files)} can be used", file=folders[0]
        )
    return stock


def _procedural(
    order: Order, preset: Preset, stock: Stock, wanted: int | None, largest: int
) -> int:
    """How many procedural assets there are: of a few samples, not more than pay for themselves."""
    if stock.files:
        share = order.settings.procedural_share if order.settings else 0.0
        return largest if share > 0 else 0
    few = max(8, math.ceil((order.count or preset.count) / 10))
    return wanted or preset.assets or min(largest, few)
