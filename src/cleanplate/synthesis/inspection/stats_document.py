"""Statistics of a set as documents: JSON for programs, Markdown for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cleanplate.markdown_table import markdown_table
from cleanplate.synthesis.inspection.running_moments import RunningMoments
from cleanplate.synthesis.inspection.stats import Stats
from cleanplate.synthesis.inspection.stored_set import PICTURE_PARTS, StoredSet

OVERVIEW, HISTOGRAMS, SHEET = "moments.png", "histograms.png", "sheet.jpg"
"""Pictures that the Markdown shows, beside it."""


def as_document(stored: StoredSet, stats: Stats) -> dict[str, Any]:
    """Give the statistics as JSON; undefined values are null.

    `pictures` by kind: mean and standard deviation by channel, over all pixels of all pictures
    (`std`), and of the pictures' means (`std_of_picture_means`), which some reports give instead.
    Their unit is 1, the file's full range, or for depth the metre.
    """
    kinds = picture_kinds(stored, stats)
    document: dict[str, Any] = {
        "form": stored.form,
        "preset": stored.plan.preset if stored.plan else None,
        "samples": stats.samples,
        "left_out": [bad._asdict() for bad in stats.bad],
        "files": {
            kind: {
                "files": stats.files[kind],
                "bytes": stats.bytes[kind],
                "bytes_on_disk": stats.on_disk(kind),
            }
            for kind in sorted(stats.files, key=lambda kind: (kind not in kinds, kind))
        },
        "bytes": sum(stats.bytes.values()),
        "bytes_on_disk": _on_disk(stored, stats),
        "pictures": {kind: _channel_stats(kind, stats.moments[kind]) for kind in kinds},
        "alpha": stats.alpha.as_json(),
        "depth": {kind: counts.as_json() for kind, counts in stats.depth.items()},
    }
    matte = "alpha" if stored.form == "shards" else "mask"
    document["alpha"]["mean"] = document["pictures"][matte]["mean"][0]
    return document


def _channel_stats(kind: str, moments: RunningMoments) -> dict[str, Any]:
    unit = unit_of(kind, moments)
    height, width, channels = moments.shape
    return {
        "width": width,
        "height": height,
        "channels": channels,
        "bits": 8 * moments.dtype.itemsize,
        "unit": "m" if is_metric_depth(kind, moments) else "1",
        "mean": _finite_or_none(moments.channel_mean() / unit),
        "std": _finite_or_none(moments.channel_std() / unit),
        "std_of_picture_means": _finite_or_none(moments.std_of_means() / unit),
    }


def _on_disk(stored: StoredSet, stats: Stats) -> int:
    if stored.form == "folders":
        return sum(stats.on_disk(kind) for kind in stats.files)
    return sum((stored.folder / chunk.title).stat().st_size for chunk in stored.chunks)


def as_markdown(document: Mapping[str, Any]) -> str:
    """Write the report for people, from the JSON alone."""
    sections = [
        "# Figures of the set",
        "Written by `cleanplate synth stats`; for programs in `stats.json`, the moments of each "
        "pixel as numbers in `moments.npz`.",
        f"{document['samples']:,} samples, {_byte_text(document['bytes'])} of contents, "
        f"{_byte_text(document['bytes_on_disk'])} on the disk.",
        markdown_table(
            ("part", "files", "contents", "on the disk", "bytes each"),
            [
                (
                    kind,
                    f"{one['files']:,}",
                    _byte_text(one["bytes"]),
                    _byte_text(one["bytes_on_disk"]),
                    f"{one['bytes'] / one['files']:,.0f}",
                )
                for kind, one in document["files"].items()
            ],
        ),
        "## Mean and standard deviation",
        "Per channel (red, green, blue, or grey), over all pixels of all pictures. Of depth only "
        "known, finite pixels count.",
        markdown_table(
            ("part", "size", "unit", "mean", "standard deviation", "of the pictures' means"),
            [
                (
                    kind,
                    f"{one['width']} x {one['height']} x {one['channels']}, {one['bits']} bit",
                    one["unit"],
                    *(_number_list(one[key]) for key in ("mean", "std", "std_of_picture_means")),
                )
                for kind, one in document["pictures"].items()
            ],
        ),
        f"Per pixel; the scale of each standard deviation is given above it:\n\n![]({OVERVIEW})",
        "## Alpha",
        _alpha_text(document["alpha"], document["samples"], document["form"]),
        *_depth_sections(document["depth"]),
        f"![]({HISTOGRAMS})",
        f"## Samples\n\n![]({SHEET})",
    ]
    if document["left_out"]:
        bad = [(one["sample"], one["place"], one["what"]) for one in document["left_out"]]
        sections.append("## Left out\n\n" + markdown_table(("sample", "where", "what"), bad))
    return "\n\n".join(sections) + "\n"


def _alpha_text(alpha: Mapping[str, Any], samples: int, form: str) -> str:
    rounded = " JPEG rounds a hard mask's edges too." if form == "folders" else ""
    return (
        f"Subjects cover {alpha['mean']:.2%} of a picture on average. {alpha['clear']:.2%} of all "
        f"pixels are clear, {alpha['solid']:.2%} solid, {alpha['soft']:.2%} between. "
        f"{alpha['pictures_without_subject']:,} of {samples:,} pictures show no subject.{rounded}"
    )


def _depth_sections(depth: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [
        (
            kind,
            *(f"{one[key]:.3f}" for key in _QUANTILES),
            f"{one['unknown']:.2%}",
            f"{one['infinite_or_beyond_65_m']:.2%}",
        )
        for kind, one in depth.items()
        if one.get("nearest_m") is not None
    ]
    head = ("part", "nearest", "1 %", "median", "99 %", "farthest", "unknown", "beyond 65 m")
    return ["## Depth, in metres", markdown_table(head, rows)] if rows else []


_QUANTILES = ("nearest_m", "p1_m", "median_m", "p99_m", "farthest_m")


def picture_kinds(stored: StoredSet, stats: Stats) -> list[str]:
    """List the kinds of pictures that were measured, in the order of reports."""
    return [kind for kind in PICTURE_PARTS[stored.form] if kind in stats.moments]


def is_metric_depth(kind: str, moments: RunningMoments) -> bool:
    """Tell whether pictures of a kind hold depth in millimetres."""
    return "depth" in kind and moments.dtype == np.uint16


def unit_of(kind: str, moments: RunningMoments) -> float:
    """Give the code that stands for 1: the type's maximum, or 1000 for depth in millimetres."""
    return 1000.0 if is_metric_depth(kind, moments) else float(np.iinfo(moments.dtype).max)


def _finite_or_none(values: Iterable[float]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def _number_list(values: Sequence[float | None]) -> str:
    return " ".join("-" if value is None else f"{value:.4f}" for value in values)


def _byte_text(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} bytes"
