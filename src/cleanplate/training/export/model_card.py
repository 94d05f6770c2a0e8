"""Model card: `card.json`, from which `card.md` is rendered."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanplate import __version__
from cleanplate.errors import CleanplateError
from cleanplate.files.json_files import read_json
from cleanplate.markdown_table import markdown_table
from cleanplate.synthesis.building.dataset_card import requires_attribution
from cleanplate.training.export.onnx_graphs import PlateGraph
from cleanplate.training.export.trained import Trained
from cleanplate.training.networks import PairNetwork
from cleanplate.training.networks.complexity import giga_macs
from cleanplate.training.recipe_json import command_of, listed
from cleanplate.training.weights_licence import DEFAULT_LICENSE, DataLicensing

_FIGURES_FROM = (
    "By `cleanplate evaluate PAIRS`, with `--with-plate-depth` or `--align` where a column says "
    "plate depth or registered. Errors are plain means over the picture, `mad` in units of alpha; "
    "docs/metrics.md defines each."
)

_OUTPUTS = {
    "disparity": "(N, 1, H, W) of the plate, in the normalisation of plate_disparity",
    "alpha": "(N, 1, H, W) in [0, 1]",
    "subject_disparity": "(N, 1, H, W), in the same normalisation",
    "shadow": "(N, 1, H, W), factor in (0, 1] on the scene's linear light",
}


@dataclass(frozen=True)
class Facts:
    """Content of the card that cannot be measured and is given by the user."""

    name: str
    license: str | None = None
    """Of the weights, an SPDX expression; None = what follows from the training data."""
    training_data: str = ""
    """Description of the training data and their licences."""
    limits: str = ""
    """Known limits."""
    default: bool = False
    """Whether this is the model that is used when none is named."""
    working_size: int | None = None
    """Long side in pixels at which it is used where none is given; None = 512."""


def describe(trained: Trained[PairNetwork], facts: Facts, weights: str) -> dict[str, Any]:
    """Collect the card's content, without metrics and hashes of files.

    Args:
        trained: the network and its record.
        facts: given by the user.
        weights: SHA-256 of the weights.

    Raises:
        CleanplateError: if the licence is no SPDX expression, or there is none and the training
            data do not decide it.
    """
    license_, objections = license_of_weights(trained.licensing, facts.license)
    return {
        "name": facts.name,
        "default": facts.default,
        **({"working_size": facts.working_size} if facts.working_size else {}),
        "network": trained.recipe["network"],
        "parameters": sum(p.numel() for p in trained.network.parameters()),
        "gmac_frame_256": giga_macs(trained.network, "frame"),
        "gmac_plate_256": giga_macs(trained.network, "plate"),
        "license": license_,
        "training_data": facts.training_data or kind_of_data(trained.recipe),
        "data_licenses": trained.licensing.rows(),
        "data_objections": objections,
        "limits": facts.limits,
        "trained_steps": trained.step,
        "trained_samples": trained.samples,
        "trained_until": trained.saved_at,
        "recipe": without_places(trained.recipe),
        "command": command_of(without_places(trained.recipe)),
        "weights_sha256": weights,
        "cleanplate": __version__,
        "inputs": {
            "plate, frame": "(N, 3, H, W) float32, sRGB in [0, 1]; H, W >= 32",
            "plate_disparity": "(N, 1, H, W) float32, median and mean absolute deviation of the "
            "plate's disparity taken out, 0 where unknown",
            "plate_valid": "(N, 1, H, W) float32, 1 where the plate's disparity is known",
        },
        "outputs": {name: _OUTPUTS[name] for name in _OUTPUTS if name in _given(trained.network)},
    }


def _given(network: PairNetwork) -> set[str]:
    """Name the outputs of both graphs."""
    return {*network.frame_outputs, *PlateGraph(network).outputs}


def license_of_weights(data: DataLicensing, given: str | None) -> tuple[str, list[str]]:
    """Return the weights' licence, and the objections that the training data raise.

    Raises:
        CleanplateError: if `given` is no SPDX expression, or is None where the data do not decide.
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    objections = data.objections()
    if given is None:
        if not objections:
            return DEFAULT_LICENSE, []
        shown = [*objections[:10], *([f"and {len(objections) - 10} more"] * (len(objections) > 10))]
        raise CleanplateError(
            "the training data do not decide the licence of the weights:\n  " + "\n  ".join(shown),
            cure="Give the licence under which you may publish them by its SPDX name, such as "
            "--license Apache-2.0. The card lists the data's licences and attributions anyway.",
        )
    try:
        return str(canonicalize_license_expression(given)), objections
    except InvalidLicenseExpression as error:
        raise CleanplateError(
            f"{given!r} is no SPDX licence",
            cure="Give one such as Apache-2.0 or CC-BY-4.0, or LicenseRef-NAME for other terms.",
        ) from error


