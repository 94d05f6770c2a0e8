"""Measures of a diagnosis, each against a figure that is derived by hand."""

from __future__ import annotations

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
