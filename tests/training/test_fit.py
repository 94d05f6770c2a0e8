"""Whole runs: they learn, they survive a kill, they refuse to become another run."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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

ROOT = Path(__file__).resolve().parents[2]
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


class StopAt(Callback):
    """What Ctrl-C does, at a step of our choice."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of twelve steps that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder).status == "complete"
    return folder


CHILD = """
import sys
from pathlib import Path
from tests.training.discs import Discs, tiny_recipe
from cleanplate.training.fit import RunOptions, fit
options = RunOptions(workers=int(sys.argv[2]), threads=1, accelerator="cpu", log_every=1,
                checkpoint_steps=4, quiet=True)
fit(tiny_recipe(), Path(sys.argv[1]), options, sources=(Discs(0, delay=0.05), None))
"""


VALIDATING = """
import sys, time
from pathlib import Path
from tests.training.discs import Discs, tiny_recipe
from cleanplate.training.fit import RunOptions, fit

folder, every = Path(sys.argv[1]), int(sys.argv[2])

class Endless(Discs):
    def sample(self, index, size):
        with (folder / "validated").open("a", encoding="utf-8") as file:
            file.write(f"{index}\\n")
        time.sleep(0.02)
        return super().sample(index, size)

class Stuck(Discs):
    def sample(self, index, size):
        if index >= 8 and not every:
            (folder / "stuck").touch()
            time.sleep(3600)
        time.sleep(0.02)
        return super().sample(index, size)

recipe = tiny_recipe(steps=10**6, validation_every=every or 10**6, validation_samples=10**6)
options = RunOptions(workers=0, threads=1, accelerator="cpu", log_every=1, quiet=True)
outcome = fit(recipe, folder, options, sources=(Stuck(0), Endless(9)))
print(outcome.status, outcome.step)
"""


def start_child(folder, workers, code=CHILD):
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(workers)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for_step(child, folder, step):
    """Until the child has logged `step`."""
    log = folder / fitting.LOG
    limit = time.monotonic() + 300
    while time.monotonic() < limit:
        if log.exists() and any(line["step"] >= step for line in read_log(log)):
            return
        if child.poll() is not None:
            break
        time.sleep(0.01)
    raise AssertionError(f"the child never came to step {step}: {child.stderr.read().decode()}")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_killed_run_goes_on_with_the_losses_of_an_uninterrupted_one(tmp_path, whole, workers):
    child = start_child(tmp_path, workers)
    try:
        wait_for_step(child, tmp_path, 6)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        child.stderr.close()
    assert 4 <= read_checkpoint(tmp_path / "last.ckpt")["global_step"] < 12
    outcome = run(tmp_path)
    assert (outcome.status, outcome.step) == ("complete", 12)
    assert losses(tmp_path) == losses(whole)
    one, other = (read_checkpoint(f / "last.ckpt")["state_dict"] for f in (whole, tmp_path))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_ctrl_c_finishes_the_step_saves_and_the_run_goes_on(tmp_path, whole):
    outcome = run(tmp_path, callbacks=(StopAt(6),))
    assert (outcome.status, outcome.step) == ("interrupted", 7)
    assert read_checkpoint(outcome.checkpoint)["global_step"] == 7
    assert run(tmp_path).status == "complete"
    assert losses(tmp_path) == losses(whole)


def wait_for_file(child, file):
    limit = time.monotonic() + 300
    while time.monotonic() < limit and child.poll() is None:
        if file.exists():
            return
        time.sleep(0.01)
    raise AssertionError(f"{file.name} never came: {child.stderr.read().decode()}")


def ended(child, *signals):
    """What the child says on stdout once it has the signals, and its exit code."""
    try:
        for number in signals:
            child.send_signal(number)
        out, err = child.communicate(timeout=120)
    finally:
        child.kill()
        child.wait()
    return out.decode().split(), child.returncode, err.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_the_step_and_validates_no_more(tmp_path, number):
    child = start_child(tmp_path, 10**6, VALIDATING)
    wait_for_step(child, tmp_path, 3)
    said, code, err = ended(child, number)
    assert (said[0], code) == ("interrupted", 0), err
    assert read_checkpoint(tmp_path / "last.ckpt")["global_step"] == int(said[1]) > 3
    assert not (tmp_path / "validated").exists()


def test_a_signal_leaves_a_validation_whose_step_is_saved(tmp_path):
    child = start_child(tmp_path, 2, VALIDATING)
    wait_for_file(child, tmp_path / "validated")
    said, code, err = ended(child, signal.SIGTERM)
    assert (said, code) == (["interrupted", "2"], 0), err
    assert read_checkpoint(tmp_path / "last.ckpt")["global_step"] == 2
    assert not any(name.startswith("val") for name in known_figures(tmp_path))


def known_figures(folder):
    return {name for line in read_log(folder / fitting.LOG) for name in line}


def test_a_second_signal_stops_at_once(tmp_path):
    child = start_child(tmp_path, 0, VALIDATING)
    wait_for_file(child, tmp_path / "stuck")
    child.send_signal(signal.SIGINT)
    time.sleep(0.5)  # else the two may come as one
    assert child.poll() is None
    said, code, err = ended(child, signal.SIGINT)
    assert (said, code) == ([], -signal.SIGINT), err
    assert "KeyboardInterrupt" in err


def test_signals_are_given_back(tmp_path):
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    run(tmp_path, tiny_recipe(steps=1))
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_run_stopped_in_a_validation_goes_on(tmp_path, whole):
    class StopInValidation(Callback):
        def on_validation_batch_start(self, *_):
            os.kill(os.getpid(), signal.SIGINT)

    recipe = tiny_recipe(validation_every=6, validation_samples=8)
    options = dataclasses.replace(OPTIONS, checkpoint_steps=0)
    outcome = run(tmp_path, recipe, options=options, callbacks=(StopInValidation(),))
    assert (outcome.status, outcome.step) == ("interrupted", 6)
    assert run(tmp_path, recipe, options=options).status == "complete"
    assert losses(tmp_path) == losses(whole)
    (line,) = [line for line in read_log(tmp_path / fitting.LOG) if "val/total" in line]
    assert line["step"] >= 10


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
