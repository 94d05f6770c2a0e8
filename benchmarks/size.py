"""Install size in megabytes (2^20 bytes) by distribution.

    .venv/bin/python benchmarks/size.py [--limit MEGABYTES]

Counts the files that each distribution's RECORD names, compiled ones included; pip and
setuptools, which come with the environment, are left out of the sum. An editable install of
Cleanplate counts with its source folder.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

MEGABYTE = 2**20
FROM_ENVIRONMENT = {"pip", "setuptools"}
SOURCE = Path(__file__).resolve().parent.parent / "src"


def installed_bytes(distribution: Distribution) -> int:
    """Bytes on disk of all its files that are there."""
    files = [Path(str(distribution.locate_file(file))) for file in distribution.files or []]
    if any(file.name == "_editable_impl_cleanplate.pth" for file in files):
        files += [file for file in SOURCE.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files if file.is_file())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, help="fail if the sum is not below this")
    limit = parser.parse_args().limit
    found = {d.metadata["Name"]: (installed_bytes(d), d.version) for d in distributions()}
    total = 0
    for name, (size, version) in sorted(found.items(), key=lambda item: -item[1][0]):
        note = "  (not counted)" if name in FROM_ENVIRONMENT else ""
        total += 0 if note else size
        print(f"{size / MEGABYTE:8.1f} MB  {name} {version}{note}")
    print(f"{total / MEGABYTE:8.1f} MB  sum")
    if limit is not None and total >= limit * MEGABYTE:
        print(f"over the limit of {limit:g} MB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
