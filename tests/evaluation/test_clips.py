"""Clips scored: in their order or frame by frame, from Python and by the command."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cleanplate import metrics
from cleanplate.cli import main
from cleanplate.evaluation.baselines import FixedDifference
from cleanplate.evaluation.clip_prediction import FramePrediction, Looped, PerFrame
from cleanplate.evaluation.clip_score import evaluate_clips, score_clip
from cleanplate.evaluation.clip_table import COLUMNS, DEFINITIONS, clip_document, clip_table
from cleanplate.pairs.clip_truth import TrueClip, TrueFrame, find_clips
from cleanplate.predict.predictor import Predictor
from cleanplate.synthesis.building.clip_plan import ClipRequest
from cleanplate.synthesis.building.clip_set import build_clips
from tests.predict.tiny_model import write_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("clips") / "clips"
    build_clips(ClipRequest(out, count=2, frames=6, size=(72, 96), seed=1))
    return out


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny")


@dataclass
class Changed:
    """The truth, changed by a function of alpha, depth and the frame's number."""

    change: object
    name: str = "truth"
    way: str = "changed"
    model_hash: str | None = None

    def predict(self, clip: TrueClip, frames: Iterator[TrueFrame]) -> Iterator[FramePrediction]:
        for frame in frames:
            yield FramePrediction(*self.change(frame.alpha, frame.depth, frame.index))


def scored(folder: Path, change) -> dict[str, float]:
    return dict(score_clip(Changed(change), find_clips(folder)[0]).values)


def test_the_truth_has_no_errors(folder):
    found = scored(folder, lambda alpha, depth, _: (alpha, depth))
    assert found["iou"] == 1
    for name in ("mad", "dtssd", "depth_dtssd", "distance_error", "distance_jitter"):
        assert found[name] == 0
    assert abs(found["lag"]) < 0.2, "its path need not be straight"


def test_errors_that_stay_are_not_temporal_and_those_that_change_are(folder):
    steady = scored(folder, lambda alpha, depth, _: (0.9 * alpha, 1.2 * depth))
    assert steady["distance_error"] == pytest.approx(math.log(1.2), abs=1e-5)
    assert steady["distance_jitter"] < 1e-5
    assert steady["depth_dtssd"] < 1e-3
    assert steady["mad"] > 0
    flickering = scored(folder, lambda alpha, depth, n: (alpha, depth * (1.1 if n % 2 else 1.0)))
    assert flickering["distance_jitter"] == pytest.approx(math.log(1.1), abs=1e-5)
    assert flickering["depth_dtssd"] == pytest.approx(100 * math.log(1.1), abs=1e-2)


def test_alpha_figures_are_those_of_the_whole_clip_at_once(folder):
    clip = find_clips(folder)[1]
    frames = list(clip.frames())
    rng = np.random.default_rng(0)
    noisy = [np.clip(one.alpha + rng.normal(0, 0.1, one.alpha.shape), 0, 1) for one in frames]
    found = score_clip(Changed(lambda a, d, n: (noisy[n].astype(np.float32), None)), clip).values
    truth = [one.alpha for one in frames]
    noisy = [one.astype(np.float32) for one in noisy]
    assert found["dtssd"] == pytest.approx(metrics.dtssd(noisy, truth))
    assert found["mad"] == pytest.approx(np.mean(list(map(metrics.mad, noisy, truth))))
    assert found["iou"] == pytest.approx(np.mean(list(map(metrics.iou, noisy, truth))))
    assert "depth_dtssd" not in found


def test_a_late_prediction_lags(folder):
    kept: list[np.ndarray] = []

    def late(alpha, depth, number):
        kept.append(alpha)
        return kept[max(0, number - 1)], depth

    assert scored(folder, late)["lag"] > 0.5


def test_a_model_is_scored_in_order_and_frame_by_frame(folder, model):
    predictor = Predictor(model, threads=1)
    clips = find_clips(folder)
    looped = evaluate_clips(Looped(predictor, True), clips)
    single = evaluate_clips(PerFrame(predictor, True), clips)
    plain = evaluate_clips(PerFrame(FixedDifference()), clips)
    assert [one.way for one in (looped, single)] == ["frame loop", "per frame"]
    for one in (looped, single):
        assert one.model == "tiny"
        assert len(one.rows) == 2
        assert {column.metric for column in COLUMNS} <= one.means.keys() | {"lag"}
        assert one.means["iou"] > 0.4
    assert looped.means["mad"] == pytest.approx(single.means["mad"], abs=0.02)
    assert "depth_dtssd" not in plain.means
    table = clip_table([looped, single, plain])
    assert [line.split()[0] for line in table.splitlines()] == [
        "model",
        "tiny",
        "tiny",
        "difference",
    ]
    document = clip_document([looped, plain])
    assert {column.metric for column in COLUMNS} == DEFINITIONS.keys()
    assert document["results"][0]["model_hash"] == predictor.model.hash
    json.dumps(document, allow_nan=False)


def test_the_command_scores_clips(folder, model, tmp_path, capsys):
    file = tmp_path / "scores.json"
    call = ["evaluate", str(folder), "--with-plate-depth", "--known-focal", "--quiet"]
    call += ["--model", str(model), "--threads", "1"]
    assert main([*call, "--limit", "1", "--json", str(file)]) == 0
    document = json.loads(file.read_text("utf-8"))
    (result,) = document["results"]
    assert (result["way"], result["clips"], result["failed"]) == ("frame loop", 1, {})
    assert document["options"]["clips"] == "clips"
    assert main([*call, "--per-frame", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["way"] == "per frame"
    assert main(["evaluate", str(folder), "--baseline", "difference"]) == 0
    assert "dtSSD" in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--variant", "clean"], ["--convention", "rvm"], ["--rgbd"]])
def test_options_of_pairs_are_refused_for_clips(folder, option, capsys):
    assert main(["evaluate", str(folder), *option]) == 2
    assert "not for clips" in capsys.readouterr().err


def test_per_frame_is_refused_for_pairs(pairs_folder, capsys):
    assert main(["evaluate", str(pairs_folder), "--per-frame"]) == 2
    assert "for clips" in capsys.readouterr().err


def test_a_damaged_clip_is_named_and_the_others_are_scored(folder, tmp_path, capsys):
    out = tmp_path / "clips"
    build_clips(ClipRequest(out, count=2, frames=2, size=(48, 64), seed=1))
    (out / "000000" / "alpha" / "0001.png").write_bytes(b"no picture")
    assert main(["evaluate", str(out), "--baseline", "difference", "--json", "-"]) == 2
    told = capsys.readouterr()
    (result,) = json.loads(told.out)["results"]
    assert list(result["failed"]) == ["000000"]
    assert result["clips"] == 1
    assert "1 of 2 clips" in told.err


def test_clips_are_scored_without_the_extra_video(folder):
    """PNG sequences need no PyAV, and the frame loop neither."""
    code = (
        "import sys; sys.modules['av'] = None; from cleanplate.cli import main; "
        "import cleanplate.evaluation.clip_prediction; "
        f"raise SystemExit(main(['evaluate', {str(folder)!r}, '--limit', '1', '--quiet']))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
