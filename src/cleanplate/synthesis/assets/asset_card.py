"""Summary card of a folder of plates, cutouts or pairs: counts, licences and attributions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cleanplate.files.atomic import replacing
from cleanplate.markdown_table import markdown_table
from cleanplate.synthesis.assets.licensing import (
    Credit,
    count_by_license,
    read_credits,
    require_licenses,
)
from cleanplate.synthesis.assets.packing import sidecars_of
from cleanplate.synthesis.assets.sidecar import read_sidecar

_GROUPS = ("world", "kind", "framing", "mode")
"""Keys of an asset's JSON by which the card counts."""


def write_asset_card(folder: Path, card: Path, asset_type: str) -> None:
    """Write a Markdown card: counts by world, kind, framing and mode, then licences.

    Args:
        folder: of assets with their `.json`.
        card: the file to write.
        asset_type: plates, cutouts or pairs, for the heading.

    Raises:
        CleanplateError: if an asset has no licence, or a file cannot be read or written.
    """
    sidecars = sidecars_of(folder)
    credits = read_credits(sidecars)
    require_licenses(credits, folder)
    counts: dict[str, Counter[str]] = {group: Counter() for group in _GROUPS}
    for file in sidecars:
        metadata = read_sidecar(file)
        for group in _GROUPS:
            if metadata.get(group):
                counts[group][str(metadata[group])] += 1
    lines = [f"# {len(sidecars)} {asset_type}", ""]
    for group, count in counts.items():
        if count:
            listed = ", ".join(f"{name} {number}" for name, number in count.most_common())
            lines.append(f"- {group}: {listed}")
    lines += [
        "",
        "These files, and anything made from them, are subject to every licence below. "
        "Each asset's JSON lists its own sources, licences and attributions.",
        "",
        _table("licence", count_by_license(credits)),
        "",
        _table("attribution", _count(credits, "attributions")),
        "",
        _table("collection", _count(credits, "sources")),
    ]
    with replacing(card) as path:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _count(credits: list[Credit], part: str) -> dict[str, int]:
    """Count assets by attribution, or by the first word of their sources: the collection."""
    counts: Counter[str] = Counter()
    for credit in credits:
        texts = getattr(credit, part)
        counts.update({text.split()[0] if part == "sources" else text for text in texts})
    return dict(counts.most_common())


def _table(head: str, counts: dict[str, int]) -> str:
    rows = [(text or "none given", str(count)) for text, count in counts.items()]
    return markdown_table((head, "assets"), rows)
