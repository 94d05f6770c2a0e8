"""`cleanplate evaluate` as a person runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cleanplate import metrics
from cleanplate.cli import main
from cleanplate.depth import depth_to_disparity
from cleanplate.evaluation import BASELINES, find_pairs
from cleanplate.formats.pictures import read_image


def test_table_json_and_sheet(
    pairs_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written, sheet = tmp_path / "scores.json", tmp_path / "sheet.png"
    options = ["--json", str(written), "--sheet", str(sheet)]
    code = main(["evaluate", str(pairs_folder), "--baseline", "difference", *options])
    assert code == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines() if line.startswith("difference")]
    assert [line[1:3] for line in lines] == [["clean", "3"], ["camera", "2"]]
    document = json.loads(written.read_text(encoding="utf-8"))
    assert document["options"]["pairs"] == pairs_folder.name
    first = document["results"][0]
    assert f"{1000 * first['means']['mad']:.2f}" == lines[0][3]
    assert [row["name"] for row in first["rows"]] == ["00000", "00001", "00002"]
    assert read_image(sheet).shape[1] == 6 * 320


def test_json_on_stdout_stands_alone(
    pairs_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--variant", "camera", "--limit", "1", "--json", "-", "--convention", "rvm"]
    assert main(["evaluate", str(pairs_folder), "--baseline", "row", *options]) == 0
    document = json.loads(capsys.readouterr().out)
    (result,) = document["results"]
    assert (result["variant"], result["pairs"]) == ("camera", 1)
    assert document["metric_settings"]["convention"]["name"] == "rvm"
    assert "mad" not in result["means"]
    assert 0 < result["means"]["aligned_delta1"] <= 1


def test_a_model_is_scored_with_and_without_plate_depth(
    pairs_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real predictor, on a model that is a plain difference of plate and frame."""
    pytest.importorskip("onnx")
    from tests.predict.tiny_model import write_model

    model = str(write_model(tmp_path / "tiny"))
    found = {}
    for extra in ([], ["--with-plate-depth"]):
        options = ["--model", model, "--variant", "clean", "--quiet", "--json", "-", *extra]
        assert main(["evaluate", str(pairs_folder), *options]) == 0
        (found[len(extra)],) = json.loads(capsys.readouterr().out)["results"]
    assert found[0]["model"] == "tiny"
    assert len(found[0]["model_hash"]) == 64
    for result in found.values():
        assert result["refused"] == {}
        assert result["means"]["iou"] > 0.85
        assert result["means"]["identical_alpha"] < 0.005
        assert result["means"]["foreground_mse"] < 0.1
        assert result["counts"]["aligned_delta1"] == 3
    assert "metric_delta1" not in found[0]["means"]
    # With the plate's depth given, the scene is metric and right; the subject is a guess.
    assert found[1]["means"]["plate_abs_rel"] < 0.05
    assert found[1]["means"]["metric_delta1"] > 0.5


