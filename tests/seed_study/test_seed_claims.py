"""How the study's figures are written and graded: known answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from studies.seed.claims import PRINTED, Claims
from studies.seed.network_rows import network_rows
from studies.seed.results import FOLDER, Results
from studies.seed.spread import grade, paired, seeds_told, told
from studies.seed.tables import Tables

REPORT = ("anchors", "the report's")


def test_figures_say_how_many_seeds_they_are_of():
    assert told([], 3) == "–"
    assert told([0.5], 3) == "0.500 †"
    assert told([0.5, 0.25], 2) == "0.38 (0.25 to 0.50)"
    assert told([-0.1, -0.3, -0.2], 1, sign=True) == "-0.2 (-0.3 to -0.1)"
    assert seeds_told([2, 0, 1]) == "3 (0, 1, 2)"


def test_changes_are_of_the_seeds_that_both_have():
    assert paired({0: 5.0, 1: 7.0}, {1: 4.0, 2: 0.0}) == {1: 3.0}
    assert paired({0: 5.0}, {}) == {}


@pytest.mark.parametrize(
    ("changes", "base", "expected"),
    [
        ({0: 0.2, 1: 0.3, 2: 0.25}, {0: 0.5, 1: 0.6, 2: 0.55}, "shown"),
        ({0: 0.2, 1: 0.3}, {0: 0.5, 1: 0.6, 2: 0.55}, "likely"),  # two seeds show nothing
        ({0: 0.2}, {0: 0.5, 1: 0.6}, "open"),
        ({0: 0.2, 1: -0.01, 2: 0.4}, {0: 0.5, 1: 0.6, 2: 0.55}, "open"),  # not all up
        ({0: 0.02, 1: 0.03, 2: 0.02}, {0: 0.5, 1: 0.6, 2: 0.55}, "open"),  # within the range
        ({0: 0.2, 1: 0.3}, {0: 0.5}, "open"),  # no range is known
        ({}, {}, "open"),
    ],
)
def test_grades_by_hand(changes, base, expected):
    assert grade(changes, base) == expected


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Committed results with the report's figures and one suspect's replaced by known ones."""
    stored = json.loads((FOLDER / "small.json").read_text(encoding="utf-8"))

    def runs(values: dict[int, float]):
        return [
            {"seed": seed, "figures": {"known": {"delta1": v, "iou": v}}, "course": {}}
            for seed, v in values.items()
        ]

    rows = stored["rows"]
    rows["anchors"]["the report's"]["runs"] = runs({0: 0.30, 1: 0.32, 2: 0.40})
    rows["suspect-9-right"]["Adam, warm-up"]["runs"] = runs({1: 0.10, 0: 0.12})
    file = tmp_path / "results.json"
    file.write_text(json.dumps(stored), encoding="utf-8")
    return Results(file)


def test_a_change_and_its_anchor_are_of_the_same_seeds(results: Results):
    claims = Claims(results)
    suspect = ("suspect-9-right", "Adam, warm-up")
    assert claims.change(*suspect, REPORT, "delta1") == "-0.200 (-0.220 to -0.180)"
    assert claims.claim(*suspect, REPORT, "delta1", -1) == "likely"
    assert claims.claim(*suspect, REPORT, "delta1", 1) == "the opposite is likely"
    lines = claims.suspects("right").splitlines()
    (anchor,) = [line for line in lines if "**none**" in line and "| 2 (0, 1) |" in line]
    assert "| 0.310 (0.300 to 0.320) |" in anchor  # without seed 2
    (changed,) = [line for line in lines if "Adam, warm-up" in line]
    assert "| 2 (0, 1) | -0.200 (-0.220 to -0.180) |" in changed
    assert "**-" not in claims.suspects("right")  # no mark of significance
    # IoU of anchor plus change is the suspect's own, never below 0.
    assert pytest.approx((0.10 + 0.12) / 2) == 0.310 - 0.200


def test_depth_tables_have_floors_on_top():
    tables = Tables(Results(FOLDER / "small.json"))
    known = tables.results.told["baselines"]["known"]
    shown = (tables.anchors(), tables.task_2(), tables.losses(), tables.comparison(["anchors"]))
    for text in (*shown, Claims(tables.results).suspects("wrong")):
        lines = text.splitlines()
        assert len({line.count("|") for line in lines}) == 1
        for line, name in zip(lines[2:4], ("one constant", "mean map"), strict=True):
            assert name in line
            assert f"| {known[name]['abs_rel']:.2f} |" in line
            assert f"| {known[name]['delta1']:.3f} |" in line


def test_the_reports_printed_losses_by_hand():
    found = Claims.printed()
    assert sum(PRINTED) == pytest.approx(5.683)
    assert found["mean"] == pytest.approx(0.63144, abs=1e-5)
    assert found["error"] == pytest.approx(found["spread"] / 3)


def test_the_network_has_the_reports_99_rows():
    rows = network_rows(32)
    assert len(rows) == 99
    assert sum(count for *_, count in rows) == 40_866_048
