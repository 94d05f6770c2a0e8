"""Whole runs: they learn, and they refuse to become another run."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("tensorboard")

from lightning.pytorch import Callback

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.procedural.procedural_files import write_plates
from cleanplate.training import fit as fitting
from cleanplate.training.checkpoint import read_checkpoint
from cleanplate.training.export.trained import read_trained, weights_hash
from cleanplate.training.fit import RunOptions, fit
from cleanplate.training.json_log import read_log
from cleanplate.training.lightning_module import PairModule, learning_rate_factor
from cleanplate.training.losses import LossWeights
from cleanplate.training.networks import NetworkRecipe
from cleanplate.training.recipes import DataRecipe
from tests.training.discs import Discs, tiny_recipe

OPTIONS = RunOptions(
    workers=0, threads=1, accelerator="cpu", log_every=1, checkpoint_steps=4, quiet=True
)


def run(folder, recipe=None, *, options=OPTIONS, callbacks=()):
    return fit(
        recipe or tiny_recipe(),
        folder,
        options,
        sources=(Discs(0), Discs(9)),
        callbacks=callbacks,
    )


def losses(folder, name="train/total"):
    return {line["step"]: line[name] for line in read_log(folder / fitting.LOG) if name in line}


def test_a_run_that_would_meet_a_damaged_asset_is_refused_before_it_begins(tmp_path):
    write_plates(tmp_path / "plates", 3, seed=1)
    cutouts = tmp_path / "cutouts"
    cutouts.mkdir()
    rgba = np.full((60, 60, 4), 255, np.uint8)
    rgba[:10, :, 3] = 0
    for name in ("a", "b"):
        Image.fromarray(rgba).save(cutouts / f"{name}.png")
    (tmp_path / "plates" / "000001.jpg").write_bytes(b"no picture")
    (cutouts / "b.json").write_text("{", encoding="utf-8")
    data = DataRecipe(plates=(tmp_path / "plates",), cutouts=(cutouts,))
    with pytest.raises(CleanplateError, match="2 of 5 plates, cutouts and pairs") as caught:
        fit(tiny_recipe(data=data), tmp_path / "run", OPTIONS)
    assert "000001.jpg: is not a picture" in str(caught.value)
    assert "b.json: cannot be read as JSON" in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sample_that_cannot_be_read_is_named_without_a_traceback(tmp_path, workers):
    class Damaged(Discs):
        def sample(self, index, size):
            if index == 9:
                raise CleanplateError("is damaged", file="set/000009.tar", cure="Copy it again.")
            return super().sample(index, size)

    options = dataclasses.replace(OPTIONS, workers=workers)
    with pytest.raises(CleanplateError) as caught:
        fit(tiny_recipe(), tmp_path, options, sources=(Damaged(), None))
    assert str(caught.value) == "set/000009.tar: is damaged\nCopy it again."


def test_a_complete_run_is_left_alone(whole):
    before = (whole / "last.ckpt").read_bytes()
    assert run(whole).status == "already complete"
    assert (whole / "last.ckpt").read_bytes() == before


def test_another_recipe_is_refused_and_named(whole):
    other = dataclasses.replace(tiny_recipe(), learning_rate=0.5)
    with pytest.raises(CleanplateError, match=r"learning_rate: 0\.0015 -> 0\.5"):
        run(whole, other)


def test_the_folder_holds_recipe_checkpoint_and_logs(whole):
    assert json.loads((whole / "recipe.json").read_text(encoding="utf-8"))["name"] == "tiny"
    assert list((whole / "tensorboard").glob("events.*"))
    assert sorted(losses(whole)) == list(range(12))
    assert set(losses(whole, "samples/s")) == set(range(1, 12))
    assert all(0 <= share <= 1 for share in losses(whole, "loader").values())
    content = read_checkpoint(whole / "last.ckpt")
    assert content["samples"] == 6 * 4 + 6 * 2
    assert content["recipe"]["network"]["width"] == 0.25
    assert content["saved_at"].endswith("+00:00")


def test_a_broken_checkpoint_is_named(tmp_path, whole):
    (tmp_path / "last.ckpt").write_bytes((whole / "last.ckpt").read_bytes()[:2000])
    with pytest.raises(CleanplateError, match=r"last\.ckpt: not a checkpoint"):
        run(tmp_path)


def test_one_batch_can_be_learnt_by_heart(tmp_path):
    recipe = tiny_recipe(steps=70, warm_up=5, learning_rate=1e-2, overfit_one_batch=True)
    run(
        tmp_path,
        recipe,
        options=dataclasses.replace(OPTIONS, checkpoint_steps=0),
    )
    alpha = losses(tmp_path, "train/alpha")
    assert alpha[69] < 0.4 * alpha[0]


def test_validation_compares_averaged_and_raw_weights(tmp_path):
    run(tmp_path, tiny_recipe(validation_every=6, steps=6))
    (line,) = [line for line in read_log(tmp_path / "log.jsonl") if "val/total" in line]
    assert line["val/alpha-mad"] != line["val-raw/alpha-mad"]
    assert 0 <= line["val/alpha-iou"] <= 1


def test_the_average_follows_the_weights_and_is_what_export_takes(tmp_path):
    seen = []

    class Keep(Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            seen.append(pl_module.network.head.weight.detach().clone())

    from cleanplate.training.networks import NetworkRecipe

    recipe = tiny_recipe(
        network=NetworkRecipe(name="seed", width=0.125), objective="cross-entropy", steps=5
    )
    run(tmp_path, recipe, callbacks=(Keep(),))
    expected = seen[0]
    for count, weight in enumerate(seen[1:], start=1):
        keep = min(0.9, (1 + count) / (10 + count))
        expected = keep * expected + (1 - keep) * weight
    trained = read_trained(tmp_path)
    torch.testing.assert_close(trained.network.head.weight.detach(), expected)
    assert not torch.allclose(trained.network.head.weight, seen[-1])


def test_a_run_can_begin_with_anothers_weights(tmp_path, whole):
    recipe = tiny_recipe(start=whole / "last.ckpt", steps=1, learning_rate=0.0, weight_decay=0.0)
    run(tmp_path, recipe)
    began, before = (read_trained(f) for f in (tmp_path, whole))
    for (name, one), other in zip(
        began.network.named_parameters(), before.network.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, msg=name)
    assert weights_hash(before.network) == weights_hash(read_trained(whole).network)
    assert began.samples == 36 + 2


def test_a_narrow_network_learns_from_a_trained_one(tmp_path, monkeypatch):
    """It starts with the encoder, which both have, and its answers go to the teacher's."""
    torch.manual_seed(1)
    wide, narrow = tmp_path / "wide", tmp_path / "narrow"
    run(wide, tiny_recipe(network=NetworkRecipe("dual"), steps=2))
    teacher = read_trained(wide).network
    recipe = tiny_recipe(
        network=NetworkRecipe("fast"), teacher=wide / "last.ckpt", steps=1, learning_rate=0.0,
        weight_decay=0.0,
    )  # fmt: skip
    run(narrow, recipe)
    learner = read_trained(narrow).network
    torch.testing.assert_close(learner.encoder.stem[0].weight, teacher.encoder.stem[0].weight)
    kept = read_checkpoint(narrow / "last.ckpt")["state_dict"]
    assert not any("teacher" in name for name in kept)

    only = LossWeights(alpha=0, laplacian=0, empty_pair=0, shadow=0, teacher=1)
    longer = dataclasses.replace(recipe, steps=24, learning_rate=3e-3, loss=only)
    run(tmp_path / "learned", longer)
    told = [*losses(tmp_path / "learned", "train/teacher").values()]
    assert np.mean(told[-4:]) < 0.7 * told[0]


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    with pytest.raises(CleanplateError, match="the loss became"):
        run(tmp_path, tiny_recipe(learning_rate=1e30, clip=0.0, warm_up=1))


def test_a_batch_that_ranks_cannot_share_is_refused(tmp_path):
    with pytest.raises(CleanplateError, match="a batch of 4 cannot be shared by 3"):
        run(tmp_path, options=dataclasses.replace(OPTIONS, devices=3))


def test_bf16_trains(tmp_path):
    assert run(tmp_path, tiny_recipe(precision="bf16-mixed", steps=2)).status == "complete"


def test_the_rate_warms_up_then_falls_as_a_cosine():
    recipe = tiny_recipe(steps=103, warm_up=3, final_rate=0.1)
    factors = [learning_rate_factor(recipe, step) for step in range(104)]
    assert factors[:4] == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert factors[53] == pytest.approx(0.55)
    assert factors[103] == pytest.approx(0.1)
    assert sorted(factors[3:], reverse=True) == factors[3:]


def test_biases_and_norms_are_not_decayed():
    module = PairModule(tiny_recipe())
    decayed, free = module.configure_optimizers()["optimizer"].param_groups
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim <= 1 for p in free["params"])
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.01, 0.0)
    count = sum(p.numel() for group in (decayed, free) for p in group["params"])
    assert count == sum(p.numel() for p in module.network.parameters())
