"""Licence, source and attribution of assets.

They stand in the JSON beside an asset, or for a whole folder in its `catalogue.json`, under
`license`, `source` and `attribution`; each is a text, or a list of texts where a rendered scene
has several sources. The asset's own JSON takes precedence, key by key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.assets.sidecar import read_sidecar

CATALOGUE = "catalogue.json"
"""Name of the file that states metadata for all assets of its folder."""

_NO_LICENSE = frozenset({"", "unknown", "none", "noassertion"})
"""Values that mean "no licence", in lower case; the last two are SPDX's."""


@dataclass(frozen=True)
class Credit:
    """Licences, sources and attributions of one asset.

    `licenses`, `sources` and `attributions` of equal length belong together by position; a single
    licence holds for all sources. Without a licence `licenses` is empty.
    """

    asset: str
    licenses: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    attributions: tuple[str, ...] = ()
    title: str = ""
    """Of the collection, from `catalogue.json`."""
    assumed: bool = False
    """Whether a person who built the set supplied the licence because nothing stated one."""

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` takes, without empty entries."""
        full = {
            "asset": self.asset,
            "license": list(self.licenses),
            "source": list(self.sources),
            "attribution": list(self.attributions),
            "title": self.title,
            "assumed": self.assumed,
        }
        return {key: value for key, value in full.items() if value}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Credit:
        """Read what `as_json` gives; the old key `licence` is read too."""
        return cls(
            str(stored["asset"]),
            tuple(stored.get("license", stored.get("licence", ()))),
            tuple(stored.get("source", ())),
            tuple(stored.get("attribution", ())),
            str(stored.get("title", "")),
            bool(stored.get("assumed", False)),
        )


class SourceUse(NamedTuple):
    """A source under one licence: its attribution lines, and how many assets use it."""

    license: str
    source: str
    attributions: tuple[str, ...]
    assets: int
    assumed: int


def read_credits(files: Iterable[Path]) -> list[Credit]:
    """Read the credit of each asset, in the given order.

    Args:
        files: the pictures of plates or cutouts; only their paths are used.

    Raises:
        CleanplateError: if a JSON file is damaged or an entry is no text.
    """
    folders: dict[Path, Mapping[str, Any]] = {}
    credits = []
    for file in files:
        if file.parent not in folders:
            folders[file.parent] = read_sidecar(file.parent / CATALOGUE)
        own, whole = read_sidecar(file.with_suffix(".json")), folders[file.parent]
        credits.append(credit_from(file.stem, own, whole, file.with_suffix(".json")))
    return credits


def credit_from(asset: str, own: Mapping[str, Any], whole: Mapping[str, Any], file: Path) -> Credit:
    """Give the credit that an asset's own JSON and that of its folder state.

    The old key `licence` is read where `license` is missing.

    Args:
        asset: its name.
        own: the JSON beside it.
        whole: `catalogue.json` of its folder.
        file: named in errors.

    Raises:
        CleanplateError: if an entry is no text.
    """
    texts = {
        key: _texts(_entry(own, key), file, key)
        or _texts(_entry(whole, key), file.with_name(CATALOGUE), key)
        for key in ("license", "source", "attribution")
    }
    licenses = texts["license"]
    if any(license.casefold() in _NO_LICENSE for license in licenses):
        licenses = ()  # a part without a licence makes the whole unlicensed
    title = str(whole.get("title") or "")
    return Credit(asset, licenses, texts["source"], texts["attribution"], title)


def _entry(metadata: Mapping[str, Any], key: str) -> Any:
    return metadata.get(key, metadata.get("licence") if key == "license" else None)


def unlicensed(credits: Iterable[Credit]) -> list[str]:
    """List the names of the assets without a licence."""
    return [credit.asset for credit in credits if not credit.licenses]


def with_assumed_license(credits: Iterable[Credit], license: str) -> list[Credit]:
    """Give `license` to the assets that have none, and mark it as assumed.

    Raises:
        CleanplateError: if `license` is empty.
    """
    if not license.strip():
        raise CleanplateError("the assumed licence is empty", cure="Name one, e.g. CC0-1.0.")
    return [
        credit if credit.licenses else replace(credit, licenses=(license.strip(),), assumed=True)
        for credit in credits
    ]


def require_licenses(credits: Sequence[Credit], folder: str | Path) -> None:
    """Raise an error if any asset has no licence.

    Raises:
        CleanplateError: naming those assets.
    """
    names = unlicensed(credits)
    if not names:
        return
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    raise CleanplateError(
        f"{len(names)} of {len(credits)} assets have no licence: {shown}",
        file=folder,
        cure=f'Say it for all in {Path(folder) / CATALOGUE}: {{"license": ..., "source": ..., '
        '"attribution": ...}, or in a json beside each; or give --assume-license TEXT.',
    )


def group_by_source(credits: Iterable[Credit]) -> list[SourceUse]:
    """Group by licence and source, sorted by both; an asset counts for each of its sources.

    An asset without a source counts under its collection's title, else under "".
    """
    assets: Counter[tuple[str, str]] = Counter()
    assumed: Counter[tuple[str, str]] = Counter()
    lines: dict[tuple[str, str], dict[str, None]] = {}
    for credit in credits:
        for key, attributions in _attributions_by_source(credit).items():
            assets[key] += 1
            assumed[key] += credit.assumed
            lines.setdefault(key, {}).update(attributions)
    return [
        SourceUse(*key, tuple(sorted(lines[key])), assets[key], assumed[key])
        for key in sorted(assets)
    ]


def count_by_license(credits: Iterable[Credit]) -> dict[str, int]:
    """Count the assets under each licence; an asset with several counts for each."""
    counts: Counter[str] = Counter()
    for credit in credits:
        counts.update(set(credit.licenses) or {""})
    return dict(sorted(counts.items()))


def _attributions_by_source(credit: Credit) -> dict[tuple[str, str], dict[str, None]]:
    """Map (licence, source) to the attribution lines of one asset."""
    sources = credit.sources or (credit.title,)
    if len(credit.licenses) == len(sources):
        licenses = credit.licenses
    else:  # not matched by position: each source has all
        licenses = (" + ".join(dict.fromkeys(credit.licenses)),) * len(sources)
    shares: dict[tuple[str, str], dict[str, None]] = {}
    for place, key in enumerate(zip(licenses, sources, strict=True)):
        paired = len(credit.attributions) == len(sources)
        own = credit.attributions[place : place + 1] if paired else credit.attributions
        shares.setdefault(key, {}).update(dict.fromkeys(own))
    return shares


def _texts(value: Any, file: Path, key: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value] if value else []
    if not all(isinstance(text, str) for text in values):
        raise CleanplateError(f"{key} is {value!r}, not a text or a list of texts", file=file)
    if isinstance(value, list) and key == "license":
        return tuple(
            text.strip() for text in values
        )  # an empty text means that a part has no licence
    return tuple(text.strip() for text in values if text.strip())
