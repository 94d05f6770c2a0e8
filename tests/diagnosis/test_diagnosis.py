"""`diagnose`: each fault made on purpose, arrays as they come, and the report."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cleanplate.diagnosis import Diagnosis, Drawing, TrainingLog, diagnose, loss_floors
from cleanplate.diagnosis.drawing import denormalised, logit
from cleanplate.errors import CleanplateError
from tests.diagnosis.test_measures import COSINE


def scenes(count: int = 48, side: int = 24, seed: int = 0):
    """Frames with a bright or dark box on a gradient; the box is near (1), the slope between."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    frames, targets = [], []
    for _ in range(count):
        top, left = rng.integers(2, side - 10, 2)
        box = np.zeros((side, side), bool)
        box[top : top + rng.integers(6, 10), left : left + rng.integers(6, 10)] = True
        frame = rng.uniform(0.2, 0.8) + 0.2 * np.sin(x * rng.uniform(3, 9) + rng.uniform(0, 6))
        frame = np.where(box, rng.choice([0.05, 0.95]), frame)
        frames.append(np.repeat(frame[None], 3, 0) + rng.normal(0, 0.02, (3, side, side)))
        targets.append(np.where(box, 0.9, 0.2 + 0.4 * y))
    return np.array(frames, np.float32), np.array(targets, np.float32)


def good(targets, noise: float = 0.05):
    """An answer as a sound network gives it: right but for noise, and a little flat."""
    rng = np.random.default_rng(1)
    maps = 0.45 + 0.8 * (targets - 0.45) + rng.normal(0, noise, targets.shape)
    return logit(np.clip(maps, 0.02, 0.98)).astype(np.float32)


def codes(report) -> list[str]:
    return [finding.code for finding in report.findings]


# Findings, one by one


def test_a_sound_answer_raises_nothing():
    frames, targets = scenes()
    report = diagnose(
        good(targets),
        targets,
        frames,
        kind="logits",
        drawing=Drawing(sigmoid=True),
        log=TrainingLog(rates=tuple(COSINE)),
    )
    assert codes(report) == []
    assert report.limits() == []
    assert "Nothing found wrong." in report.as_text()


@pytest.mark.parametrize("seed", range(5))
def test_sound_answers_of_other_scenes_raise_nothing(seed: int):
    frames, targets = scenes(24, seed=seed + 10)
    assert codes(diagnose(good(targets, 0.15), targets, frames, kind="logits")) == []


def test_a_constant_is_named_with_its_floors():
    frames, targets = scenes()
    report = diagnose(np.zeros_like(targets), targets, frames, kind="logits")
    assert codes(report) == ["constant"]
    assert f"one constant {loss_floors(targets)['constant']:.4f}" in report.findings[0].evidence


def test_the_mean_map_is_named():
    frames, targets = scenes()
    noise = np.random.default_rng(2).normal(0, 0.02, targets.shape)
    report = diagnose(logit(targets.mean(0) + noise), targets, frames, kind="logits")
    assert codes(report) == ["mean-map"]
    assert report.measures.common_share > 0.9


def test_maps_that_differ_without_knowing_their_picture_are_the_mean_map_too():
    frames, targets = scenes()
    other = good(targets)[np.random.default_rng(5).permutation(len(targets))]
    assert codes(diagnose(other, targets, frames, kind="logits")) == ["mean-map"]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_copy_of_brightness_is_named(sign: int):
    frames, targets = scenes()
    copy = sign * (frames.mean(1) - 0.5) * 2
    report = diagnose(copy, targets, frames, kind="logits")
    assert codes(report) == ["brightness-copy"]
    assert ("inverted" in report.findings[0].what) == (sign < 0)


def test_brightness_is_no_fault_where_it_is_the_target():
    frames, _ = scenes()
    grey = np.clip(frames.mean(1), 0, 1)
    assert codes(diagnose(logit(np.clip(grey, 0.01, 0.99)), grey, frames, kind="logits")) == []


def test_an_upside_down_answer_is_named():
    frames, targets = scenes()
    assert codes(diagnose(-good(targets), targets, frames, kind="logits")) == ["inverted"]


def test_a_right_shape_at_a_wrong_level_is_named():
    frames, targets = scenes()
    # Logits, taken for maps.
    assert codes(diagnose(3 * good(targets), targets, frames)) == ["calibration"]


def test_numbers_that_are_none_are_named():
    frames, targets = scenes()
    broken = good(targets)
    broken[3, 4, 5] = np.nan
    report = diagnose(broken, targets, frames, kind="logits")
    assert codes(report)[0] == "not-finite"
    assert "1 pixels" in report.findings[0].evidence


@pytest.mark.parametrize("how", ["permuted", "shifted"])
def test_wrong_pairs_are_named_from_inputs_and_targets_alone(how: str):
    frames, targets = scenes()
    rng = np.random.default_rng(3)
    wrong = targets[rng.permutation(len(targets))] if how == "permuted" else np.roll(targets, 2, 0)
    report = diagnose(good(wrong), wrong, frames, kind="logits")
    assert codes(report) == ["pairing"]
    assert ("input i fits target i +2" in report.findings[0].what) == (how == "shifted")


