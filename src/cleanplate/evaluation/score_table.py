"""Scores as a plain text table and as a JSON document."""

from __future__ import annotations

import dataclasses
import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from cleanplate import __version__
from cleanplate.evaluation.pair_metrics import MetricSettings
from cleanplate.evaluation.score import Scores
from cleanplate.evaluation.subject_depth_score import GROUPS


class Column(NamedTuple):
    """A metric's column in the table: heading, factor and number of decimals."""

    metric: str
    heading: str
    factor: float = 1.0
    digits: int = 3


ALPHA = (
    Column("mad", "MAD", digits=2),
    Column("mse", "MSE", digits=2),
    Column("sad", "SAD", digits=2),
    Column("grad", "Grad", digits=2),
    Column("conn", "Conn", digits=2),
    Column("iou", "IoU"),
    Column("boundary_f", "edge F"),
    Column("foreground_mse", "fgr MSE e3", 1e3, 2),
    Column("identical_alpha", "identical", digits=4),
    Column("seconds", "ms/frame", 1e3, 1),
)
DEPTH = (
    Column("aligned_delta1", "d<1.25"),
    Column("aligned_delta2", "d<1.25^2"),
    Column("aligned_delta3", "d<1.25^3"),
    Column("aligned_abs_rel", "AbsRel"),
    Column("aligned_rmse", "RMSE m", digits=2),
    Column("aligned_log10", "log10"),
    Column("aligned_silog", "SILog"),
    Column("ordinal", "order"),
    Column("boundary_recall", "edges"),
    Column("boundary_recall_ceiling", "(truth)"),
)
PLACED = (
    Column("subject_abs_rel", "subj AbsRel"),
    Column("subject_delta1", "subj d<1.25"),
    Column("subject_bias", "subj bias"),
    Column("plate_abs_rel", "scene AbsRel"),
    Column("plate_delta1", "scene d<1.25"),
    Column("metric_delta1", "metric d<1.25"),
    Column("metric_abs_rel", "metric AbsRel"),
    Column("metric_rmse", "metric RMSE m", digits=2),
)

_NAMED = 5
"""Number of pairs that are named with a note."""

_SUBJECT_TITLE = (
    "Depth of the subject in metres, true alpha > 0.9: AbsRel / share within 10 %, by groups "
    "(pairs)"
)

LIBRARIES = ("numpy", "opencv-python-headless", "onnxruntime", "pillow")


def as_table(scores: Sequence[Scores]) -> str:
    """Format the means as plain text: blocks for alpha and depth, a line per `Scores`."""
    blocks = []
    for title, columns in (
        (_alpha_title(scores[0].settings), _scaled(ALPHA, scores[0].settings)),
        (f"Depth of the frame, scale and shift aligned in disparity, cap {_cap(scores)} m", DEPTH),
        ("Depth in the plate's scale: subject, scene; and as it is, where it is metric", PLACED),
    ):
        shown = [c for c in columns if any(c.metric in one.counts for one in scores)]
        # The time alone makes no block.
        if any(column.metric != "seconds" for column in shown):
            blocks.append(f"{title}\n{_block(scores, shown)}")
    if any(one.subject_depth for one in scores):
        blocks.append(f"{_SUBJECT_TITLE}\n{_subject_block(scores)}")
    refusals = [
        f"refused by {one.model} ({one.variant}), counted as an empty matte: "
        + ", ".join(one.refused)
        for one in scores
        if one.refused
    ]
    return "\n\n".join(blocks + refusals + _incomplete_means(scores) + _notes(scores))


def _incomplete_means(scores: Sequence[Scores]) -> list[str]:
    """List the metrics whose mean is not over all pairs."""
    lines = []
    for one in scores:
        few = [
            f"{column.heading} ({one.counts[column.metric]})"
            for column in (*ALPHA, *DEPTH, *PLACED)
            if 0 < one.counts.get(column.metric, 0) < len(one.rows)
        ]
        if few:
            lines.append(
                f"mean over fewer than {len(one.rows)} pairs, {one.model} ({one.variant}): "
                + ", ".join(few)
            )
    return lines


def _notes(scores: Sequence[Scores]) -> list[str]:
    """List the notes of the pairs, each once, with the first pairs that have it."""
    about: dict[str, dict[str, None]] = {}
    for one in scores:
        for row in one.rows:
            for note in row.notes:
                about.setdefault(note, {})[f"{row.name} ({one.variant})"] = None
    return [
        f"{note}: "
        + ", ".join(list(names)[:_NAMED])
        + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        for note, names in about.items()
    ]


def as_document(scores: Sequence[Scores]) -> dict[str, Any]:
    """Convert scores with equal settings to a JSON document: settings, definitions, results."""
    return {
        "versions": versions(),
        "metric_settings": dataclasses.asdict(scores[0].settings),
        "conventions": conventions(scores[0].settings),
        "results": [_result(one) for one in scores],
    }


def versions() -> dict[str, str | None]:
    """Return the versions of what figures depend on."""
    return {
        "cleanplate": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
    }


