"""Batches: layout, masks for unknown depth, and relative disparity."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.depth import Normalisation
from cleanplate.training.data.batch import RELATIVE_LIMIT, collate, relative
from cleanplate.training.disparity_normalisation import normalisation
from tests.training.discs import Discs


def test_pictures_become_channels_first_in_zero_to_one():
    sample = Discs().sample(3, (20, 30))
    batch = collate([sample, Discs().sample(4, (20, 30))])
    assert batch.plate.shape == (2, 3, 20, 30)
    assert batch.plate.dtype == torch.float32
    expected = sample["frame"][7, 11] / np.float32(255)
    np.testing.assert_allclose(batch.frame[0, :, 7, 11].numpy(), expected, rtol=1e-6)
    assert batch.index.tolist() == [3, 4]


def test_unknown_disparity_becomes_zero_with_a_mask():
    sample = Discs().sample(0, (16, 24))
    batch = collate([sample])
    unknown = np.isnan(sample["subject_disparity"])
    assert unknown.any()
    assert not unknown.all()
    assert torch.equal(batch.subject_valid[0, 0] > 0, torch.from_numpy(~unknown))
    assert (batch.subject_disparity[0, 0].numpy()[unknown] == 0).all()
    assert (batch.valid == 1).all()


def test_plate_depth_is_given_unless_the_sample_says_no():
    samples = [Discs().sample(i, (16, 16)) for i in range(2)]
    assert collate(samples).depth_given.tolist() == [1, 1]
    samples[1]["depth_given"] = False
    assert collate(samples).depth_given.tolist() == [1, 0]


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), flat=st.booleans())
def test_normalisation_is_the_one_of_prediction(seed, flat):
    draw = np.random.default_rng(seed)
    disparity = draw.uniform(0.0, 2.0, (9, 7)).astype(np.float32)
    if flat:
        disparity[:] = disparity[0, 0]
    valid = draw.random((9, 7)) < 0.6
    valid[0, 0] = True
    reference = Normalisation.of(disparity, valid)
    median, spread = normalisation(
        torch.from_numpy(disparity)[None, None], torch.from_numpy(valid)[None, None].float()
    )
    assert float(median) == pytest.approx(reference.median, rel=1e-5, abs=1e-6)
    assert float(spread) == pytest.approx(reference.spread, rel=1e-4, abs=1e-6)


def test_relative_disparity_has_median_zero_and_spread_one():
    batch = relative(collate([Discs().sample(i, (32, 40)) for i in range(3)]))
    for plate in batch.plate_disparity:
        assert float(plate.median()) == pytest.approx(0, abs=0.1)
        assert float(plate.abs().mean()) == pytest.approx(1, abs=0.02)


def test_scale_and_shift_of_the_world_do_not_change_relative_disparity():
    samples = [Discs().sample(i, (16, 20)) for i in range(2)]
    scaled = [
        {key: value * 3 + 0.7 if "disparity" in key else value for key, value in sample.items()}
        for sample in samples
    ]
    one, other = relative(collate(samples)), relative(collate(scaled))
    torch.testing.assert_close(one.disparity, other.disparity, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(one.subject_disparity, other.subject_disparity, rtol=1e-4, atol=1e-4)


def test_a_plate_without_depth_teaches_only_alpha_and_shadow():
    samples = [Discs().sample(i, (16, 20)) for i in range(2)]
    samples[0]["plate_disparity"] = np.full((16, 20), np.nan, np.float32)
    batch = relative(collate(samples))
    assert batch.depth_given.tolist() == [0, 1]
    for mask in (batch.plate_valid, batch.valid, batch.subject_valid):
        assert float(mask[0].sum()) == 0
        assert float(mask[1].sum()) > 0
    assert torch.isfinite(batch.disparity).all()


def test_a_subject_right_before_a_flat_wall_teaches_no_depth():
    sample = Discs().sample(0, (16, 20))
    sample["plate_disparity"] = np.full((16, 20), 0.05, np.float32)
    batch = relative(collate([sample]))
    assert float(batch.subject_valid.sum()) == 0
    assert float(batch.subject_disparity.abs().max()) <= RELATIVE_LIMIT
