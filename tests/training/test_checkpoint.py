"""Checkpoints of earlier versions: names of weights, of the recipe's fields and of the log."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("tensorboard")

from cleanplate.training import recipe_json
from cleanplate.training.checkpoint import current_weight_names, read_checkpoint, weights_of
from cleanplate.training.export.trained import read_trained
from cleanplate.training.fit import RunOptions, fit
from cleanplate.training.half_precision_weights import write_weights
from cleanplate.training.json_log import read_log
from cleanplate.training.networks import CompactNet, DualResolutionNet
from tests.training.discs import Discs, tiny_recipe

OPTIONS = RunOptions(workers=0, threads=1, accelerator="cpu", log_every=1, quiet=True)
KEPT = Path(__file__).resolve().parents[2] / "data" / "training" / "dual.safetensors"
OLD_TO_NEW = {
    "pyramid.stages.0.0.weight": "encoder.stages.0.0.weight",
    "plate_depth.known.1.body.0.weight": "plate_depth.known_encoder.1.body.0.weight",
    "plate_depth.coarse.0.0.weight": "plate_depth.coarse.0.0.weight",
    "plate_depth.whole.bias": "plate_depth.global_context.bias",
    "plate_depth.merge16.mix.0.weight": "plate_depth.decode_16.mix.0.weight",
    "plate_depth.head.1.bias": "plate_depth.head.1.bias",
    "fuse.0.0.weight": "fuse.0.0.weight",
    "merge2.filter.body.6.weight": "decode_2.filter.body.6.weight",
    "subject.1.weight": "disparity_head.1.weight",
    "shade.0.0.weight": "shadow_head.0.0.weight",
    "detail.weight": "detail.weight",
    "edge.1.bias": "alpha_head.1.bias",
}
"""Names of weights of CompactNet in version 0.1, one of each renamed module and of some others."""
_TO_OLD = (
    (r"^encoder\.", "pyramid."),
    (r"known_encoder\.", "known."),
    (r"global_context\.", "whole."),
    (r"decode_(\d+)\.", r"merge\1."),
    (r"^disparity_head\.", "subject."),
    (r"^shadow_head\.", "shade."),
    (r"^alpha_head\.", "edge."),
)


def old_name(name):
    prefix, own = re.fullmatch(r"(average\.module\.|network\.|)(.*)", name).groups()
    for pattern, old in _TO_OLD:
        own = re.sub(pattern, old, own)
    return prefix + own


def as_0_1(content):
    """A checkpoint as version 0.1 wrote it."""
    recipe = json.loads(json.dumps(content["recipe"]))
    recipe["loss"]["false_alarm"] = recipe["loss"].pop("empty_pair")
    state = {old_name(name): value for name, value in content["state_dict"].items()}
    return {**content, "recipe": recipe, "state_dict": state}


def train(folder, recipe):
    return fit(recipe, folder, OPTIONS, sources=(Discs(0), None))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of twelve steps."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder, tiny_recipe())
    return folder


@pytest.mark.parametrize("prefix", ["", "network.", "average.module."])
def test_old_names_of_weights_become_the_current_ones(prefix):
    state = {prefix + old: torch.zeros(()) for old in OLD_TO_NEW}
    names = list(current_weight_names(state))
    assert names == [prefix + new for new in OLD_TO_NEW.values()]
    assert list(current_weight_names(dict.fromkeys(names))) == names
    known = CompactNet(width=0.25).state_dict().keys()
    assert {name.removeprefix(prefix) for name in names} <= known


@pytest.mark.skipif(not KEPT.is_file(), reason="the weights are not in this copy")
def test_the_kept_weights_of_the_dual_network_are_read():
    pytest.importorskip("safetensors")
    content = read_checkpoint(KEPT)
    DualResolutionNet().load_state_dict(weights_of(content))
    assert content["recipe"]["loss"]["empty_pair"] == 0.5


def test_a_run_of_version_0_1_is_resumed(tmp_path, whole):
    """Its recipe, checkpoint and log have the old names; the weights come out the same."""

    class Stop(Exception):
        pass

    class Interrupted(Discs):
        def sample(self, index, size):
            if index >= 28:  # of a step after the checkpoint of step 6, loaded one ahead
                raise Stop
            return super().sample(index, size)

    options = RunOptions(
        workers=0, threads=1, accelerator="cpu", log_every=1, checkpoint_steps=6, quiet=True
    )
    with pytest.raises(Stop):
        fit(tiny_recipe(), tmp_path, options, sources=(Interrupted(0), None))
    checkpoint = tmp_path / "last.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    assert content["global_step"] == 6
    old = as_0_1(content)
    assert "network.pyramid.stages.0.0.weight" in old["state_dict"]
    torch.save(old, checkpoint)
    saved = tmp_path / "recipe.json"
    for file in (saved, tmp_path / "log.jsonl"):
        file.write_text(
            file.read_text(encoding="utf-8").replace("empty_pair", "false_alarm"), encoding="utf-8"
        )
    assert train(tmp_path, tiny_recipe()).status == "complete"
    one, other = (read_checkpoint(f / "last.ckpt")["state_dict"] for f in (whole, tmp_path))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert [line["train/empty_pair"] for line in read_log(tmp_path / "log.jsonl")] == [
        line["train/empty_pair"] for line in read_log(whole / "log.jsonl")
    ]


@pytest.mark.parametrize("form", ["ckpt", "safetensors"])
def test_old_weights_start_a_run_and_are_exported(tmp_path, whole, form):
    pytest.importorskip("safetensors")
    content = read_checkpoint(whole / "last.ckpt")
    old = as_0_1(content)
    file = tmp_path / f"old.{form}"
    if form == "ckpt":
        torch.save(old, file)
    else:
        weights = {
            name.removeprefix("average.module."): value
            for name, value in old["state_dict"].items()
            if name.startswith("average.module.")
        }
        assert "edge.1.bias" in weights
        facts = ("recipe", "samples", "global_step", "saved_at")
        write_weights(weights, {key: old[key] for key in facts}, file)
    expected = weights_of(content)
    found = read_trained(file).network.state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-6)
    recipe = tiny_recipe(start=file, steps=1, learning_rate=0.0, weight_decay=0.0)
    train(tmp_path / "run", recipe)
    for name, value in read_trained(tmp_path / "run").network.named_parameters():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-6)


def test_old_fields_of_a_recipe_are_renamed():
    recipe = tiny_recipe()
    saved = recipe_json.to_json(recipe)
    old = json.loads(json.dumps(saved))
    old["loss"]["false_alarm"] = old["loss"].pop("empty_pair")
    before = json.loads(json.dumps(old))
    assert recipe_json.with_current_names(old) == saved
    assert old == before
    assert recipe_json.changes(old, recipe) == []
    old["loss"]["false_alarm"] = 2.0
    assert recipe_json.changes(old, recipe) == ["loss.empty_pair: 2.0 -> 0.5"]
    assert "--loss.empty-pair 2.0" in recipe_json.command_of({**old, "name": "compact"})


def test_another_note_is_no_other_recipe():
    recipe = tiny_recipe()
    saved = {**recipe_json.to_json(recipe), "note": "as it was described before"}
    assert recipe_json.changes(saved, recipe) == []
