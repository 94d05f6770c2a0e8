"""Dataset card: what a set is, how it was made, and its sources and licences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from cleanplate.errors import CleanplateError
from cleanplate.files.atomic import replacing
from cleanplate.files.json_files import read_json
from cleanplate.markdown_table import markdown_table
from cleanplate.synthesis.assets.licensing import Credit, SourceUse, group_by_source
from cleanplate.synthesis.building.plan import Plan, PlannedAsset, read_plan
from cleanplate.synthesis.building.presets import preset_of
from cleanplate.synthesis.compositor.settings import CompositorSettings

CARD = "DATASET_CARD.md"
STATS = Path("stats", "stats.json")
"""File of `cleanplate synth stats` within the set, whose figures the card shows."""

_PARTS = {
    "shards": """\
WebDataset shards `NNNNNN.tar`; the parts of a sample share its number.

| part | what |
| --- | --- |
| `plate.jpg`, `frame.jpg` | the empty scene and the same with subjects, sRGB |
| `alpha.png` | the subjects' coverage, 0 to 1 over the file's range |
| `foreground.jpg` or `.png` | the subjects' straight colour |
| `shadow.png` | by how much subjects darken the scene in linear light, 1 = untouched |
| `plate_depth.png`, `depth.png` | planar depth of plate and frame, 16 bit, mm, 0 = unknown, \
65535 = 65.535 m or farther, the sky too; only where the plate has depth |
| `json` | which assets, where, and from which seed |""",
    "folders": """\
Four folders; files of one name are one sample.

| folder | what |
| --- | --- |
| `bg/` | the empty scene, sRGB |
| `fg_bg/` | the same with a subject, sRGB |
| `mask/` | the subject's coverage, 0 or 255 but for JPEG's rounding: cut at 128 |
| `depth/` | disparity of `fg_bg`, 8 bit, near = bright; `records/` gives each sample's scale, \
with which it is metric again |""",
}
_LIMITS = """\
- Composites: subjects keep the light under which they were taken, except for gain, tint and a \
gradient. They neither shade themselves nor one another.
- A cast shadow is that of a flat subject.
- Depth is as exact as the plate's and the cutout's own; where a plate has none, its samples have \
none. Cutouts that do not tell their size are taken to be 1 m high.
- The set shows what its plates and cutouts show, and nothing else: see their numbers above before \
judging a model by it."""
_LIMITS_PLACED_ANYWHERE = """\
- Subjects are placed anywhere, at any size, in front of the plate: they do not stand on the \
ground. The assignment asks for this; it is kept so that results can be compared."""


def write_card(folder: str | Path, dataset: Mapping[str, Any] | None = None) -> Path:
    """Write `DATASET_CARD.md` from a set's plan, its totals and, if present, its statistics.

    The same set gives the same card on every machine.

    Args:
        folder: of a set, with its `plan.json`.
        dataset: the contents of `dataset.json`; by default those of the file. Without either
            the card says that the set is not finished.

    Returns:
        The card's path.

    Raises:
        CleanplateError: if there is no plan, a file is damaged, or the card cannot be written.
    """
    folder = Path(folder)
    plan = read_plan(folder)
    if plan is None:
        raise CleanplateError("has no plan.json, so it is no set", file=folder)
    if dataset is None:
        dataset = _read_json_object(folder / "dataset.json")
    text = as_markdown(plan, dataset, _read_json_object(folder / STATS))
    with replacing(folder / CARD) as path:
        path.write_text(text, encoding="utf-8")
    return folder / CARD


