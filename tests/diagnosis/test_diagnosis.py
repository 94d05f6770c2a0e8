"""`cleanplate.diagnosis`: figures derived by hand, and each fault made on purpose."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanplate.diagnosis import (
    Diagnosis,
    Drawing,
    TrainingLog,
    cross_entropy,
    diagnose,
    drawn_share,
    loss_floors,
    read_training_log,
    relative_updates,
    spent_after,
)
from cleanplate.diagnosis.array_input import block_sums
from cleanplate.diagnosis.drawing import denormalised, logit
from cleanplate.errors import CleanplateError


def entropy(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


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


COSINE = [0.5 * (1 + math.cos(math.pi * i / 90)) for i in range(90)]


# Floors


def test_cross_entropy_of_a_constant_by_hand():
    """Targets 0, 1/2, 1 and a constant of 1/4: -(1.5 ln .25 + 1.5 ln .75) / 3."""
    found = cross_entropy(np.full(3, 0.25), np.array([0, 0.5, 1]))
    assert found == pytest.approx(-(math.log(0.25) + math.log(0.75)) / 2)


def test_the_floor_of_a_grey_map_is_its_entropy():
    """Two pictures, .2 all over and .4 all over: see the four floors by hand."""
    targets = np.stack([np.full((4, 4), level) for level in (0.2, 0.4)])
    floors = loss_floors(targets)
    assert floors["perfect"] == pytest.approx((entropy(0.2) + entropy(0.4)) / 2, rel=1e-5)
    assert floors["picture_mean"] == pytest.approx(floors["perfect"])
    assert floors["mean_map"] == floors["constant"] == pytest.approx(entropy(0.3), rel=1e-5)


def test_the_mean_map_is_perfect_where_all_pictures_are_alike():
    one = np.linspace(0.1, 0.9, 16).reshape(4, 4)
    floors = loss_floors(np.stack([one] * 3))
    assert floors["mean_map"] == pytest.approx(floors["perfect"])
    assert floors["constant"] == pytest.approx(math.log(2), rel=1e-5)
    assert floors["picture_mean"] == pytest.approx(math.log(2), rel=1e-5)


def test_masks_of_0_and_1_have_no_entropy():
    assert loss_floors(np.eye(4)[None])["perfect"] == pytest.approx(0, abs=2e-5)
    assert loss_floors(np.eye(4)[None])["constant"] == pytest.approx(entropy(0.25))


@given(st.integers(0, 1000))
def test_floors_do_not_depend_on_batches_and_have_an_order(seed: int):
    targets = np.random.default_rng(seed).random((5, 6, 6), np.float32)
    split = Diagnosis("logits")
    for part in (targets[:2], targets[2:]):
        split.update(logit(part), part)
    floors = split.measures().loss_floors
    assert floors == pytest.approx(loss_floors(targets), rel=1e-6)
    assert floors["perfect"] <= floors["picture_mean"] <= floors["constant"] + 1e-9
    assert floors["perfect"] <= floors["mean_map"] <= floors["constant"] + 1e-9
    assert split.measures().loss == pytest.approx(floors["perfect"], rel=1e-4)


def test_the_floors_of_the_squared_error_are_variances():
    targets = np.array([[[0.0, 2.0]], [[2.0, 4.0]]])
    floors = diagnose(targets, targets).measures.loss_floors
    # All: variance of 0 2 2 4 = 2. In a picture: 1. Mean map 1 3: (1 + 1 + 1 + 1) / 4 = 1.
    assert floors == {"perfect": 0, "picture_mean": 1, "mean_map": 1, "constant": 2}


def test_cross_entropy_needs_shares():
    with pytest.raises(CleanplateError, match="0 to 1"):
        loss_floors(np.full((1, 2, 2), 3.0))


def test_unknown_pixels_do_not_count():
    targets = np.array([[[0.2, np.nan], [0.4, np.nan]]], np.float32)
    assert loss_floors(targets)["constant"] == pytest.approx(entropy(0.3), rel=1e-5)
    told = Diagnosis("logits")
    valid = np.isfinite(targets)
    told.update(logit(np.full((1, 2, 2), 0.3)), np.nan_to_num(targets), valid=valid)
    assert told.measures().loss == pytest.approx(entropy(0.3), rel=1e-5)


def test_block_sums_keep_the_total():
    values = np.arange(70, dtype=np.float64).reshape(1, 7, 10)
    assert block_sums(values, (3, 4)).sum() == values.sum()
    assert block_sums(values, (7, 5))[0, 0, 0] == 0 + 1


# Drawing


def test_the_reports_drawing_loses_every_map_above_a_seventh():
    """Logits times std * 255 plus mean * 255: white above -1.79, that is above .143."""
    targets = np.linspace(0.19, 0.51, 100)
    lost = drawn_share(targets, denormalised(255))
    assert (lost.white, lost.black, lost.contrast) == (1, 0, 0)
    assert lost.lost
    assert drawn_share(np.linspace(0.001, 0.09, 9), denormalised(255)).black == 1


def test_a_sigmoid_drawn_as_it_is_keeps_everything():
    targets = np.linspace(0.19, 0.51, 100)
    kept = drawn_share(targets, Drawing(sigmoid=True))
    assert kept.contrast == pytest.approx(kept.wanted, rel=1e-6)
    assert not kept.lost
    own = drawn_share(targets, lambda maps: maps, kind="map")
    assert own.contrast == pytest.approx(own.wanted)


def test_a_function_of_the_callers_own_may_draw():
    targets = np.linspace(0.19, 0.51, 100)
    assert drawn_share(targets, lambda logits: logits).black == pytest.approx(0.97, abs=0.02)


# Learning rate


def test_rate_times_steps_by_hand():
    assert spent_after([1] * 10) == pytest.approx(0.99)
    report = [0.01 ** (epoch // 2) for epoch in range(9)]  # x 0.01 every 2 epochs
    assert spent_after(report) == pytest.approx(2 / 9, abs=1e-3)
    assert spent_after(COSINE) == pytest.approx(0.82, abs=0.01)
    assert spent_after([0, 0]) == 1


class Weights:
    """As little of a torch parameter and optimiser as is looked at."""

    def __init__(self, values, gradient):
        self.values, self.grad = np.asarray(values, float), np.asarray(gradient, float)

    def __array__(self, dtype=None, copy=None):
        return self.values


class Optimiser:
    def __init__(self, parameters, **group):
        self.param_groups = [{"params": parameters, **group}]
        self.state = {}


def test_the_relative_step_of_sgd_by_hand():
    """|w| = 5, |g| = 0.5, rate 0.01: a step of a thousandth."""
    weights = Weights([3, 4], [0.3, 0.4])
    assert relative_updates(Optimiser([weights], lr=0.01)) == pytest.approx([1e-3])
    momentum = Optimiser([weights], lr=0.01)
    momentum.state[weights] = {"momentum_buffer": np.array([3.0, 4.0])}
    assert relative_updates(momentum) == pytest.approx([1e-2])


def test_the_relative_step_of_torchs_own_optimisers():
    torch = pytest.importorskip("torch")
    for make, expected in ((torch.optim.SGD, 1e-3), (torch.optim.Adam, 0.01 * math.sqrt(2) / 5)):
        weights = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        optimiser = make([weights], lr=0.01)
        weights.grad = torch.tensor([0.3, 0.4])
        before = weights.detach().clone()
        optimiser.step()
        moved = float((weights.detach() - before).norm() / before.norm())
        assert moved == pytest.approx(expected, rel=0.01)
        # Adam's first step is corrected for its empty averages: 0.1 g / sqrt(0.001 g^2) = 3.16.
        uncorrected = math.sqrt(0.1**2 / 0.001) if make is torch.optim.Adam else 1
        assert relative_updates(optimiser) == pytest.approx([expected * uncorrected], rel=0.02)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "log.jsonl",
            '{"step": 0, "train/total": 2, "learning-rate": 0.1}\n{"step": 1, "val": 3}\n',
        ),
        ("log.json", '[{"loss": 2, "lr": 0.1}, {"loss": null}]'),
        ("log.csv", "epoch,train_loss,lr-Adam\n0,2,0.1\n1,,\n"),
    ],
)
def test_logs_of_three_kinds_are_read(tmp_path, name: str, text: str):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_training_log(path) == TrainingLog((2.0,), (0.1,))
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(CleanplateError, match="no column"):
        read_training_log(path)


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
