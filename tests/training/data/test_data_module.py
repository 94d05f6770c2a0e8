"""The order of samples: the same for any workers, cut cleanly by ranks and by restarts."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from cleanplate.training.data.data_module import PairData, StepSampler
from cleanplate.training.recipes import Stage
from tests.training.discs import Discs, tiny_recipe


def loaded(recipe, *, workers=0, step=0, rank=0, ranks=1):
    data = PairData(recipe, Discs(0), Discs(9), workers=workers)
    data.trainer = SimpleNamespace(global_step=step, global_rank=rank, world_size=ranks)
    return data


def test_sizes_follow_the_stages():
    batches = list(loaded(tiny_recipe()).train_dataloader())
    assert [tuple(batch.plate.shape) for batch in batches] == (
        [(4, 3, 32, 32)] * 6 + [(2, 3, 36, 48)] * 6
    )


def test_workers_change_nothing():
    alone = list(loaded(tiny_recipe()).train_dataloader())
    helped = list(loaded(tiny_recipe(), workers=2).train_dataloader())
    assert len(alone) == len(helped) == 12
    for one, other in zip(alone, helped, strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("step", [1, 5, 6, 11])
def test_a_resumed_run_sees_the_samples_that_are_left(step):
    whole = list(StepSampler(tiny_recipe()))
    assert list(StepSampler(tiny_recipe(), start=step)) == whole[step:]


def test_ranks_share_each_step_without_overlap():
    recipe = tiny_recipe(stages=(Stage(32, 32, 6, 1.0),))
    whole = list(StepSampler(recipe))
    parts = [list(StepSampler(recipe, 0, rank, 3)) for rank in range(3)]
    for step, keys in enumerate(whole):
        shares = [part[step] for part in parts]
        assert [len(share) for share in shares] == [2, 2, 2]
        assert sorted(key for share in shares for key in share) == sorted(keys)


def test_the_plate_depth_is_hidden_from_the_asked_share_of_samples():
    recipe = tiny_recipe(stages=(Stage(32, 32, 20, 1.0),), steps=20)
    given = torch.cat([batch.depth_given for batch in loaded(recipe).train_dataloader()])
    assert 0.4 < float(given.mean()) < 0.6
    again = torch.cat([batch.depth_given for batch in loaded(recipe).train_dataloader()])
    assert torch.equal(given, again)


def test_overfitting_repeats_one_batch():
    batches = list(loaded(tiny_recipe(overfit_one_batch=True)).train_dataloader())
    assert len(batches) == 12
    assert all(torch.equal(batch.frame, batches[0].frame) for batch in batches)


def test_validation_is_the_same_every_time_and_shared_by_ranks():
    recipe = tiny_recipe(validation_every=5, validation_samples=7)
    numbers = []
    for rank in range(2):
        (loader,) = loaded(recipe, rank=rank, ranks=2).val_dataloader()
        numbers += [int(n) for batch in loader for n in batch.index]
    assert sorted(numbers) == list(range(7))


def test_workers_are_forked_only_after_opencv_has_let_its_threads_go():
    """Else a worker may wait for threads that only the training process ever had."""
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(4)
        big = np.zeros((1000, 1000, 3), np.float32)
        cv2.warpAffine(big, np.eye(2, 3), (1000, 1000))
        loader = loaded(tiny_recipe(), workers=1).train_dataloader()
        assert cv2.getNumThreads() == 1
        assert len(list(loader)) == 12
    finally:
        cv2.setNumThreads(threads)
