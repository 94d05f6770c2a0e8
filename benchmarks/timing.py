"""Timing of alternatives in turn within one run: rows, ratios, and the table."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table. Times are seconds of one call."""

    group: str
    name: str
    seconds: list[float] = field(repr=False)
    reference: str | None = None
    """Name of the row of the group that `ratio` refers to; None = this is that row."""
    ratio: float = 1.0
    """Median over the rounds of the time divided by the reference's."""
    floor: float | None = None
    """Lower bound of the seconds on this machine, in this run."""
    floor_is: str = ""
    """Description of the lower bound."""
    extra: dict[str, float] = field(default_factory=dict)
    """Further values, with units in their names."""

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
        fields = asdict(self)
        del fields["seconds"]
        return {
            **fields,
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
    """Time each callable once per round, in an order that changes from round to round.

    A machine that slows down or is shared then slows all of them. One warm-up round is not
    counted. A call shorter than `at_least` seconds is repeated within its round, and the mean is
    taken.
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
    lower_bounds: Mapping[str, tuple[float, str]] | None = None,
    extra: Mapping[str, dict[str, float]] | None = None,
) -> list[Row]:
    """Make a group's rows; ratios are medians over the rounds, each with its reference."""
    made = []
    for name, taken in seconds.items():
        ratios = [one / other for one, other in zip(taken, seconds[reference], strict=True)]
        floor, floor_is = (lower_bounds or {}).get(name, (None, ""))
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
    """Format as plain text, one block per group."""
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
