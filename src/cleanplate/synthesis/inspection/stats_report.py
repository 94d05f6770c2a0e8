"""The figures of a set for people and programs: `stats.json`, `STATS.md`, pictures, exact moments.

The per-pixel moments stand twice: as pictures to look at, and in `moments.npz` as numbers,
`KIND_mean` and `KIND_std`, float32 (H, W, C), in [0, 1] or, for depth, in metres.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cleanplate.contact_sheet import Tile, as_tile, bars, caption, row
from cleanplate.depth import colour_map, depth_to_disparity
from cleanplate.errors import CleanplateError
from cleanplate.files.ownership import (
    check_folder,
    check_replaceable,
    fingerprint,
    owned_by,
    read_record,
    replacing_own,
    write_sealed,
)
from cleanplate.formats.pictures import to_uint16, write_image
from cleanplate.synthesis.inspection.running_moments import RunningMoments
from cleanplate.synthesis.inspection.sample_sheet import draw_sheet
from cleanplate.synthesis.inspection.stats import Stats
from cleanplate.synthesis.inspection.stored_set import PICTURE_PARTS, StoredSet

JSON, MARKDOWN, MOMENTS = "stats.json", "STATS.md", "moments.npz"
OVERVIEW, HISTOGRAMS, SHEET = "moments.png", "histograms.png", "sheet.jpg"
_TILE = 256


def check_report(out: str | Path, *, overwrite: bool = False) -> None:
    """Refuse, before a set is measured, to write its report over files that are not ours.

    Raises:
        CleanplateError: naming the file.
    """
    out = Path(out)
    check_folder(out)
    pictures = [f"{what}_{kind}.png" for kind in PICTURE_PARTS for what in ("mean", "std")]
    names = (JSON, MARKDOWN, MOMENTS, OVERVIEW, HISTOGRAMS, SHEET, *pictures)
    check_replaceable(
        (out / name for name in names), owned_by(read_record(out / JSON)), overwrite=overwrite
    )


def write_report(
    out: str | Path, stored: StoredSet, stats: Stats, *, rows: int = 8, overwrite: bool = False
) -> None:
    """Write everything that is known of a set into a folder, which is made if need be.

    A report that is there is replaced if this function wrote it and nobody changed it since.

    Args:
        out: the folder.
        stored: the set.
        stats: of it.
        rows: samples on the contact sheet.
        overwrite: replace files whoever wrote them.

    Raises:
        CleanplateError: if a file is there that is not ours, or something cannot be written.
    """
    out = Path(out)
    check_report(out, overwrite=overwrite)
    before = owned_by(read_record(out / JSON))
    owns: dict[str, Any] = {name: known for name, known in before.items() if (out / name).exists()}

    @contextmanager
    def own(name: str) -> Iterator[Path]:
        with replacing_own(out / name, before, overwrite=overwrite) as path:
            yield path
            owns[name] = fingerprint(path)

    def draw(name: str, picture: npt.NDArray[Any], quality: int = 95) -> None:
        with own(name) as path:
            write_image(path, picture, quality=quality)

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CleanplateError(f"cannot be made ({error.strerror})", file=out) from error
    document = as_document(stored, stats)
    exact: dict[str, npt.NDArray[np.float32]] = {}
    for kind in _kinds(stored, stats):
        mean, std = moments_of(stats.moments[kind], kind)
        exact[f"{kind}_mean"], exact[f"{kind}_std"] = mean, std
        if not _is_metric_depth(kind, stats.moments[kind]):
            draw(f"mean_{kind}.png", to_uint16(_drop_single_channel(mean)))
            draw(f"std_{kind}.png", to_uint16(_drop_single_channel(std)))
    coded = io.BytesIO()
    np.savez_compressed(coded, **exact)  # type: ignore[arg-type]
    with own(MOMENTS) as path:
        path.write_bytes(coded.getbuffer())
    draw(OVERVIEW, draw_moments(stored, stats))
    draw(HISTOGRAMS, draw_histograms(document))
    draw(SHEET, draw_sheet(stored, rows), 88)
    with own(MARKDOWN) as path:
        path.write_text(as_markdown(document), encoding="utf-8")
    # Last: where it stands, the rest stands.
    write_sealed(out / JSON, document, owns, overwrite=overwrite, indent=1)


def moments_of(
    moments: RunningMoments, kind: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Give mean and standard deviation per pixel, (H, W, C), in [0, 1] or metres."""
    unit = _unit(kind, moments)
    return (moments.mean() / unit).astype(np.float32), (moments.std() / unit).astype(np.float32)


