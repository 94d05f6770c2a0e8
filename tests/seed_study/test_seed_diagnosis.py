"""The study's own failing runs, tiny: `cleanplate.diagnosis` names each, of a sound run none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("matplotlib")

from cleanplate.diagnosis import DiagnosisReport, Drawing, TrainingLog, diagnose
from cleanplate.diagnosis.drawing import denormalised
from cleanplate.formats.pictures import to_float
from studies.seed.measures import answers
from studies.seed.network import StudyNet
from studies.seed.sets import Pairs, spread
from studies.seed.settings import REPORT, SCALES, SOUND, Settings
from studies.seed.training import rate_factor, targets, train

TINY = replace(SCALES["smoke"], batch=4, epochs=6)
PLAIN = replace(SOUND, jitter="none", loss="bce")


def scenes(count: int, seed: int, side: int = 32) -> Pairs:
    """A striped plate on a slope, and a box of any colour before it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    kept: list[list[np.ndarray]] = [[], [], [], []]
    for _ in range(count):
        waves = np.sin(x * rng.uniform(3, 12) + y * rng.uniform(-9, 9) + rng.uniform(0, 6))
        plate = rng.uniform(60, 190, 3) + 40 * waves[..., None] * rng.uniform(0.3, 1, 3)
        plate += rng.normal(0, 6, plate.shape)
        height, width = rng.integers(10, 18, 2)
        top, left = rng.integers(1, side - height), rng.integers(1, side - width)
        mask = np.zeros((side, side), np.float32)
        mask[top : top + height, left : left + width] = 1
        subject = rng.uniform(0, 255, 3) + rng.normal(0, 6, plate.shape)
        frame = np.where(mask[..., None] > 0, subject, plate)
        disparity = np.where(mask > 0, rng.uniform(0.8, 1.2), 0.1 + 0.5 * y).astype(np.float32)
        for column, value in zip(kept, (plate, frame, mask, disparity), strict=True):
            column.append(value)
    plates, frames = (np.stack(kept[i]).clip(0, 255).astype(np.uint8) for i in (0, 1))
    masks, disparities = np.stack(kept[2]), np.stack(kept[3])
    return Pairs(plates, frames, masks, disparities, np.stack([spread(d) for d in disparities]))


TRAINING, HELD_OUT = scenes(64, 0), scenes(32, 1)


def fed(model: torch.nn.Module, pairs: Pairs) -> torch.Tensor:
    """What the network's first convolution is given of the frames."""
    assert isinstance(model, StudyNet)
    return model._scaled(torch.from_numpy(to_float(pairs.frame)).permute(0, 3, 1, 2))


def looked_at(
    settings: Settings,
    pairs: Pairs = TRAINING,
    drawing: Drawing | None = None,
    epochs: int = TINY.epochs,
) -> DiagnosisReport:
    """Train, and diagnose the answers to held-out pairs, with the rates that were used."""
    scale = replace(TINY, epochs=epochs)
    model, course = train(settings, scale, pairs, 0)
    assert not course.diverged
    answer = answers(settings, scale, model, HELD_OUT)
    truth = targets(settings, HELD_OUT.relative)
    steps = epochs * (len(pairs) // TINY.batch)
    rates = [settings.rate * rate_factor(settings, i, steps, 9) for i in range(steps)]
    return diagnose(
        answer.logits,
        truth,
        fed(model, HELD_OUT),
        kind="logits",
        drawing=drawing,
        log=TrainingLog((), tuple(rates)),
    )


def codes(report: DiagnosisReport) -> set[str]:
    return {finding.code for finding in report.findings}


@pytest.fixture(scope="module")
def sound() -> DiagnosisReport:
    # Long enough to be well below the loss of the mean map, on any processor.
    return looked_at(replace(PLAIN, target="report"), drawing=denormalised(255), epochs=16)


def test_a_sound_run_raises_nothing_but_the_drawing_that_it_is_given(sound: DiagnosisReport):
    """Its depth is there (it beats the mean map), and drawn as the report drew it, it is white."""
    assert codes(sound) == {"drawing"}
    assert sound.measures.drawn.white == 1
    assert sound.measures.loss < sound.measures.loss_floors["mean_map"]
    assert sound.measures.correlation > sound.measures.mean_map_correlation


def test_the_reports_settings_are_named_with_each_of_their_faults():
    """Inputs at 1/58 of their contrast, a schedule of two epochs, an answer that has collapsed."""
    report = looked_at(replace(REPORT, jitter="none"), drawing=denormalised(255))
    assert codes(report) == {"drawing", "input-scaling", "schedule", "mean-map"}
    assert report.measures.input_range == pytest.approx((-2.118, -1.79), abs=0.02)


def test_depth_of_other_pairs_is_named_in_the_data_and_in_what_is_learned_from_them():
    """Mispaired training targets: the pairs themselves are named; the network has the mean map."""
    order = np.random.default_rng(2).permutation(len(TRAINING))
    wrong = replace(TRAINING, relative=TRAINING.relative[order])
    pictures = to_float(wrong.frame)
    found = diagnose(wrong.relative, wrong.relative, pictures)
    assert codes(found) == {"pairing"}
    assert codes(diagnose(TRAINING.relative, TRAINING.relative, to_float(TRAINING.frame))) == set()
    assert codes(looked_at(replace(PLAIN, mispaired=1.0))) == {"mean-map"}


def test_a_network_that_learned_brightness_is_named():
    """As when a folder of grey frames is taken for depth: a copy of the input is learned."""
    grey = np.stack([spread(one) for one in TRAINING.frame.mean(-1)])
    settings = replace(PLAIN, task="depth", rate=3e-3)
    found = looked_at(settings, replace(TRAINING, relative=grey))
    assert codes(found) == {"brightness-copy"}
