"""Samples per second of one core by size, with and without the cache of decoded assets.

    python -m benchmarks.throughput --plates P --cutouts C

Prints a Markdown table. Each value is of a process of its own: the first samples, including reading
and making assets, and the same ones again, with everything in memory. CPU seconds, which other
processes disturb less; the best of the repeats.

- decoded: each process decodes what it needs, and makes procedural rooms and subjects in memory
  for the share of samples that the recipe `compact` gives them
- mapped: the folders' assets, and procedural ones that were written to folders before, come from
  one file for each folder that processes share
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cleanplate.markdown_table import markdown_table

SIZES = ((96, 128), (144, 192), (192, 256), (288, 384))
SHARE = 0.35
"""Of procedural scenes, as in the recipe `compact`."""


class Rates(NamedTuple):
    """Samples per second."""

    first: float
    again: float


def measure(
    plates: list[Path],
    cutouts: list[Path],
    cache: Path | None,
    share: float,
    *,
    size: tuple[int, int],
    count: int,
) -> Rates:
    import cv2

    from cleanplate.synthesis import Composer, CompositorSettings

    cv2.setNumThreads(1)
    settings = replace(CompositorSettings(), smallest_crop=0.62, procedural_share=share)
    settings = replace(settings, procedural_rooms=400)
    made = Composer.from_folders(plates, cutouts, seed=1, settings=settings, cache=cache)
    taken = []
    for _ in range(2):
        start = time.process_time()
        for index in range(count):
            made.sample(index, size)
        taken.append(time.process_time() - start)
    return Rates(count / taken[0], count / taken[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plates", type=Path, nargs="+", required=True)
    parser.add_argument("--cutouts", type=Path, nargs="+", required=True)
    parser.add_argument("--rooms", type=int, default=100, help="procedural plates to write")
    parser.add_argument("--count", type=int, default=300, help="samples of each figure")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="keeps the procedural folders and the cache")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = given.scratch or Path(temporary)
        more = with_procedural(given.plates, given.cutouts, scratch, given.rooms)
        ways = {
            "decoded": (given.plates, given.cutouts, None, SHARE),
            "mapped": (*more, scratch / "cache", 0.0),
        }
        context = multiprocessing.get_context("spawn")
        with context.Pool(1, maxtasksperchild=1) as pool:
            pool.apply(measure, ways["mapped"], {"size": SIZES[0], "count": 1})  # fills the cache
            titles = ["size", *(f"{way}, {name}" for way in ways for name in Rates._fields)]
            rows = []
            for size in SIZES:
                best = []
                for way in ways.values():
                    work = {"size": size, "count": given.count}
                    runs = [pool.apply(measure, way, work) for _ in range(given.repeats)]
                    best += [max(one) for one in zip(*runs, strict=True)]
                rows.append([f"{size[1]} x {size[0]}", *(f"{rate:.0f}" for rate in best)])
            print(markdown_table(titles, rows))


def with_procedural(
    plates: list[Path], cutouts: list[Path], scratch: Path, count: int
) -> tuple[list[Path], list[Path]]:
    """Write procedural assets beside the others."""
    from cleanplate.synthesis.procedural.procedural_files import write_assets

    for _ in write_assets("plates", scratch / "rooms", count, seed=0):
        pass
    for _ in write_assets("cutouts", scratch / "subjects", count // 2, seed=0):
        pass
    return [*plates, scratch / "rooms"], [*cutouts, scratch / "subjects"]


if __name__ == "__main__":
    main()