def conventions(settings: MetricSettings) -> dict[str, str]:
    """Return the definition of each metric in words; a name with `_*` is that of several."""
    alpha = settings.convention
    region = "the whole picture"
    if alpha.region == "unknown":
        region = (
            f"the unknown band, {settings.trimap_radius} px to each side, of a trimap of the truth"
        )
    return {
        "mad": f"mean |a - a*| over {region}, times {alpha.mad:g}",
        "mse": f"mean (a - a*)^2 over {region}, times {alpha.mse:g}",
        "sad": f"sum |a - a*| over {region}, times {alpha.sad:g}",
        "grad": f"sigma 1.4, each alpha stretched to [0, 1], sum over {region}, "
        f"times {alpha.grad:g}",
        "conn": f"step 0.1, 4-connected, sum over {region}, times {alpha.conn:g}",
        "iou": "of alpha >= 0.5; 1 if both are empty",
        "boundary_f": f"outlines at alpha 0.5, matched within {settings.tolerance:g} px",
        "foreground_mse": "mean squared sRGB difference where a* > 0",
        "identical_alpha": "mean alpha when the plate is compared with itself",
        "seconds": "alpha and disparity of one frame, measured once; scene_seconds: the plate",
        "aligned_*": "depth errors after least squares scale and shift in disparity over all "
        f"pixels with finite true depth; predictions capped at {settings.cap:g} m",
        "metric_*": f"the same without alignment, for metric predictions; cap {settings.cap:g} m",
        "*_silog": f"sqrt(mean e^2 - {settings.silog_lambda:g} (mean e)^2), e = ln d - ln d*",
        "*_delta1": "share of max(d / d*, d* / d) < 1.25; delta2, delta3: 1.25^2, 1.25^3",
        "ordinal": f"of {settings.ordinal_pairs} random point pairs, those whose true disparity "
        f"differs by more than {settings.ordinal_margin:.0%}: share in the right order; "
        "a tie is half",
        "boundary_recall": "Depth Pro's scale-invariant boundary recall against the matte at "
        f"alpha {settings.boundary_threshold:g}; _ceiling: that of the true depth",
        "subject_*": "where a* > 0.5, scale and shift fitted where a* < 0.05 only (or not at all "
        "for metric predictions); bias = mean ln(d / d*)",
        "plate_*": "the same fit, where a* < 0.05",
        "solid_*": "subject's depth in metres where a* > 0.9: abs_rel = mean |d - d*| / d*, "
        "within_10 = share of |d - d*| / d* <= 0.1; as the predictor places its subjects, "
        "whatever its matte says there",
        "seen_*": "the same of the frame's disparity: where the matte has a hole, the plate's",
        "depth_known": "share of pixels with a predicted depth; the others do not count",
    }


def _result(scores: Scores) -> dict[str, Any]:
    return {
        "model": scores.model,
        "model_hash": scores.model_hash,
        "variant": scores.variant,
        "plate_depth": scores.plate_depth,
        "pairs": len(scores.rows),
        "refused": {row.name: row.refused for row in scores.rows if row.refused},
        "notes": {row.name: list(row.notes) for row in scores.rows if row.notes},
        "failed": dict(scores.failed),
        "means": {key: json_number(value) for key, value in scores.means.items()},
        "counts": scores.counts,
        "subject_depth": {
            group: {key: json_number(value) for key, value in errors.items()}
            for group, errors in scores.subject_depth.items()
        },
        "rows": [
            {"name": row.name, **{key: json_number(value) for key, value in row.values.items()}}
            for row in scores.rows
        ],
    }


def json_number(value: float) -> float | None:
    """Round to seven digits; None for nan and inf, which JSON lacks."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _alpha_title(settings: MetricSettings) -> str:
    if settings.convention.region == "unknown":
        where = f"unknown band of {settings.trimap_radius} px"
    else:
        where = "whole picture"
    return f"Matte, {where}, convention {settings.convention.name}"


def _scaled(columns: Sequence[Column], settings: MetricSettings) -> list[Column]:
    """Scale the columns of plain means by 1000, as their values are small, and say so."""
    shown = []
    for column in columns:
        if column.metric in ("mad", "mse") and getattr(settings.convention, column.metric) == 1:
            shown.append(column._replace(heading=f"{column.heading} e3", factor=1e3))
        else:
            shown.append(column)
    return shown


def _cap(scores: Sequence[Scores]) -> str:
    return f"{scores[0].settings.cap:g}"


def _subject_block(scores: Sequence[Scores]) -> str:
    lines = [["model", "variant", *GROUPS, "in the frame, all"]]
    for one in scores:
        found = one.subject_depth
        if found:
            cells = [_subject_cell(found.get(group, {}), "solid") for group in GROUPS]
            cells.append(_subject_cell(found["all"], "seen"))
            model = f"{one.model} + plate depth" if one.plate_depth else one.model
            lines.append([model, one.variant, *cells])
    return aligned_columns(lines)


def _subject_cell(errors: Mapping[str, float], name: str) -> str:
    if f"{name}_abs_rel" not in errors:
        return "-"
    shown = f"{errors[f'{name}_abs_rel']:.3f} / {errors[f'{name}_within_10']:.2f}"
    return f"{shown} ({errors['pairs']:.0f})"


def _block(scores: Sequence[Scores], columns: Sequence[Column]) -> str:
    lines = [["model", "variant", "pairs", *(column.heading for column in columns)]]
    for one in scores:
        means = one.means
        if not any(c.metric in means for c in columns if c.metric != "seconds"):
            continue
        model = f"{one.model} + plate depth" if one.plate_depth else one.model
        cells = [
            f"{means[c.metric] * c.factor:.{c.digits}f}" if c.metric in means else "-"
            for c in columns
        ]
        lines.append([model, one.variant, str(len(one.rows)), *cells])
    return aligned_columns(lines)


def aligned_columns(lines: Sequence[Sequence[str]]) -> str:
    """Lay out rows of cells, the first two columns to the left, the others to the right."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
