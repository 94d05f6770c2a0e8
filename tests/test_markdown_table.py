"""Markdown tables, by hand."""

from __future__ import annotations

import pytest

from cleanplate.markdown_table import markdown_table


def test_a_table():
    assert markdown_table(("what", "n"), [("a", "1"), ("b", "22")]) == (
        "| what | n |\n| --- | --- |\n| a | 1 |\n| b | 22 |"
    )


def test_numbers_are_aligned_right():
    lines = markdown_table(("what", "n", "m"), [("a", "1", "2")], right_from=1).split("\n")
    assert lines[1] == "| --- | ---: | ---: |"


def test_bars_and_line_breaks_stay_in_their_cell():
    assert markdown_table(("x",), [("a|b\nc",)]).split("\n")[2] == "| a\\|b c |"


def test_a_row_of_another_length_is_a_mistake():
    with pytest.raises(ValueError, match="expected 2 cells, got 1"):
        markdown_table(("a", "b"), [("1",)])
