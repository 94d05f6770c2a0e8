"""The shipped models: the very graphs, and what they are worth on the example."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.evaluation import evaluate, find_pairs
from cleanplate.models import available_models, find_model
from cleanplate.predict.predictor import Predictor
from tests.predict.golden_outputs import GOLDEN, PAIR, outputs

# MAD x 1000 and IoU on the example pair, with a tenth of room.
HELD = {"dual": (4.5, 0.95), "fast": (6.5, 0.93)}


def test_the_default_and_one_for_live_pictures_ship():
    assert available_models() == ["dual", "fast"]
    assert find_model().name == "dual"


@pytest.mark.parametrize("name", available_models())
def test_graphs_give_what_they_gave(name):
    with np.load(GOLDEN / f"{name}.npz") as stored:
        inputs = {part: stored[part] for part in ("plate", "frame")}
        found = outputs(name, inputs)
        assert set(found) == set(stored.files) - set(inputs)
        for key, value in found.items():
            assert np.abs(value - stored[key]).max() < 0.01, key
        assert 0.02 < found["alpha"].mean() < 0.9, "there is something to find"


@pytest.mark.parametrize("name", available_models())
def test_a_matte_is_as_good_as_it_was(name):
    scores = evaluate(Predictor(name, threads=1), find_pairs(PAIR.parent))
    mad, iou = HELD[name]
    assert 1000 * scores.means["mad"] < mad
    assert scores.means["iou"] > iou
    assert scores.means["identical_alpha"] < 2e-4
