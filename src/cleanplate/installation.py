"""Package metadata: installation source, declared requirements, and the pip command of an extra."""

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
"""pip constraints file of a source checkout: the versions that extras are tested with."""


class Declared(NamedTuple):
    """Declared requirements of the installed package.

    Attributes:
        base: requirements of the base install (prediction).
        extras: extra -> requirements that apply to this system and Python.
        elsewhere: extra -> requirements for other systems or Python versions only.
    """

    base: list[Requirement]
    extras: dict[str, list[Requirement]]
    elsewhere: dict[str, list[Requirement]]


def declared() -> Declared:
    """Read the requirements of the installed package.

    `packaging` evaluates environment markers for this system and Python. All lists are empty
    if the package is not installed (a source tree on the path).
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
    """Return the shell command that installs an extra into this installation.

    It installs from the original source (index, checkout, file or repository), because another
    source may not have this version. If that source no longer exists, the command lists the
    extra's libraries instead.

    Args:
        extra: name of the extra, as in `pyproject.toml`.
        pip: pip command of another environment; None = that of the running Python.
    """
    return f"{pip or _pip()} install {_source(extra)}"


def _pip() -> str:
    """Return `pip` if it belongs to the running Python, else `PYTHON -m pip`."""
    found = shutil.which("pip")
    if found and Path(found).parent == Path(sys.executable).parent:
        return "pip"
    executable = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    return f"{executable} -m pip"


def _source(extra: str) -> str:
    """Return the requirement specifier, with pip's options."""
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
    """Read `direct_url.json` (PEP 610); {} = installed from an index, None = not installed."""
    try:
        text = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    try:
        origin = json.loads(text or "{}")
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else {}
