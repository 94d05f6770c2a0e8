"""How figures of several seeds are written, and how sure a change between two trainings is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

Grade = Literal["shown", "likely", "open"]
SINGLE = "†"
"""Marks a figure of one seed."""


def told(values: Sequence[float], digits: int, *, sign: bool = False) -> str:
    """Write the mean and, of several seeds, the least and the largest; a dash for none."""
    if not values:
        return "–"
    form = f"{'+' if sign else ''}.{digits}f"
    mean = format(statistics.fmean(values), form)
    if len(values) == 1:
        return f"{mean} {SINGLE}"
    return f"{mean} ({format(min(values), form)} to {format(max(values), form)})"


def paired(one: Mapping[int, float], base: Mapping[int, float]) -> dict[int, float]:
    """Give the change from `base`, by seed, of the seeds that both have."""
    return {seed: one[seed] - base[seed] for seed in sorted(one.keys() & base.keys())}


def seeds_told(seeds: Iterable[int]) -> str:
    """Name seeds: "3 (0, 1, 2)"."""
    listed = sorted(seeds)
    return f"{len(listed)} ({', '.join(map(str, listed))})" if listed else "0"


def grade(changes: Mapping[int, float], base: Mapping[int, float]) -> Grade:
    """Say how sure it is that a change is none of the seed's.

    "shown": three seeds or more, all changed in the same direction, and the mean change exceeds the
    range of the base over its seeds. "likely": the same of two seeds. "open": everything else.
    """
    values = list(changes.values())
    if len(values) < 2 or len(base) < 2:
        return "open"
    together = all(v > 0 for v in values) or all(v < 0 for v in values)
    spread = max(base.values()) - min(base.values())
    if not together or abs(statistics.fmean(values)) <= spread:
        return "open"
    return "shown" if len(values) >= 3 else "likely"


def number(value: float | None, digits: int) -> str:
    """Write a number; a dash for none."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """Write a share; a dash for none."""
    return "–" if share is None else f"{100 * share:.1f} %"
