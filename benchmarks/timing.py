"""Seconds, taken side by side, and what is said about them."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table. Times are seconds for one piece of work."""

    group: str
    name: str
    seconds: list[float] = field(repr=False)
    reference: str | None = None
    """Name of the row of the same group that `ratio` compares with; None: it is that row."""
    ratio: float = 1.0
    """How many times the reference's time, taken round by round."""
    floor: float | None = None
    """Seconds under which it cannot go on this machine, in this run."""
    floor_is: str = ""
    """What that floor is."""
    extra: dict[str, float] = field(default_factory=dict)
    """Further figures, their units in their names."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Distance between the quartiles, in seconds."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return high - low

    def as_json(self) -> dict[str, Any]:
        told = asdict(self)
        del told["seconds"]
        return {
            **told,
            "unit": "s",
            "median": self.median,
            "spread": self.spread,
            "rounds": len(self.seconds),
        }


def side_by_side(
    work: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    at_least: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time each piece of work once a round, in an order that changes from round to round.

    So a machine that slows down or is shared slows all of them. One round before the first is
    not counted. A piece shorter than `at_least` seconds is repeated within its round, and the
    mean is taken.
    """
    repeats = {}
    for name, piece in work.items():
        started = clock()
        piece()
        once = max(clock() - started, 1e-9)
        repeats[name] = max(1, round(at_least / once))
    seconds: dict[str, list[float]] = {name: [] for name in work}
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(list(work), len(work)):
            started = clock()
            for _ in range(repeats[name]):
                work[name]()
            seconds[name].append((clock() - started) / repeats[name])
    return seconds


def rows(
    group: str,
    seconds: Mapping[str, list[float]],
    reference: str,
    *,
    floors: Mapping[str, tuple[float, str]] | None = None,
    extra: Mapping[str, dict[str, float]] | None = None,
) -> list[Row]:
    """The group's rows: ratios are medians over the rounds, against the reference's same round."""
    made = []
    for name, taken in seconds.items():
        ratios = [one / other for one, other in zip(taken, seconds[reference], strict=True)]
        floor, floor_is = (floors or {}).get(name, (None, ""))
        made.append(
            Row(
                group,
                name,
                taken,
                None if name == reference else reference,
                statistics.median(ratios),
                floor,
                floor_is,
                (extra or {}).get(name, {}),
            )
        )
    return made


def as_table(all_rows: list[Row]) -> str:
    """Text for a terminal; one block per group."""
    lines = []
    for group in dict.fromkeys(row.group for row in all_rows):
        mine = [row for row in all_rows if row.group == group]
        width = max(len(row.name) for row in mine)
        lines += ["", group]
        for row in mine:
            against = f"x {row.ratio:7.2f} of {row.reference}" if row.reference else "reference"
            floor = f"; floor {_time(row.floor)} ({row.floor_is})" if row.floor else ""
            extra = "".join(f"; {key} {value:,.4g}" for key, value in row.extra.items())
            lines.append(
                f"  {row.name:{width}}  {_time(row.median)} ± {_time(row.spread)}"
                f"  {against}{floor}{extra}"
            )
    return "\n".join(lines[1:])


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:7.2f} s "
    if seconds >= 1e-3:
        return f"{seconds * 1e3:7.2f} ms"
    return f"{seconds * 1e6:7.2f} µs"