def test_quiet_says_nothing(pairs_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--baseline", "constant", "--limit", "1", "--quiet"]
    assert main(["evaluate", str(pairs_folder), *options]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--baseline", "row", "--variant", "drift"], "no pair has a variant 'drift'"),
        (["--model", "nowhere"], "there is no model 'nowhere'"),
        (["--baseline", "row", "--model", "x"], "are for models"),
        (["--baseline", "row", "--json", "{tmp}/no/such.json"], "no/such.json"),
    ],
)
def test_wrong_arguments_are_reported(
    pairs_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    options = [option.format(tmp=tmp_path) for option in options]
    assert main(["evaluate", str(pairs_folder), "--quiet", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.shared
def test_baselines_are_near_the_scores_of_the_data_card(shared: Path) -> None:
    """The card gives MAD 35.48 and IoU .715 for fixed 25, delta1 .497 for the image row."""
    figures = []
    for pair in find_pairs(shared / "data" / "pairs"):
        view = pair.read()
        assert view.depth is not None
        alpha = BASELINES["difference"]().scene(view.plate).predict(view.frame).alpha
        rows = BASELINES["row"]().scene(view.plate).predict(view.frame).disparity
        assert alpha is not None
        assert rows is not None
        errors = metrics.disparity_errors(rows, depth_to_disparity(view.depth), align=True)
        mad, iou = metrics.mad(alpha, view.alpha, scale=1e3), metrics.iou(alpha, view.alpha)
        figures.append((mad, iou, errors["delta1"]))
    mad, iou, delta1 = np.mean(figures, axis=0)
    assert mad == pytest.approx(35.48, abs=0.1)
    assert iou == pytest.approx(0.715, abs=0.005)
    assert delta1 == pytest.approx(0.497, abs=5e-4)


@pytest.mark.shared
def test_shared_pairs_hold_what_their_card_says(shared: Path) -> None:
    pairs = find_pairs(shared / "data" / "pairs")
    assert len(pairs) == 40
    assert all(set(pair.variant_files) == {"clean", "camera", "drift"} for pair in pairs)
    view = pairs[0].read("drift")
    assert view.depth is not None
    assert not np.isnan(view.depth).any()
    assert float(view.alpha.mean()) == pytest.approx(pairs[0].facts["coverage"], abs=1e-3)


def _with_faults(pairs_folder: Path, folder: Path) -> Path:
    """The pairs, the second of them damaged, and a fourth without its matte."""
    shutil.copytree(pairs_folder, folder)
    (folder / "00001_frame.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    for part in ("plate", "frame"):
        shutil.copy(folder / f"00000_{part}.png", folder / f"00003_{part}.png")
    return folder


def test_the_other_pairs_are_scored_when_some_are_bad(
    pairs_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _with_faults(pairs_folder, tmp_path / "pairs")
    written, sheet = tmp_path / "scores.json", tmp_path / "sheet.jpg"
    options = ["--json", str(written), "--sheet", str(sheet), "--variant", "clean"]
    for _ in range(2):  # our own files are replaced
        assert main(["evaluate", str(folder), "--baseline", "difference", *options]) == 2
        shown = capsys.readouterr()
        assert "2 of 4 pairs could not be scored" in shown.err
        assert "00001_frame.png" in shown.err
        assert "'00003' lacks 00003_alpha.*" in shown.err
        document = json.loads(written.read_text(encoding="utf-8"))
        (result,) = document["results"]
        assert [row["name"] for row in result["rows"]] == ["00000", "00002"]
        assert list(result["failed"]) == ["00001"]
        assert list(document["failed"]) == ["00003"]
        assert sheet.exists()


def test_no_pair_that_can_be_scored_is_an_error(
    pairs_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _with_faults(pairs_folder, tmp_path / "pairs")
    for path in folder.glob("*_alpha.png"):
        path.unlink()
    assert main(["evaluate", str(folder), "--baseline", "difference"]) == 2
    assert "4 of 4 pairs could not be scored" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--json", "--sheet"])
@pytest.mark.parametrize(
    ("name", "message"),
    [("no/such.png", "its folder does not exist"), ("mine.png", "did not write it")],
)
def test_targets_are_checked_before_the_work(
    *, pairs_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str,
    name: str, message: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from cleanplate import evaluation

    def work(*_: object, **__: object) -> None:
        raise AssertionError("this is the work")

    monkeypatch.setattr(evaluation, "find_pairs", work)
    (tmp_path / "mine.png").write_bytes(b"mine")
    assert main(["evaluate", str(pairs_folder), option, str(tmp_path / name)]) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "mine.png").read_bytes() == b"mine"


def test_an_execution_provider_that_is_not_there_is_an_error(
    pairs_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(pairs_folder), "--provider", "warp"]) == 2
    told = capsys.readouterr().err
    assert "no execution provider 'warp'" in told
    assert "CPUExecutionProvider" in told