def without_places(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a recipe with each path reduced to its last part: others have no use for the rest."""
    copy: dict[str, Any] = json.loads(json.dumps(recipe))
    for values, keys in (
        (copy["data"], ("plates", "cutouts", "pairs", "path")),
        (copy["data"].get("compositor", {}), ("textures",)),
        (copy, ("start", "teacher")),
    ):
        for key in keys:
            if values.get(key):
                names = [Path(place).name for place in listed(values[key])]
                values[key] = names if isinstance(values[key], list) else names[0]
    return copy


def kind_of_data(recipe: Mapping[str, Any]) -> str:
    """Describe a recipe's training data in a few words."""
    data = recipe["data"]
    if data["kind"] == "procedural":
        return "procedural scenes made by Cleanplate itself"
    keys = ("plates", "cutouts", "pairs", "path")
    places = [Path(place).name for key in keys for place in listed(data.get(key))]
    return f"{data['kind']} of {', '.join(places)}"


def metadata(content: Mapping[str, Any]) -> dict[str, str]:
    """Collect a graph's metadata (ONNX `metadata_props`) from the card's content."""
    keys = ("name", "license", "training_data", "weights_sha256", "parameters", "cleanplate")
    lines = {key: str(content[key]) for key in keys}
    lines["date"] = content["trained_until"]
    lines["attribution"] = "\n".join(
        f"{line} ({row['license']})"
        for row in content["data_licenses"]
        for line in row["attribution"]
    )
    for key in ("recipe", "figures"):
        if key in content:
            lines[key] = json.dumps(content[key], sort_keys=True, ensure_ascii=False)
    return lines


def read_figures(files: Sequence[Path], allowed: Collection[str]) -> list[dict[str, Any]]:
    """Read the mean metrics in JSON files of `cleanplate evaluate`.

    Args:
        files: to read.
        allowed: the `model_hash` values of this model.

    Raises:
        CleanplateError: if a file is not of that kind, or of another model.
    """
    figures = []
    for file in files:
        try:
            document = read_json(file)
            options, results = document["options"], document["results"]
            found = [
                {
                    "pairs": options["pairs"],
                    "align": options["align"],
                    "count": result["pairs"],
                    "variant": result["variant"],
                    "plate_depth": result["plate_depth"],
                    "means": result["means"],
                }
                for result in results
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CleanplateError(
                f"not a file of metrics ({error})",
                file=file,
                cure="Write it by `cleanplate evaluate PAIRS --model FOLDER --json FILE`.",
            ) from error
        others = {result.get("model_hash") for result in results} - set(allowed)
        if others:
            raise CleanplateError(
                "these metrics are of another model",
                file=file,
                cure="Export without --figures, evaluate that model, then export with --figures.",
            )
        figures += found
    return figures


def as_markdown(content: Mapping[str, Any]) -> str:
    """Render the card as Markdown from the content of `card.json` alone."""
    rows = [
        ("parameters", f"{content['parameters']:,}"),
        ("work per 256 x 256 frame, plate kept", f"{content['gmac_frame_256']:.3g} GMAC"),
        ("work per 256 x 256 plate", f"{content['gmac_plate_256']:.3g} GMAC"),
        ("licence of the weights", content["license"]),
        *(
            [("working size where none is given", f"{content['working_size']} px, long side")]
            if "working_size" in content
            else []
        ),
        ("trained", f"{content['trained_steps']:,} steps, {content['trained_samples']:,} samples"),
        ("until", content["trained_until"] or "unknown"),
        ("weights (SHA-256)", f"`{content['weights_sha256']}`"),
        ("largest difference from torch", f"{content['largest_difference_from_torch']:g}"),
        (
            f"the same of alpha and shadow, weights stored in {content['stored']['bits']} bits",
            f"{content['stored']['largest_difference']:g}",
        ),
    ]
    parts = [
        f"# {content['name']}",
        "Written by `cleanplate export` from `card.json` beside it.",
        markdown_table(("", ""), rows),
        f"## Training data\n\n{content['training_data']}",
    ]
    if content["data_licenses"]:
        parts.append(f"## Licences of the training data\n\n{_owed(content['data_licenses'])}")
    if content["data_objections"]:
        listing = "\n".join(f"- {one}" for one in content["data_objections"])
        parts.append(
            "The licence of the weights was given by whoever exported them. The training data "
            f"leave open:\n\n{listing}"
        )
    if content.get("limits"):
        parts.append(f"## Limits\n\n{content['limits']}")
    parts.append(f"## Command\n\n```\n{content['command']}\n```")
    if content.get("plate_depth"):
        parts.append(_plate_depth(content["plate_depth"]))
    if content.get("subject_depth"):
        parts.append(_subject_depth(content["subject_depth"]))
    if content.get("figures"):
        parts.append(f"## Figures\n\n{_FIGURES_FROM}\n\n{_figure_table(content['figures'])}")
    return "\n\n".join(parts) + "\n"


def _plate_depth(record: Mapping[str, Any]) -> str:
    """Render the section on the graph that estimates the plate's depth."""
    parts = [
        "## Depth of the plate\n\nWhere none is given, a graph of its own estimates it, once per "
        f"plate: that of `{record['model']}` ({record['parameters']:,} parameters in all, weights "
        f"`{record['weights_sha256']}`, {record['license']}).",
        record["training_data"] or "",
        _owed(record["data_licenses"]) if record["data_licenses"] else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _subject_depth(record: Mapping[str, Any]) -> str:
    """Render the section on the subject depth regressor: its data and its errors."""
    recipe = record["recipe"]
    places = [
        *recipe["plates"],
        *recipe["cutouts"],
        *([recipe["pairs"]] if recipe["pairs"] else []),
    ]
    rows = [
        (kind, f"{record[f'{kind}_subjects']:,}", *map(_figure, figures.values()))
        for kind, figures in record["figures"].items()
    ]
    table = markdown_table(("plate", "subjects", *record["figures"]["metric"]), rows, right_from=1)
    return (
        "## Depth of the subject\n\nBy geometry and a regressor (`cleanplate train subject-depth`; "
        f"docs/subject_depth.md), which learned from {', '.join(places) or 'procedural scenes'}. "
        "On scenes held out, each subject counted once:\n\n" + table
    )


def _owed(rows: Sequence[Mapping[str, Any]]) -> str:
    owed = []
    for row in rows:
        missing = (
            "**missing, and asked for**" if requires_attribution(row["license"]) else "none given"
        )
        cells = (
            row["license"] or "**none**",
            "; ".join(row["attribution"]) or missing,
            ", ".join(row["sources"]),
        )
        owed.append(cells)
    return markdown_table(("licence", "attribution", "sources (assets)"), owed)


_ALIGNED = {True: ", registered", "on": ", registered", "off": ", not registered"}
"""Suffix of a column's title by `--align`; none for automatic registration, and for cards from
before there was any (False)."""


def _figure_table(figures: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for figure in figures for name in figure["means"]))
    titles = [
        f"{figure['pairs']}, {figure['variant']}{', plate depth' if figure['plate_depth'] else ''}"
        f"{_ALIGNED.get(figure['align'], '')}"
        for figure in figures
    ]
    rows = [(name, *(_figure(one["means"].get(name)) for one in figures)) for name in names]
    return markdown_table(("figure", *titles), rows, right_from=1)


def _figure(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4g}"