def as_document(stored: StoredSet, stats: Stats) -> dict[str, Any]:
    """Give the figures as JSON: what has no value is null.

    `pictures` by kind: mean and standard deviation by channel, over all pixels of all pictures
    (`std`), and of the pictures' means among themselves (`std_of_picture_means`), which some
    reports give instead. Their unit is 1, the file's full range, or for depth the metre.
    """
    kinds = _kinds(stored, stats)
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
    unit = _unit(kind, moments)
    height, width, channels = moments.shape
    return {
        "width": width,
        "height": height,
        "channels": channels,
        "bits": 8 * moments.dtype.itemsize,
        "unit": "m" if _is_metric_depth(kind, moments) else "1",
        "mean": _finite_or_none(moments.channel_mean() / unit),
        "std": _finite_or_none(moments.channel_std() / unit),
        "std_of_picture_means": _finite_or_none(moments.std_of_means() / unit),
    }


def _on_disk(stored: StoredSet, stats: Stats) -> int:
    if stored.form == "folders":
        return sum(stats.on_disk(kind) for kind in stats.files)
    return sum((stored.folder / portion.title).stat().st_size for portion in stored.chunks)


def as_markdown(document: Mapping[str, Any]) -> str:
    """Write the report for people, from the JSON alone."""
    sections = [
        "# Figures of the set",
        "Written by `cleanplate synth stats`; for programs in `stats.json`, the moments of each "
        "pixel as numbers in `moments.npz`.",
        f"{document['samples']:,} samples, {_byte_text(document['bytes'])} of contents, "
        f"{_byte_text(document['bytes_on_disk'])} on the disk.",
        _table(
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
        _table(
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
        f"Per pixel; the scale of each standard deviation is told over it:\n\n![]({OVERVIEW})",
        "## Alpha",
        _alpha_text(document["alpha"], document["samples"], document["form"]),
        *_depth_sections(document["depth"]),
        f"![]({HISTOGRAMS})",
        f"## Samples\n\n![]({SHEET})",
    ]
    if document["left_out"]:
        bad = [(one["sample"], one["place"], one["what"]) for one in document["left_out"]]
        sections.append("## Left out\n\n" + _table(("sample", "where", "what"), bad))
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
    return ["## Depth, in metres", _table(head, rows)] if rows else []


_QUANTILES = ("nearest_m", "p1_m", "median_m", "p99_m", "farthest_m")


def draw_moments(stored: StoredSet, stats: Stats) -> Tile:
    """Draw each kind's mean and standard deviation side by side, the latter stretched to white."""
    strips = []
    for kind in _kinds(stored, stats):
        moments = stats.moments[kind]
        mean, std = (np.nan_to_num(one) for one in moments_of(moments, kind))
        height, width = moments.shape[:2]
        size = max(1, round(_TILE * height / width)), _TILE
        widest = float(std.max()) or 1.0
        unit = " m" if _is_metric_depth(kind, moments) else ""
        left = (
            colour_map(depth_to_disparity(mean[..., 0]))
            if unit
            else as_tile(_drop_single_channel(mean))
        )
        tiles = (left, as_tile(_drop_single_channel(std / np.float32(widest))))
        strips.append(
            caption(f"{kind}: mean, standard deviation (white {widest:.3g}{unit})", 2 * _TILE)
        )
        strips.append(row(tiles, size))
    return np.concatenate(strips)


def draw_histograms(document: Mapping[str, Any]) -> Tile:
    """Draw coverage and depth as bars, one tile under the other."""
    size = (180, 2 * _TILE)
    coverage = document["alpha"]["coverage"]["pictures"]
    title = "pictures by the share that subjects cover"
    scale = {len(coverage) * k // 4: f"{25 * k} %" for k in range(5)}
    tiles = [bars(coverage, size, title, scale)]
    for kind, one in document["depth"].items():
        if "histogram" in one:
            # The first bin, up to 0.1 m, is all but empty and no decade's part.
            edges = one["histogram"]["edges_m"][1:]
            scale = {place: f"{edges[place]:.2g} m" for place in range(0, len(edges), 6)}
            tiles.append(bars(one["histogram"]["pixels"][1:], size, f"{kind}: pixels", scale))
        if "codes" in one:
            title = f"{kind}: pixels by stored disparity, far to near"
            tiles.append(
                bars(_merge_bins(one["codes"], 64), size, title, {0: "0", 32: "128", 64: "255"})
            )
    return np.concatenate(tiles)


def _merge_bins(counts: Sequence[int], bins: int) -> list[float]:
    return [float(part.sum()) for part in np.array_split(np.asarray(counts), bins)]


def _kinds(stored: StoredSet, stats: Stats) -> list[str]:
    return [kind for kind in PICTURE_PARTS[stored.form] if kind in stats.moments]


def _is_metric_depth(kind: str, moments: RunningMoments) -> bool:
    return "depth" in kind and moments.dtype == np.uint16


def _unit(kind: str, moments: RunningMoments) -> float:
    return 1000.0 if _is_metric_depth(kind, moments) else float(np.iinfo(moments.dtype).max)


def _drop_single_channel(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Drop the axis of a single channel: (H, W, 1) to (H, W)."""
    return values[..., 0] if values.shape[2] == 1 else values


def _finite_or_none(values: Iterable[float]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def _number_list(values: Sequence[float | None]) -> str:
    return " ".join("-" if value is None else f"{value:.4f}" for value in values)


def _byte_text(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} bytes"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
