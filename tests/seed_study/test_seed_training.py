"""Trainings of the study: what is planned, their schedules, and that each setting learns."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("matplotlib")

from cleanplate.training.networks import PairNetwork
from studies.seed import experiments
from studies.seed.network import build
from studies.seed.runs import Run, planned
from studies.seed.settings import EXACT, REPORT, SCALES, SOUND, TEACHER, Settings
from studies.seed.training import last_step, nearness, rate_factor, steps_of_epoch, targets, train
from tests.seed_study.test_seed import SMOKE, some_pairs

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
