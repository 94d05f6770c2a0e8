"""Plate health against disturbances of the example pair, with the shipped model."""

from __future__ import annotations

import pytest

from benchmarks.disturbances import Sample, disturbances
from benchmarks.health import (
    EXAMPLES,
    GOOD_IOU,
    Measured,
    as_markdown,
    broken_promises,
    measure,
    pairs_of,
)
from cleanplate.formats.pictures import read_image, resize
from cleanplate.predict.predictor import Predictor

ROWS = (
    "undisturbed",
    "frame: exposure -4 stops",
    "frame: exposure +4 stops",
    "plate: exposure -4 stops",
    "plate: exposure +2 stops",
    "plate: exposure +3 stops",
    "frame: white balance 60 %",
    "plate: channels swapped",
    "plate: mirrored",
    "plate: shifted by 1.00% of the width",
    "plate: shifted by 10.00% of the width",
    "plate: turned by 1 degrees",
    "frame: blurred, sigma 4 px",
    "both: noise, sigma 40 levels",
    "frame: noise, sigma 20 levels",
    "frame: JPEG, quality 10",
    "both: darkness, -6 stops, noise 3",
    "both: clipped highlights, +4 stops",
    "plate of another scene",
    "subject over 90 % of the picture",
)


@pytest.fixture(scope="module")
def rows() -> list[Measured]:
    predictor = Predictor(threads=1, force=True)
    ((name, sample),) = pairs_of(EXAMPLES, 480)
    plate = resize(read_image(EXAMPLES.parent / "background.jpg"), sample.alpha.shape)
    other = Sample(plate, plate, sample.alpha)
    chosen = {one.name: one for one in disturbances()}
    return [measure(predictor, name, chosen[row], sample, other) for row in ROWS]


def test_no_bad_matte_of_a_good_pair_is_called_good(rows: list[Measured]) -> None:
    assert rows[0].iou >= GOOD_IOU
    assert rows[0].verdict == "good"
    assert not broken_promises(rows)
    # The sentence says something: some of these mattes are bad.
    assert sum(row.iou < 0.8 for row in rows) >= 5


def test_the_table_has_a_line_for_each(rows: list[Measured]) -> None:
    lines = as_markdown(rows).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert lines[2].startswith("| undisturbed | 1 / 0 / 0 |")


def test_a_broken_promise_is_found() -> None:
    good = Measured("undisturbed", "one", "good", [], 0.01, 0.95, {})
    bad = good._replace(disturbance="fog", iou=0.5)
    told = bad._replace(verdict="usable")
    hard = bad._replace(pair="another")
    assert broken_promises([good, bad, told, hard]) == [bad]


def test_a_plate_in_much_more_light_is_warned_of(rows: list[Measured]) -> None:
    by_name = {row.disturbance: row for row in rows}
    for name in ("plate: exposure +2 stops", "plate: exposure +3 stops"):
        row = by_name[name]
        assert any("clipped highlights" in one for one in row.warnings), row
    assert by_name["plate: exposure -4 stops"].iou > 0.9
    assert by_name["frame: exposure -4 stops"].iou > 0.8
