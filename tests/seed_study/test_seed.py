"""The study of the 2020 report: arithmetic against known answers, parts against each other."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("matplotlib")

from cleanplate.diagnosis import cross_entropy
from cleanplate.training.networks import SeedNet
from studies.seed import drawing
from studies.seed.camera import jitter, through
from studies.seed.costs import costs
from studies.seed.floors import floors
from studies.seed.losses import depth_loss, ssim
from studies.seed.measures import NotFiniteError, answers, batch_statistics
from studies.seed.network import build
from studies.seed.sets import Pairs, shrunk, spread
from studies.seed.settings import REPORT, SCALES, Camera, Loss

SMOKE = SCALES["smoke"]


def some_pairs(count: int = 6, side: int = 32) -> Pairs:
    rng = np.random.default_rng(3)
    mask = np.zeros((count, side, side), np.float32)
    mask[:, 8:20, 10:18] = 1
    plate = rng.integers(0, 255, (count, side, side, 3), np.uint8)
    frame = np.where(mask[..., None] > 0, 255 - plate, plate).astype(np.uint8)
    slope = np.linspace(0.1, 1, side, dtype=np.float32)[None, :, None]
    disparity = np.broadcast_to(slope, mask.shape) + mask
    relative = np.stack([spread(one) for one in disparity])
    return Pairs(plate, frame, mask, disparity.astype(np.float32), relative)


# Drawing (SEED.md, section 3)


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(0.144, (1, 1, 1)), (0.19, (1, 1, 1)), (0.51, (1, 1, 1)), (0.106, (0, 0, 0))],
)
def test_the_reports_drawing_is_white_above_a_seventh_and_black_below_a_tenth(probability, shown):
    logits = drawing.logit(np.full((2, 2), probability, np.float32))
    assert drawing.reported(logits).shape == (2, 2, 3)
    np.testing.assert_allclose(drawing.reported(logits)[0, 0], shown, atol=0.3)
    assert drawing.white_share(logits) == float(probability > 0.143)


def test_channels_turn_white_at_the_logits_that_the_notebooks_imply():
    turns = [(1 / 255 - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    for channel, turn in enumerate(turns):
        around = np.array([[turn - 1e-3, turn + 1e-3]], np.float32)
        below, above = drawing.reported(around)[0, :, channel]
        assert below < 1
        assert above == 1
    assert [round(turn, 2) for turn in turns] == [-2.1, -2.02, -1.79]


@given(st.floats(0.19, 0.51))
def test_a_perfect_depth_map_of_the_report_is_all_white(depth: float):
    assert drawing.white_share(drawing.logit(np.full((3, 3), depth, np.float32))) == 1


def test_drawn_rightly_a_map_is_itself():
    depth = np.array([[0.2, 0.5]], np.float32)
    np.testing.assert_array_equal(drawing.right(depth)[..., 1], depth)
    assert drawing.stretched(np.full((4, 4), 0.3, np.float32)).max() == 0


# What cross-entropy can be


def test_cross_entropy_of_known_answers():
    half = np.full((1, 2, 2), 0.5)
    assert cross_entropy(half, half) == pytest.approx(math.log(2))
    sure = np.array([[[1.0, 0.0]]])
    assert cross_entropy(sure, sure) == pytest.approx(0, abs=1e-5)
    assert cross_entropy(np.array([[[0.25]]]), np.array([[[1.0]]])) == pytest.approx(math.log(4))


def test_floors_of_two_pictures_by_hand():
    """One picture is .2 all over, the other .4: their means are perfect, the mean map is not."""
    targets = np.stack([np.full((2, 2), level, np.float32) for level in (0.2, 0.4)])

    def entropy(p: float) -> float:
        return -p * math.log(p) - (1 - p) * math.log(1 - p)

    found = floors(targets)
    perfect = (entropy(0.2) + entropy(0.4)) / 2
    assert found["perfect"] == found["picture_mean"] == pytest.approx(perfect, rel=1e-5)
    assert found["constant"] == found["mean_map"] == pytest.approx(entropy(0.3), rel=1e-5)


@given(st.integers(0, 1000))
def test_nothing_beats_the_entropy_and_a_constant_is_worst(seed: int):
    found = floors(np.random.default_rng(seed).random((3, 4, 4), np.float32))
    assert found["perfect"] <= found["picture_mean"] <= found["constant"] + 1e-9
    assert found["perfect"] <= found["mean_map"] <= found["constant"] + 1e-9


# Networks


def test_with_the_reports_settings_the_network_is_the_reports():
    """Same weights, same answers as SeedNet fed what the notebooks fed; same parameters."""
    torch.manual_seed(0)
    ours = build(REPORT, 0.125).eval()
    reference = SeedNet(width=0.125).eval()
    reference.load_state_dict(ours.state_dict())
    plate, frame = torch.rand(2, 1, 3, 32, 32)
    answer = ours(plate, frame)

    def notebook(picture: torch.Tensor) -> torch.Tensor:
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        # What SeedNet must be given, so that its own scaling ends where the report's did.
        return (picture - 255 * mean) / (255 * std) * std + mean

    expected = reference(notebook(plate), notebook(frame))
    torch.testing.assert_close(answer.alpha_logits, expected.alpha_logits, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(
        answer.disparity_logits, expected.disparity_logits, atol=1e-4, rtol=1e-3
    )
    full = build(REPORT, 1.0)
    assert sum(p.numel() for p in full.parameters()) == 40_862_592


def test_the_reports_scaling_leaves_a_hundredth_of_the_contrast():
    network = build(REPORT, 0.125)
    ends = network._scaled(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
    assert ends[0, 0].item() == pytest.approx(-2.118, abs=1e-3)
    assert ends[1, 0].item() == pytest.approx(-2.101, abs=1e-3)


def test_batch_statistics_are_those_of_training_and_leave_no_trace():
    model = build(REPORT, 0.125)
    plate, frame = torch.rand(2, 4, 3, 32, 32)
    expected = model.train()(plate, frame).disparity_logits.detach()
    state = {name: value.clone() for name, value in model.eval().state_dict().items()}
    own = model(plate, frame).disparity_logits
    with batch_statistics(model):
        found = model(plate, frame).disparity_logits
    torch.testing.assert_close(found, expected)
    assert (own - expected).abs().max() > 1e-3
    torch.testing.assert_close(model(plate, frame).disparity_logits, own)
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    told = answers(REPORT, SMOKE, model, some_pairs(4), chunk=2)
    assert told.logits.shape == (4, 32, 32)


def test_a_network_that_answers_nan_has_no_figures():
    model = build(REPORT, 0.125).eval()
    with torch.no_grad():
        model.head.weight.fill_(float("nan"))
    with pytest.raises(NotFiniteError):
        answers(REPORT, SMOKE, model, some_pairs(2))


# Losses


@pytest.mark.parametrize("loss", get_args(Loss))
def test_losses_are_least_where_the_map_is_right(loss: str):
    target = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    right = target.logit()
    wrong = target.flip(-1).logit()
    assert depth_loss(loss, right, target) < depth_loss(loss, wrong, target)
    if loss not in ("bce", "ssi"):
        assert depth_loss(loss, right, target) == pytest.approx(0, abs=1e-5)


def test_the_invariant_loss_does_not_see_scale_and_shift():
    target = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert depth_loss("ssi", 5 * target - 3, target) == pytest.approx(0, abs=1e-5)


def test_ssim_by_its_definition_in_one_window():
    """An 11 x 11 picture has one window; weights, means and variances by hand."""
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 11, 11))
    weights = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = np.outer(weights, weights) / weights.sum() ** 2
    mean_one, mean_other = (window * one).sum(), (window * other).sum()
    var_one = (window * (one - mean_one) ** 2).sum()
    var_other = (window * (other - mean_other) ** 2).sum()
    both = (window * (one - mean_one) * (other - mean_other)).sum()
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * mean_one * mean_other + c1) * (2 * both + c2)
    expected /= (mean_one**2 + mean_other**2 + c1) * (var_one + var_other + c2)
    found = ssim(*(torch.tensor(p, dtype=torch.float32)[None, None] for p in (one, other)))
    assert found.item() == pytest.approx(expected, rel=1e-4)


# What happens to the pairs


@pytest.mark.parametrize("camera", get_args(Camera))
def test_cameras_change_what_they_say_and_nothing_else(camera: str):
    pairs = some_pairs(3)
    seen = through(pairs, camera, 1)
    assert (seen.plate != pairs.plate).any() == (camera in ("noise", "shift", "all"))
    assert (seen.frame != pairs.frame).any() == (camera in ("exposure", "noise", "jpeg", "all"))
    np.testing.assert_array_equal(seen.mask, pairs.mask)
    again = through(pairs, camera, 1)
    np.testing.assert_array_equal(again.frame, seen.frame)


def test_joint_jitter_is_one_draw_for_both_and_apart_is_two():
    pairs = some_pairs(4)
    plate, frame = jitter(pairs.plate, pairs.plate, np.random.default_rng(0), joint=True)
    np.testing.assert_array_equal(plate, frame)
    plate, frame = jitter(pairs.plate, pairs.plate, np.random.default_rng(0), joint=False)
    assert np.abs(plate - frame).mean() > 0.01
    assert plate.min() >= 0
    assert plate.max() <= 1


def test_shrunk_pairs_have_half_the_side():
    small = shrunk(some_pairs(2))
    assert small.plate.shape == (2, 16, 16, 3)
    assert small.relative.shape == small.mask.shape == (2, 16, 16)
    np.testing.assert_allclose(small.mask.mean(), some_pairs(2).mask.mean(), atol=1e-6)


def test_pairs_are_kept_whole(tmp_path):
    pairs = some_pairs(2)
    pairs.save(tmp_path / "a" / "pairs.npz")
    again = Pairs.load(tmp_path / "a" / "pairs.npz")
    np.testing.assert_array_equal(again.frame, pairs.frame)
    assert len(again[[1]]) == 1


@pytest.mark.slow
def test_costs_are_the_reports_for_its_network():
    found = costs(SMOKE)
    assert found["report"]["by_use"] == 40_866_048
    assert found["report"]["parameters"] == 40_862_592
    assert found["report"]["gflop"] == pytest.approx(43.8, rel=0.01)
    assert all(row["ms"] > 0 for row in found["rows"].values())
