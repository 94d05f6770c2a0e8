"""The card of a folder of plates, cutouts or pairs: what is in it, and to whom it is owed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from cleanplate.errors import CleanplateError
from cleanplate.files import replacing
from cleanplate.synthesis.card import owed
from cleanplate.synthesis.credits import demand_licences, read_credits

_GROUPS = ("world", "kind", "framing", "mode")
"""Keys of an asset's record by which a card counts."""


def write_asset_card(folder: Path, card: Path, noun: str) -> None:
    """Write Markdown: counts by world, kind, framing and mode, then licences and attributions.

    Args:
        folder: of assets with their `.json`.
        card: the file to write.
        noun: plates, cutouts or pairs.

    Raises:
        CleanplateError: if an asset has no licence, or a file cannot be read or written.
    """
    records = sorted(file for file in folder.glob("*.json") if file.stem != "catalogue")
    credits = read_credits(records)
    demand_licences(credits, folder)
    counts: dict[str, Counter[str]] = {group: Counter() for group in _GROUPS}
    for file in records:
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CleanplateError(f"cannot be read as JSON: {error}", file=file) from error
        for group in _GROUPS:
            if facts.get(group):
                counts[group][str(facts[group])] += 1
    lines = [f"# {len(records)} {noun}", ""]
    for group, count in counts.items():
        if count:
            told = ", ".join(f"{name} {number}" for name, number in count.most_common())
            lines.append(f"- {group}: {told}")
    lines += [
        "",
        "An asset counts under each source that it holds. Whoever passes these on, or what is made "
        "of them, owes what every licence below asks.",
        "",
        owed(credits),
    ]
    with replacing(card) as path:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
