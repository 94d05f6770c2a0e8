"""The subject's depth by groups of pairs, and against a depth camera's, with known answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cleanplate.cli import main
from cleanplate.depth.depth_files import write_depth
from cleanplate.errors import CleanplateError
from cleanplate.evaluation import MetricSettings, PairScore, Scores, as_document, as_table
from cleanplate.evaluation.rgbd import find_measured, measured_scores
from cleanplate.evaluation.subject_depth_score import groups_of, subject_depth_scores
from cleanplate.formats.pictures import write_image


def test_errors_are_of_depth_over_solid_pixels_with_known_depth() -> None:
    alpha = np.array([[1, 1, 1, 0.9, 0.5, 1]], np.float32)
    truth = 1 / np.array([[2, 2, 4, 2, 2, np.inf]], np.float32)
    found = 1 / np.array([[2.1, 3, 4, 9, 9, 9]], np.float32)
    got = subject_depth_scores(found, truth, alpha, cap=80)
    assert got["abs_rel"] == pytest.approx((0.05 + 0.5 + 0) / 3, rel=1e-4)
    assert got["within_10"] == pytest.approx(2 / 3)


def test_an_unknown_prediction_counts_as_the_cap() -> None:
    alpha, truth = np.ones((1, 2), np.float32), np.full((1, 2), 0.5, np.float32)
    found = np.array([[np.nan, 0.5]], np.float32)
    assert subject_depth_scores(found, truth, alpha, cap=4)["abs_rel"] == pytest.approx(0.5)
    assert subject_depth_scores(found, truth, np.zeros_like(alpha), cap=4) == {}


def test_groups_depend_on_the_lower_border_and_the_number_of_subjects() -> None:
    alpha = np.zeros((40, 60), np.float32)
    assert groups_of(alpha, {}) == ()
    alpha[10:30, 5:15] = 1
    assert groups_of(alpha, {}) == ("all", "uncut")
    assert groups_of(alpha, {"subjects": [{}, {}]}) == ("all", "uncut", "several")
    alpha[20:40, 40:50] = 1
    assert groups_of(alpha, {}) == ("all", "cut", "several")
    assert groups_of(alpha, {"subjects": [{}]}) == ("all", "cut")


def test_table_and_document_show_the_groups() -> None:
    def row(name: str, error: float, *groups: str) -> PairScore:
        values = {"solid_abs_rel": error, "solid_within_10": 1.0}
        return PairScore(
            name, {**values, "seen_abs_rel": 0.5, "seen_within_10": 0.0}, groups=groups
        )

    rows = (row("a", 0.1, "all", "cut"), row("b", 0.3, "all", "uncut"), PairScore("c", {}))
    scores = Scores("net", None, "clean", True, MetricSettings(), rows)
    assert scores.subject_depth["all"]["solid_abs_rel"] == pytest.approx(0.2)
    assert "several" not in scores.subject_depth
    line = next(x for x in as_table([scores]).splitlines() if x.startswith("net + plate depth"))
    shown = ["0.200 / 1.00 (2)", "0.300 / 1.00 (1)", "0.100 / 1.00 (1)", "-", "0.500 / 0.00 (2)"]
    assert [cell for cell in line.split("  ") if cell.strip()][2:] == shown or all(
        cell in line for cell in shown
    )
    result = as_document([scores])["results"][0]
    assert result["subject_depth"]["cut"] == {
        "pairs": 1,
        "solid_abs_rel": 0.1,
        "solid_within_10": 1,
        "seen_abs_rel": 0.5,
        "seen_within_10": 0,
    }


def test_evaluate_prints_the_subjects_depth_for_a_model_with_plate_depth(
    pairs_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    from tests.predict.tiny_model import write_model

    model = str(write_model(tmp_path / "tiny"))
    options = ["--model", model, "--variant", "clean", "--with-plate-depth"]
    assert main(["evaluate", str(pairs_folder), *options]) == 0
    out = capsys.readouterr().out
    assert "Depth of the subject in metres" in out
    assert main(["evaluate", str(pairs_folder), *options[:-1]]) == 0
    assert "Depth of the subject in metres" not in capsys.readouterr().out


def measured_folder(folder: Path) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    plate = rng.uniform(0.2, 0.5, (48, 64, 3)).astype(np.float32)
    frame, depth = plate.copy(), np.full((48, 64), 2, np.float32)
    frame[10:30, 20:40] = 0.95
    before = depth.copy()
    before[10:30, 20:40] = 1.6
    before[10:12, 20:40] = np.nan
    write_image(folder / "one_plate.png", plate)
    write_image(folder / "one_frame.png", frame)
    write_depth(folder / "one_plate_depth.png", depth)
    write_depth(folder / "one_frame_depth.png", before)
    return folder


def test_object_pixels_are_those_measured_to_be_nearer() -> None:
    plate, frame = np.full((2, 3), 2, np.float32), np.array([[1.6, 2, 1.6], [np.nan, 1, 1]])
    alpha = np.array([[1, 1, 0], [1, 1, 1]], np.float32)
    disparity = np.array([[1 / 1.6, 9, 9], [9, 1 / 1.1, 1 / 1.3]], np.float32)
    row = measured_scores("x", alpha, disparity, plate, frame.astype(np.float32))
    assert (row.objects, row.found) == (4, 0.75)
    assert row.error == pytest.approx(0.1, rel=1e-4)
    assert row.plate_error == pytest.approx(1.0)
    assert row.within_10 == pytest.approx(2 / 3)
    with pytest.raises(CleanplateError, match="nothing is nearer"):
        measured_scores("x", alpha, disparity, plate, plate)


def test_evaluate_reads_the_folder_of_a_depth_camera(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    from tests.predict.tiny_model import write_model

    folder, model = measured_folder(tmp_path / "rgbd"), str(write_model(tmp_path / "tiny"))
    assert main(["evaluate", str(folder), "--rgbd", "--model", model]) == 0
    assert "one" in capsys.readouterr().out
    assert main(["evaluate", str(folder), "--rgbd", "--model", model, "--json", "-"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["pairs"]
    assert (row["name"], row["objects"]) == ("one", 18 * 20)
    assert row["plate_error"] == pytest.approx(0.25, abs=1e-3)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    folder = measured_folder(tmp_path / "rgbd")
    (folder / "one_plate_depth.png").unlink()
    with pytest.raises(CleanplateError, match="one_plate_depth"):
        find_measured(folder)
    with pytest.raises(CleanplateError, match="not a folder"):
        find_measured(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CleanplateError, match="no pair"):
        find_measured(tmp_path / "empty")
