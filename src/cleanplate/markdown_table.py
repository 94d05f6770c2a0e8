"""Tables in Markdown, as GitHub Flavored Markdown (section 4.10) has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, right_from: int | None = None
) -> str:
    """Write a table.

    Args:
        head: titles of the columns.
        rows: as many cells each. A "|" in a cell is escaped, and a line break becomes a space.
        right_from: columns from this one on (counted from 0) are aligned right, as numbers are.

    Returns:
        lines without a line break at the end.

    Raises:
        ValueError: if a row has another number of cells than the head.
    """
    first = len(head) if right_from is None else right_from
    rule = ["---" if place < first else "---:" for place in range(len(head))]
    lines = [_line(head), _line(rule)]
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"expected {len(head)} cells, got {len(row)}: {list(row)}")
        lines.append(_line(row))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return (
        "| " + " | ".join(" ".join(cell.replace("|", "\\|").split("\n")) for cell in cells) + " |"
    )
