"""The study of the 2020 report: arithmetic against known answers, parts against each other."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("matplotlib")

from cleanplate.diagnosis import cross_entropy
from cleanplate.training.networks import PairNetwork, SeedNet
from studies.seed import drawing, experiments
from studies.seed.camera import jitter, through
from studies.seed.costs import costs
from studies.seed.floors import floors
from studies.seed.losses import depth_loss, ssim
from studies.seed.measures import NotFiniteError, answers, batch_statistics
from studies.seed.network import build
from studies.seed.runs import Run, planned
from studies.seed.sets import Pairs, shrunk, spread
from studies.seed.settings import EXACT, REPORT, SCALES, SOUND, TEACHER, Camera, Loss, Settings
from studies.seed.training import last_step, nearness, rate_factor, steps_of_epoch, targets, train

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


DISTINCT = {Run(row.settings, 0).name: row for row in experiments.rows()}


@pytest.mark.parametrize("name", DISTINCT, ids=lambda n: f"{DISTINCT[n].part}-{DISTINCT[n].name}")
def test_every_training_learns_from_a_batch(name: str):
    """One epoch of one step: losses are finite, and what is trained gets a gradient."""
    settings = DISTINCT[name].settings
    scale = replace(SMOKE, epochs=2 if settings.order == "depth-first" else 1, batch=4, more=1)
    settings = replace(settings, stretch=1.0)
    model, course = train(settings, scale, some_pairs(4), 1)
    shown = course.mask + course.depth
    assert shown
    assert all(math.isfinite(loss) for loss in shown)
    assert bool(course.depth) == (settings.task != "mask")
    assert bool(course.mask) == (settings.task != "depth")
    assert not model.training


def test_depth_first_freezes_what_depth_uses():
    settings = experiments.OTHERS["depth first, then the mask with a frozen encoder"]
    scale = replace(SMOKE, epochs=2, batch=4)
    model, _ = train(settings, scale, some_pairs(4), 1)
    learning = {n.partition(".")[0] for n, p in model.named_parameters() if p.requires_grad}
    assert learning == {"own", "mask", "head"}


# Training


def test_the_reports_schedule_stops_after_two_epochs():
    factors = [rate_factor(REPORT, epoch * 10, 90, 9) for epoch in range(9)]
    assert factors == pytest.approx([1, 1, 1e-2, 1e-2, 1e-4, 1e-4, 1e-6, 1e-6, 1e-8])


def test_the_sound_schedule_warms_up_and_comes_down():
    factors = [rate_factor(SOUND, step, 100, 9) for step in range(100)]
    assert factors[0] < factors[4]
    assert max(factors) == pytest.approx(1, abs=0.02)
    assert factors[-1] < 0.01


def test_targets_of_the_report_are_dark_near_and_of_low_contrast():
    relative = np.array([[[0.0, 1.0]]], np.float32)
    low = targets(REPORT, relative)
    np.testing.assert_allclose(low, [[[0.51, 0.19]]])
    assert nearness(REPORT, low)[0, 0, 1] > nearness(REPORT, low)[0, 0, 0]
    assert targets(SOUND, relative) is relative


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_pairing_at_random_gives_that_share_the_depth_of_another(share: float):
    from studies.seed.training import _paired

    maps = np.arange(20, dtype=np.float32)[:, None, None] * np.ones((20, 2, 2), np.float32)
    mixed = _paired(maps, share, 4)
    assert (mixed != maps).any((1, 2)).sum() == share * 20
    assert sorted(mixed[:, 0, 0]) == sorted(maps[:, 0, 0])


def test_the_same_seed_is_the_same_training():
    pairs, scale = some_pairs(8), replace(SMOKE, batch=4)
    first, again = (train(SOUND, scale, pairs, 5)[1] for _ in range(2))
    assert first == again
    assert train(SOUND, scale, pairs, 6)[1] != first


def test_every_training_is_planned_once_and_first_seeds_come_first():
    plan = planned(SCALES["small"])
    assert len({run.name for run in plan}) == len(plan)
    settings = {row.settings for row in experiments.rows()}
    assert {run.settings for run in plan[: len(settings)]} == settings
    assert all(run.seed == 0 for run in plan[: len(settings)])
    suspect = next(row.settings for row in experiments.rows() if row.part == "suspect-2-wrong")
    trial = next(row.settings for row in experiments.rows() if row.part == "task2")
    counts = [sum(run.settings == one for run in plan) for one in (REPORT, suspect, trial)]
    assert tuple(counts) == SCALES["small"].seeds
    assert sum(run.settings == trial for run in planned(SCALES["small"], 2)) == 2


def test_a_scale_that_has_no_longer_trainings_plans_none():
    assert any(run.settings.more for run in planned(SCALES["small"]))
    assert not any(run.settings.more for run in planned(SCALES["full"]))


def row(part: str, name: str) -> Settings:
    return next(r.settings for r in experiments.rows() if (r.part, r.name) == (part, name))


@pytest.mark.parametrize(
    ("name", "rate", "steps"),
    [("x 15.6", 0.015625, 160), ("x 4", 0.004, 625), ("x 1", 0.001, 2500)],
)
def test_trainings_at_other_rates_keep_the_reports_rate_times_steps(name, rate, steps):
    small, settings = SCALES["small"], row("rates", name)
    of_epoch = steps_of_epoch(settings, small, small.pairs * small.more)
    assert of_epoch == steps
    used = settings.rate * small.sgd * settings.sgd
    assert used == pytest.approx(rate)
    last = last_step(settings, 9, of_epoch)
    spent = sum(used * rate_factor(settings, i, 9 * of_epoch, 9) for i in range(last))
    whole = sum(1e-3 * rate_factor(REPORT, i, 9 * 2500, 9) for i in range(9 * 2500))
    assert spent == pytest.approx(whole, rel=0.01)
    kept = ("more", "stretch", "sgd", "stop")
    assert replace(settings, **{field: getattr(REPORT, field) for field in kept}) == REPORT


def test_longer_trainings_stay_within_twice_the_reports_rate_times_steps():
    small, settings = SCALES["small"], row("longer", "the report's")
    of_epoch = steps_of_epoch(settings, small, small.pairs * small.more)
    assert of_epoch * small.sgd * settings.sgd == pytest.approx(2 * 2500)
    assert row("longer", "sound").rate * of_epoch * 9 <= 2 * 1e-3 * 2500 * 9


def test_sound_training_of_the_reports_architecture_changes_no_weight_of_it():
    ours, theirs = (build(s, 0.125).state_dict() for s in (EXACT, REPORT))
    assert {n: v.shape for n, v in ours.items()} == {n: v.shape for n, v in theirs.items()}
    assert EXACT.mask_weight == REPORT.mask_weight


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


def test_looking_after_each_epoch_changes_nothing():
    pairs, scale = some_pairs(8), replace(SMOKE, batch=4)
    modes = []

    def look(model: PairNetwork) -> dict[str, float]:
        modes.append(model.training)
        with torch.inference_mode():
            model(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32))
        return {"looks": float(len(modes))}

    plain, _ = train(SOUND, scale, pairs, 5)
    looked, course = train(SOUND, scale, pairs, 5, look=look)
    assert course.seen == [{"looks": 1.0}, {"looks": 2.0}]
    assert modes == [False, False]
    for name, value in plain.state_dict().items():
        assert torch.equal(value, looked.state_dict()[name]), name


def test_all_suspects_of_the_table_are_turned_both_ways():
    assert [s.number for s in experiments.SUSPECTS] == list(range(2, 13))  # 1 is the drawing
    for suspect in experiments.SUSPECTS:
        for base, fields in ((REPORT, suspect.right), (SOUND, suspect.wrong)):
            for changed in fields.values():
                assert replace(base, **changed) != base


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


def test_the_teacher_sees_no_plate():
    pairs = some_pairs(4)
    scale = replace(SMOKE, epochs=1, batch=4)
    other = replace(pairs, plate=255 - pairs.plate)
    assert train(TEACHER, scale, pairs, 0)[1] == train(TEACHER, scale, other, 0)[1]
    assert isinstance(TEACHER, Settings)


def test_a_training_that_blows_up_ends_and_says_so():
    wild = replace(REPORT, rate=1e6, schedule="constant", epochs=40)
    model, course = train(wild, replace(SMOKE, epochs=40, batch=4), some_pairs(8), 0)
    assert course.diverged
    assert not model.training
    assert all(math.isfinite(loss) for loss in course.mask + course.depth)