def test_predictions_beside_other_pictures_targets_are_named():
    _, targets = scenes()
    report = diagnose(np.roll(good(targets), 1, 0), targets, kind="logits")
    assert codes(report) == ["pairing"]
    assert "prediction i fits target i -1" in report.findings[0].what


@pytest.mark.parametrize(
    ("scaled", "word"),
    [
        (lambda x: (x - 0.45 * 255) / (0.225 * 255), "next to no contrast"),  # the report's
        (lambda x: x * 255, "not scaled"),
        (lambda x: np.zeros_like(x) + x[:1], "same picture"),
    ],
)
def test_inputs_of_a_wrong_scale_are_named(scaled, word: str):
    frames, targets = scenes()
    report = diagnose(good(targets), targets, scaled(frames), kind="logits")
    assert codes(report) == ["input-scaling"]
    assert word in report.findings[0].what


@pytest.mark.parametrize("scaled", [lambda x: x, lambda x: (x - 0.45) / 0.225, lambda x: 2 * x - 1])
def test_usual_scalings_are_no_fault(scaled):
    frames, targets = scenes()
    assert codes(diagnose(good(targets), targets, scaled(frames), kind="logits")) == []


def test_the_reports_drawing_and_schedule_are_named_beside_a_good_answer():
    _, targets = scenes()
    low = 0.19 + 0.32 * targets
    report = diagnose(
        logit(low),
        low,
        kind="logits",
        drawing=denormalised(255),
        log=TrainingLog(rates=tuple(1e-3 * 0.01 ** (epoch // 2) for epoch in range(9))),
    )
    assert codes(report) == ["drawing", "schedule"]
    assert "100.0 % of its pixels would be white" in report.findings[0].evidence


@pytest.mark.parametrize(("progress", "named"), [(None, True), (0.5, True), (0.95, False)])
def test_a_dead_rate_is_named_unless_the_end_is_near(progress, named: bool):
    _, targets = scenes()
    told = Diagnosis("logits")
    told.update(good(targets), targets)
    report = told.report(updates=[1e-9, 3e-8], progress=progress)
    assert codes(report) == (["schedule"] if named else [])
    assert codes(told.report(updates=[1e-9, 1e-3])) == []


def test_few_pictures_are_not_judged_by_permutation():
    frames, targets = scenes(6)
    report = diagnose(logit(targets[::-1]), targets, frames, kind="logits")
    assert codes(report) == []
    assert "Fewer than 12 pictures" in report.as_text()


# Arrays as they come


def test_torch_and_layouts_make_no_difference():
    torch = pytest.importorskip("torch")
    frames, targets = scenes(16)
    answer = good(targets)
    plain = diagnose(answer, targets, frames, kind="logits").measures
    tensors = Diagnosis("logits")
    tensors.update(
        torch.from_numpy(answer)[:, None].requires_grad_(),
        torch.from_numpy(targets)[:, None],
        torch.from_numpy(frames),
    )
    assert tensors.measures() == plain
    last = diagnose(answer, targets, frames.transpose(0, 2, 3, 1), kind="logits").measures
    assert last.input_match == plain.input_match
    half = Diagnosis("logits")
    half.update(torch.from_numpy(answer).bfloat16(), targets)
    assert half.measures().loss == pytest.approx(plain.loss, rel=1e-2)


def test_many_pictures_are_sampled_and_still_judged():
    told = Diagnosis("logits", keep=32, grid=12)
    for seed in range(4):
        frames, targets = scenes(20, seed=seed)
        told.update(good(targets), targets, frames)
    report = told.report()
    assert codes(report) == []
    assert report.measures.pictures == 80
    assert report.measures.prediction_match.count == 32
    assert len(told._kept["target"]) == 32


def test_pictures_of_several_sizes_share_one_grid():
    told = Diagnosis("logits", grid=12)
    for side in (24, 32, 20):
        frames, targets = scenes(12, side=side, seed=side)
        told.update(good(targets), targets, frames)
    assert codes(told.report()) == []


@pytest.mark.parametrize(
    ("prediction", "target", "word"),
    [
        (np.zeros((2, 4, 4)), np.zeros((2, 4, 5)), "Resize"),
        (np.zeros((2, 7, 4, 9)), np.zeros((2, 4, 5)), "channels"),
        (np.array(["a"]), np.zeros((2, 4, 5)), "no numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(prediction, target, word: str):
    with pytest.raises(CleanplateError, match=word):
        diagnose(prediction, target)


def test_nothing_given_is_refused():
    with pytest.raises(CleanplateError, match="no target"):
        Diagnosis().report()


# The report


def test_the_page_stands_alone_and_the_document_is_json():
    frames, targets = scenes()
    report = diagnose(good(targets), targets, frames, kind="logits", drawing=denormalised(255))
    page = report.as_html("<maps>")
    assert "&lt;maps&gt;" in page
    assert "<maps>" not in page
    assert page.count("data:image/png;base64,") == 6 * 6  # six pictures; four maps, two drawn
    assert "http" not in page
    document = json.loads(json.dumps(report.as_document(), allow_nan=False))
    assert [one["code"] for one in document["findings"]] == ["drawing"]
    assert document["measures"]["pictures"] == len(targets)
    for finding in report.findings:
        assert finding.what in report.as_text()
        assert finding.cure in report.as_text()