def as_markdown(
    plan: Plan, dataset: Mapping[str, Any] | None, stats: Mapping[str, Any] | None = None
) -> str:
    """Give the card's text; `stats` as in `stats.json`."""
    sections = [
        "# Dataset card",
        _summary(plan, dataset),
        markdown_table(("", ""), _fact_rows(plan, dataset)),
        f"## A sample\n\n{_PARTS[plan.form]}",
        f"## How it was made\n\n{_reproduction(plan)}",
        f"## Licences\n\n{_license_sections(plan)}",
        *_assumed_licenses(plan),
        *_skipped(plan, dataset),
        *_figures(stats),
        f"## Limits\n\n{_LIMITS}"
        + ("\n" + _LIMITS_PLACED_ANYWHERE if _is_placed_anywhere(plan) else ""),
    ]
    return "\n\n".join(sections) + "\n"


def _summary(plan: Plan, dataset: Mapping[str, Any] | None) -> str:
    count = dataset["samples"] if dataset else plan.count
    more = "" if dataset else " It is **not finished**: the same command resumes the build."
    return (
        f"{count:,} samples of {plan.width} x {plan.height} pixels: a plate (an empty scene) and "
        "a frame (the same scene with subjects in it), with the truth about them. Composed by "
        f"Cleanplate, preset `{plan.preset}`.{more}"
    )


