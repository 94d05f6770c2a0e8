"""Whose work an asset is, and under which licence it may be used.

An asset's `license`, `source` and `attribution` stand in the json beside it, or for a whole
folder in its `catalogue.json`; each is a text, or a list of texts for a rendered scene, to which
many hands have given. The asset's own json goes before the folder's, key by key.
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
"""Name of the file that speaks for all assets of its folder."""

_NO_LICENSE = frozenset({"", "unknown", "none", "noassertion"})
"""What says that there is no licence, in lower case; the last two are SPDX's words."""


@dataclass(frozen=True)
class Credit:
    """What is known of one asset's origin.

    `licenses`, `sources` and `attributions` of equal length belong together one by one; one
    licence alone holds for all sources. No licence: `licenses` is empty.
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
        """Give what `from_json` takes; what is empty is left out."""
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
        """Undo `as_json`."""
        return cls(
            str(stored["asset"]),
            tuple(stored.get("license", stored.get("licence", ()))),
            tuple(stored.get("source", ())),
            tuple(stored.get("attribution", ())),
            str(stored.get("title", "")),
            bool(stored.get("assumed", False)),
        )


class SourceUse(NamedTuple):
    """A source under its licence, the lines that credit it, and how many assets hold it."""

    license: str
    source: str
    attributions: tuple[str, ...]
    assets: int
    assumed: int


def read_credits(files: Iterable[Path]) -> list[Credit]:
    """Read the credit of each asset, in the order given.

    Args:
        files: the pictures of plates or cutouts; nothing of them but their place is used.

    Raises:
        CleanplateError: if a json is damaged or an entry is no text.
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
    """Give the credit that an asset's own json and that of its folder state.

    The old key `license` is read where `license` is not there.

    Args:
        asset: its name.
        own: the json beside it.
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
        licenses = ()  # one part without a licence leaves the whole without one
    title = str(whole.get("title") or "")
    return Credit(asset, licenses, texts["source"], texts["attribution"], title)


def _entry(metadata: Mapping[str, Any], key: str) -> Any:
    return metadata.get(key, metadata.get("licence") if key == "license" else None)


def unlicensed(credits: Iterable[Credit]) -> list[str]:
    """Names of the assets without a licence."""
    return [credit.asset for credit in credits if not credit.licenses]


def with_assumed_license(credits: Iterable[Credit], license: str) -> list[Credit]:
    """Give `license` to those that have none, and mark it as assumed.

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
    """Refuse assets without a licence.

    Raises:
        CleanplateError: that names them.
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
    """Group by licence and source, in the order of their names; an asset counts for each source.

    An asset that names no source counts under its collection's title, else under "".
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
    """Count the assets under each licence; one of several licences counts for each."""
    counts: Counter[str] = Counter()
    for credit in credits:
        counts.update(set(credit.licenses) or {""})
    return dict(sorted(counts.items()))


def _attributions_by_source(credit: Credit) -> dict[tuple[str, str], dict[str, None]]:
    """(licence, source) -> attribution lines, of one asset."""
    sources = credit.sources or (credit.title,)
    if len(credit.licenses) == len(sources):
        licenses = credit.licenses
    else:  # which belongs to which is not said: every source is held to all of them
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
        return tuple(text.strip() for text in values)  # an empty one says that a part has none
    return tuple(text.strip() for text in values if text.strip())
