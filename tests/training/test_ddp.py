"""Two processes: one set of weights, two sets of samples, from a single shard."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from tests.training.discs import Discs, tiny_recipe

ROOT = Path(__file__).resolve().parents[2]

CHILD = """
import hashlib, json, sys
from pathlib import Path
import torch
from lightning.pytorch import Callback
from tests.training.discs import tiny_recipe
from cleanplate.training.fit import RunOptions, fit
from cleanplate.training.data.shard_reader import Shards
from cleanplate.training.data.stored_samples import StoredSource

def digest(network):
    # Weights only: each rank has its own running statistics, those of rank 0 are saved.
    weights = b"".join(p.detach().numpy().tobytes() for p in network.parameters())
    return hashlib.sha256(weights).hexdigest()

class Witness(Callback):
    def __init__(self):
        self.numbers = []
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        # The shard's samples have plates of one grey each, which is their number.
        self.numbers.append((batch.plate[:, 0, 0, 0] * 255).round().int().tolist())
    def on_train_end(self, trainer, pl_module):
        told = {
            "backend": torch.distributed.get_backend(),
            "network": digest(pl_module.network),
            "average": digest(pl_module.average.module),
            "numbers": self.numbers,
        }
        file = Path(sys.argv[1], f"rank{trainer.global_rank}.json")
        file.write_text(json.dumps(told), encoding="utf-8")

options = RunOptions(
    workers=2, threads=1, devices=2, accelerator="cpu", quiet=True, checkpoint_steps=4
)
outcome = fit(tiny_recipe(), Path(sys.argv[1]), options,
              sources=(StoredSource(Shards(Path(sys.argv[1])), 0), None), callbacks=(Witness(),))
assert outcome.status == "complete", outcome
"""


def write_one_shard(file, count):
    with tarfile.open(file, "w") as tar:
        for number in range(count):
            made = Discs().sample(number, (36, 48))
            pictures = {
                "plate": np.full((36, 48, 3), number, np.uint8),
                "frame": made["frame"],
                "alpha": np.rint(made["alpha"] * 255).astype(np.uint8),
            }
            for part, array in pictures.items():
                data = bytes(cv2.imencode(".png", array)[1])
                member = tarfile.TarInfo(f"{number:03}.{part}.png")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


@pytest.mark.slow
def test_two_processes_hold_the_same_weights_and_see_different_samples(tmp_path):
    write_one_shard(tmp_path / "0.tar", 36)
    script = tmp_path / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ranks = [json.loads((tmp_path / f"rank{n}.json").read_text(encoding="utf-8")) for n in range(2)]
    assert [rank["backend"] for rank in ranks] == ["gloo", "gloo"]
    numbers = [[n for step in rank["numbers"] for n in step] for rank in ranks]
    assert not set(numbers[0]) & set(numbers[1])
    assert sorted(numbers[0] + numbers[1]) == list(range(36)), "every sample, once"
    assert len(numbers[0]) == len(numbers[1]) == tiny_recipe().steps * 3 // 2
    assert ranks[0]["network"] == ranks[1]["network"]
    assert ranks[0]["average"] == ranks[1]["average"] != ranks[0]["network"]
    assert (tmp_path / "last.ckpt").is_file()
