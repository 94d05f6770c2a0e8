"""Ratios and spreads of known times, and the schema of every committed result."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest

from benchmarks.timing import Row, as_table, rows, side_by_side

RESULTS = sorted((Path(__file__).resolve().parent.parent / "benchmarks/results").glob("*.json"))
ROW = {
    "group": str,
    "name": str,
    "reference": str | None,
    "ratio": float,
    "floor": float | None,
    "floor_is": str,
    "extra": dict,
    "unit": str,
    "median": float,
    "spread": float,
    "rounds": int,
}


def faults(document: dict) -> list[str]:
    """List what is wrong with a result."""
    wanted = {"schema", "when", "commit", "machine", "versions", "threads", "model", "rows"}
    found = [f"no {key!r}" for key in sorted(wanted - document.keys())]
    if found:
        return found
    if document["schema"] != 1:
        found.append(f"schema {document['schema']!r}")
    for library in ("python", "numpy", "onnxruntime", "opencv-python-headless"):
        if not document["versions"].get(library):
            found.append(f"no version of {library}")
    if not isinstance(document["machine"].get("cores"), int):
        found.append("no number of cores")
    if not isinstance(document["threads"], int):
        found.append("no number of threads")
    groups: dict[str, set[str]] = {}
    for row in document["rows"]:
        label = f"{row.get('group')}, {row.get('name')}"
        found += [f"{label}: {k}" for k, kind in ROW.items() if not isinstance(row.get(k), kind)]
        groups.setdefault(row["group"], set()).add(row["name"])
        if row["unit"] != "s" or not row["median"] > 0 or not row["ratio"] > 0:
            found.append(f"{label}: figures")
    for row in document["rows"]:
        if row["reference"] is not None and row["reference"] not in groups[row["group"]]:
            found.append(f"{row['name']}: its reference is not in its group")
    return found


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_every_committed_result_has_the_schema(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.stem.startswith(("bench", "speed")):
        assert faults(json.loads(text)) == []
    else:
        json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


class Clock:
    """A clock that is advanced by the test."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def passing(self, seconds):
        waits = itertools.cycle(seconds)

        def work():
            self.now += next(waits)

        return work


def test_times_are_means_within_a_round_and_taken_in_turn() -> None:
    clock = Clock()
    work = {"slow": clock.passing([2.0]), "quick": clock.passing([0.25])}
    taken = side_by_side(work, rounds=4, at_least=1.0, clock=clock)
    assert taken == {"slow": [2.0] * 4, "quick": [0.25] * 4}
    # one uncounted round, then four of 2 s once and 0.25 s four times
    assert clock.now == 2.25 + 4 * (2.0 + 4 * 0.25)


def test_ratios_are_medians_over_rounds() -> None:
    taken = {"ours": [2.0, 9.0, 6.0], "theirs": [1.0, 3.0, 6.0]}
    ours, theirs = rows("g", taken, "theirs", lower_bounds={"ours": (0.5, "light")})
    assert (ours.ratio, ours.median, ours.reference, ours.floor) == (2.0, 6.0, "theirs", 0.5)
    assert (theirs.ratio, theirs.reference) == (1.0, None)


def test_spread_is_the_distance_between_quartiles() -> None:
    assert Row("g", "n", [1.0, 2.0, 3.0, 4.0, 5.0]).spread == 2.0
    assert Row("g", "n", [1.0]).spread == 0.0


def test_table_has_every_row_and_its_units() -> None:
    made = rows("Group", {"a": [0.0025], "b": [5e-6], "c": [3.0]}, "a", extra={"c": {"MB": 7.0}})
    table = as_table(made)
    assert table.splitlines()[0] == "Group"
    for text in ("2.50 ms", "5.00 µs", "3.00 s", "1200.00 of a", "MB 7", "reference"):
        assert text in table


def test_faults_of_a_result_are_found() -> None:
    row = Row("g", "n", [1.0, 2.0]).as_json()
    document = {
        "schema": 1,
        "when": "2026-01-01",
        "commit": None,
        "machine": {"cores": 2},
        "versions": dict.fromkeys(
            ("python", "numpy", "onnxruntime", "opencv-python-headless"), "1"
        ),
        "threads": 2,
        "model": "compact",
        "rows": [row],
    }
    assert faults(document) == []
    assert faults(document | {"rows": [row | {"reference": "other"}]})
    assert faults(document | {"rows": [row | {"median": -1.0}]})
    assert faults(document | {"threads": None})
    assert faults({})


def test_the_time_per_frame_is_without_start_and_plate() -> None:
    rates = pytest.importorskip("benchmarks.rates")
    # 2 s and 3 s of start, .5 s and 1 s for each of 5 frames
    taken = {"first": [2.5, 4.0], rates.WHOLE: [4.5, 8.0], rates.FLOOR: [1.0, 2.0]}
    assert rates.by_frame(taken, 5) == {
        rates.WHOLE: [0.9, 1.6],
        rates.STARTED: [0.5, 1.0],
        rates.FLOOR: [0.2, 0.4],
    }


def test_products_of_a_graph_are_counted() -> None:
    onnx = pytest.importorskip("onnx")
    np = pytest.importorskip("numpy")
    from benchmarks.hardware_limits import multiplications

    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = [
        onnx.numpy_helper.from_array(np.ones((8, 3, 3, 3), np.float32), "full"),
        onnx.numpy_helper.from_array(np.ones((8, 1, 3, 3), np.float32), "depthwise"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "full"], ["y"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Conv", ["y", "depthwise"], ["z"], pads=[1, 1, 1, 1], group=8),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "two",
        [value("x", kind, [1, 3, "h", "w"])],
        [value("z", kind, [1, 8, "i", "j"])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    counted = multiplications(model.SerializeToString(), {"x": np.zeros((1, 3, 32, 48), "f4")})
    assert counted == 16 * 24 * 8 * (3 * 9) + 16 * 24 * 8 * 9
    assert math.isfinite(counted)


def test_empty_frames_differ_as_they_say() -> None:
    np = pytest.importorskip("numpy")
    from benchmarks.empty_frames import scenes, settings
    from cleanplate.synthesis.compositor.composer import Composer

    made = list(scenes(Composer.from_folders(None, None, seed=0, settings=settings()), 2))
    assert len(made) == 2
    for one in made:
        plate = one["plate"].astype(float)
        assert np.array_equal(one["identical"], one["plate"])
        assert 0.5 < np.abs(one["camera"] - plate).mean() < 12
        darker = plate - one["shadow"]
        assert darker.min() >= -1, "a shadow takes light"
        assert (darker > 3).mean() > 0.005
        assert (np.abs(darker) < 2).mean() > 0.2, "and not everywhere"
