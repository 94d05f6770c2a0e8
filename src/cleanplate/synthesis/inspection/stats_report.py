"""Report of a set's statistics: `stats.json`, `STATS.md`, pictures, and exact moments.

The per-pixel moments are written twice: as pictures, and in `moments.npz` as `KIND_mean` and
`KIND_std`, float32 (H, W, C), in [0, 1] or, for depth, in metres.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
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
from cleanplate.synthesis.inspection.stats_document import (
    HISTOGRAMS,
    OVERVIEW,
    SHEET,
    as_document,
    as_markdown,
    is_metric_depth,
    picture_kinds,
    unit_of,
)
from cleanplate.synthesis.inspection.stored_set import PICTURE_PARTS, StoredSet

JSON, MARKDOWN, MOMENTS = "stats.json", "STATS.md", "moments.npz"
_TILE = 256


def check_report(out: str | Path, *, overwrite: bool = False) -> None:
    """Check, before a set is measured, that its report would replace no file of others.

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
    """Write the report of a set into a folder, which is created if missing.

    An existing report is replaced if this function wrote it and it is unchanged.

    Args:
        out: the folder.
        stored: the set.
        stats: of it.
        rows: samples on the contact sheet.
        overwrite: replace files of others too.

    Raises:
        CleanplateError: if a file of others is in the way, or something cannot be written.
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
    for kind in picture_kinds(stored, stats):
        mean, std = moments_of(stats.moments[kind], kind)
        exact[f"{kind}_mean"], exact[f"{kind}_std"] = mean, std
        if not is_metric_depth(kind, stats.moments[kind]):
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
    # Written last: it marks the report as complete.
    write_sealed(out / JSON, document, owns, overwrite=overwrite, indent=1)


def moments_of(
    moments: RunningMoments, kind: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Give mean and standard deviation per pixel, (H, W, C), in [0, 1] or metres."""
    unit = unit_of(kind, moments)
    return (moments.mean() / unit).astype(np.float32), (moments.std() / unit).astype(np.float32)


def draw_moments(stored: StoredSet, stats: Stats) -> Tile:
    """Draw each kind's mean and standard deviation side by side, the latter scaled to white."""
    strips = []
    for kind in picture_kinds(stored, stats):
        moments = stats.moments[kind]
        mean, std = (np.nan_to_num(one) for one in moments_of(moments, kind))
        height, width = moments.shape[:2]
        size = max(1, round(_TILE * height / width)), _TILE
        widest = float(std.max()) or 1.0
        unit = " m" if is_metric_depth(kind, moments) else ""
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
    """Draw histograms of coverage and depth, one below the other."""
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


def _drop_single_channel(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Drop the axis of a single channel: (H, W, 1) to (H, W)."""
    return values[..., 0] if values.shape[2] == 1 else values
