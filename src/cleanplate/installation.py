"""How Cleanplate was installed, what it declares to need, and the command that adds an extra."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NAME = "cleanplate"
CONSTRAINTS = "constraints.txt"
"""In a checkout: the versions that extras are tested with."""


class Declared(NamedTuple):
    """What an installation declares to need.

    base: of prediction. extras: of each extra, on this system and Python.
    elsewhere: of each extra, what is for other systems or Pythons alone.
    """

    base: list[Requirement]
    extras: dict[str, list[Requirement]]
    elsewhere: dict[str, list[Requirement]]


def declared() -> Declared:
    """Read the requirements of the installed package; all empty in a tree never installed.

    Environment markers are evaluated by `packaging`, for this system and this Python.
    """
    from packaging.requirements import Requirement

    try:
        found = distribution(NAME)
    except PackageNotFoundError:
        return Declared([], {}, {})
    extras: list[str] = found.metadata.get_all("Provides-Extra") or []
    base: list[Requirement] = []
    here: dict[str, list[Requirement]] = {extra: [] for extra in sorted(extras)}
    elsewhere: dict[str, list[Requirement]] = {}
    for line in found.requires or []:
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            base.append(need)
            continue
        for extra, needs in here.items():
            if need.marker.evaluate({"extra": extra}):
                needs.append(need)
            elif f'extra == "{extra}"' in str(need.marker):
                elsewhere.setdefault(extra, []).append(need)
    return Declared(base, here, elsewhere)


def install_command(extra: str, pip: str | None = None) -> str:
    """Give the command that adds an extra to this installation, for any shell.

    A checkout or a file that it was installed from is installed from again, because another
    source may not have it. Where that is gone, the extra's libraries are named themselves.

    Args:
        extra: its name.
        pip: of another environment; by default that of the running Python.
    """
    return f"{pip or _pip()} install {_source(extra)}"


def _pip() -> str:
    """Give `pip` if that is the running Python's, else the way to it that cannot be another's."""
    found = shutil.which("pip")
    if found and Path(found).parent == Path(sys.executable).parent:
        return "pip"
    executable = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    return f"{executable} -m pip"


def _source(extra: str) -> str:
    """Give what to install, with pip's options."""
    known = _origin()
    tree = Path(__file__).resolve().parents[2]
    if known is None and (tree / "pyproject.toml").is_file():  # on the path, never installed
        return _from_folder(tree, extra, editable=True)
    url = str((known or {}).get("url", ""))
    if not known or not url:  # from an index
        return f'"{NAME}[{extra}]"'
    if url.startswith("file:"):
        return _from_here(known, url, extra)
    if "vcs_info" in known:
        version = known["vcs_info"]
        url = f"{version['vcs']}+{url}@{version['commit_id']}"
    return f'"{NAME}[{extra}] @ {url}"'


def _from_here(known: dict[str, Any], url: str, extra: str) -> str:
    place = Path(url2pathname(urlsplit(url).path))
    if not place.exists():
        libraries = (f'"{need.name}{need.specifier}"' for need in declared().extras.get(extra, ()))
        return " ".join(libraries) or f'"{NAME}[{extra}]"'
    if place.is_dir():
        editable = bool(known.get("dir_info", {}).get("editable"))
        return _from_folder(place, extra, editable=editable)
    return f'"{NAME}[{extra}] @ {url}"'


def _from_folder(folder: Path, extra: str, *, editable: bool) -> str:
    constraints = folder / CONSTRAINTS
    return (
        ("-e " if editable else "")
        + f'"{folder}[{extra}]"'
        + (f' -c "{constraints}"' if constraints.is_file() else "")
    )


def _origin() -> dict[str, Any] | None:
    """Read `direct_url.json` (PEP 610): {} = from an index, None = not installed."""
    try:
        text = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    try:
        origin = json.loads(text or "{}")
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else {}