def _fact_rows(plan: Plan, dataset: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    rows = [
        ("plates", _kind_counts(plan.plates, plan.procedural_plates)),
        ("cutouts", _kind_counts(plan.cutouts, plan.procedural_cutouts)),
        ("seed", str(plan.seed)),
        ("shards" if plan.form == "shards" else "chunks", f"{plan.shards:,}"),
    ]
    if dataset:
        rows += [
            ("bytes", f"{dataset['bytes']:,}"),
            ("digest of all records (SHA-256)", f"`{dataset['records_sha256']}`"),
        ]
    versions = ", ".join(f"{library} {number}" for library, number in plan.made_with.items())
    return [*rows, ("made with", versions)]


def _kind_counts(assets: Sequence[PlannedAsset], procedural: int) -> str:
    kinds = Counter(asset.kind for asset in assets if asset.kind)
    listed = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    parts = [f"{len(assets)}" + (f" ({listed})" if listed else "")] if assets else []
    if procedural:
        parts.append(f"{procedural} procedural")
    return " and ".join(parts)


def _reproduction(plan: Plan) -> str:
    return (
        f"```\n{command_of(plan)}\n```\n\n"
        "`plan.json` holds every setting and the digest of every asset. From the same assets, with "
        "the same versions, the command makes the same bytes."
    )


def command_of(plan: Plan) -> str:
    """Give the command that builds such a set, with placeholders for folders."""
    parts = ["cleanplate synth build -o SET"]
    parts += [f"--plates PLATES --plates-count {len(plan.plates)}"] if plan.plates else []
    parts += [f"--cutouts CUTOUTS --cutouts-count {len(plan.cutouts)}"] if plan.cutouts else []
    parts += [f"--preset {plan.preset} --size {plan.width}x{plan.height} --seed {plan.seed}"]
    parts += [f"--placements {plan.placements}" if plan.placements else f"--count {plan.count}"]
    parts += [f"--shard-size {plan.shard_size}"]
    parts += [f"--set {name}={value}" for name, value in _changed_settings(plan)]
    if any(asset.credit.assumed for asset in (*plan.plates, *plan.cutouts)):
        parts.append("--assume-license TEXT")
    return " ".join([*parts, *(["--skip-bad"] if plan.skipped else [])])


def _changed_settings(plan: Plan) -> Iterator[tuple[str, str]]:
    """Give the settings that differ from the preset's, as the command line takes them."""
    usual = preset_of(plan.preset).settings
    for field in fields(CompositorSettings):
        value = getattr(plan.settings, field.name)
        if value != getattr(usual, field.name):
            yield (
                field.name,
                ",".join(map(str, value)) if isinstance(value, tuple) else str(value),
            )


def _license_sections(plan: Plan) -> str:
    blocks = []
    for asset_type, assets, procedural in (
        ("Plates", plan.plates, plan.procedural_plates),
        ("Cutouts", plan.cutouts, plan.procedural_cutouts),
    ):
        if assets:
            blocks.append(
                f"### {asset_type}\n\n{_license_table([asset.credit for asset in assets])}"
            )
        if procedural:
            blocks.append(
                f"{asset_type} that are procedural ({procedural}) were made by Cleanplate itself; "
                "they contain no work of others."
            )
    blocks.insert(
        0,
        "This set, and anything made from it, is subject to every licence below. "
        "An asset counts under each source that it holds.",
    )
    return "\n\n".join(blocks)


def _license_table(credits: Sequence[Credit]) -> str:
    """Give a Markdown table of licence, attribution, and sources with their counts."""
    groups: dict[tuple[str, tuple[str, ...]], list[SourceUse]] = {}
    for use in group_by_source(credits):
        groups.setdefault((use.license, use.attributions), []).append(use)
    rows = []
    for (license, attributions), uses in groups.items():
        sources = ", ".join(f"{use.source or 'no source given'} ({use.assets})" for use in uses)
        line = "; ".join(attributions)
        if not line:
            line = "**missing, but required**" if requires_attribution(license) else "none given"
        rows.append((license or "**none**", line, sources))
    return markdown_table(("licence", "attribution", "sources (assets)"), rows)


def requires_attribution(license: str) -> bool:
    """Tell whether a licence is a Creative Commons licence that requires attribution."""
    return "cc-by" in license.casefold().replace(" ", "-")


def _assumed_licenses(plan: Plan) -> list[str]:
    names = [
        f"{asset.name} ({asset.credit.licenses[0]})"
        for asset in (*plan.plates, *plan.cutouts)
        if asset.credit.assumed
    ]
    if not names:
        return []
    return [
        "## Assumed\n\nThese assets state no licence; the licence was given by the builder of "
        f"the set: {_shortened(names, 50)}."
    ]


def _skipped(plan: Plan, dataset: Mapping[str, Any] | None) -> list[str]:
    skipped = [(one.name, one.reason) for one in plan.skipped]
    if dataset:
        skipped = [(str(one["name"]), str(one["reason"])) for one in dataset["skipped"]]
    if not skipped:
        return []
    rest = f"\n\nand {len(skipped) - 50:,} more." if len(skipped) > 50 else ""
    return [f"## Left out\n\n{markdown_table(('what', 'why'), skipped[:50])}{rest}"]


def _figures(stats: Mapping[str, Any] | None) -> list[str]:
    if not stats:
        return []
    rows = [
        (
            kind,
            ", ".join(f"{value:.4f}" for value in one["mean"]),
            ", ".join(f"{value:.4f}" for value in one["std"]),
        )
        for kind, one in stats["pictures"].items()
        if one["unit"] == "1"
    ]
    parts = [markdown_table(("pictures in [0, 1]", "mean by channel", "standard deviation"), rows)]
    if "alpha" in stats:
        parts.append(f"Subjects cover {stats['alpha']['mean']:.1%} of a frame on average.")
    parts += [
        f"`{kind}`: {one['nearest_m']:.2f} to {one['farthest_m']:.2f} m, median "
        f"{one['median_m']:.2f} m."
        for kind, one in stats.get("depth", {}).items()
        if one.get("nearest_m") is not None
    ]
    return [
        "## Figures\n\nBy `cleanplate synth stats`; more in `stats/STATS.md`.\n\n"
        + "\n\n".join(parts)
    ]


def _is_placed_anywhere(plan: Plan) -> bool:
    settings = plan.settings
    return settings.grounded == settings.portrait == 0


def _shortened(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _read_json_object(file: Path) -> Mapping[str, Any] | None:
    try:
        stored = read_json(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CleanplateError(f"cannot be read as JSON: {error}", file=file) from error
    if not isinstance(stored, dict):
        raise CleanplateError("holds no JSON object", file=file)
    return stored
