"""Runs that are killed or stopped by a signal: what they save, and that they go on."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("tensorboard")

from lightning.pytorch import Callback

from cleanplate.training import fit as fitting
from cleanplate.training.checkpoint import read_checkpoint
from cleanplate.training.json_log import read_log
from tests.training.discs import tiny_recipe
from tests.training.test_fit import OPTIONS, losses, run

ROOT = Path(__file__).resolve().parents[2]


class StopAt(Callback):
    """What Ctrl-C does, at a step of our choice."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


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
