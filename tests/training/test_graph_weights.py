"""Weights that training goes on from, restored from a model folder's graphs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("safetensors")

from click.testing import CliRunner

from cleanplate.cli import train_command
from cleanplate.errors import CleanplateError
from cleanplate.models import CARD, GRAPHS, TRAINABLE, available_models, find_model
from cleanplate.training.checkpoint import read_checkpoint, weights_of
from cleanplate.training.export.model_card import Facts
from cleanplate.training.export.model_export import export, export_weights
from cleanplate.training.export.onnx_graphs import largest_difference
from cleanplate.training.graph_weights import pack_trainable, read_trainable
from cleanplate.training.half_precision_weights import write_weights
from cleanplate.training.networks import NetworkRecipe, build_network
from cleanplate.training.recipe_json import to_json
from cleanplate.training.recipes import RECIPES

ROUNDING = 0.01
"""Largest difference of alpha and shadow, on noise, between the graphs and the weights restored:
BatchNorm's statistics are in half precision."""


def network_of(folder_or_name: Path, name: str):
    network = build_network(NetworkRecipe(name=name))
    network.load_state_dict(weights_of(read_checkpoint(folder_or_name)))
    return network.eval()


def serialised(folder: Path) -> list[bytes]:
    return [onnx.load_model(folder / name).SerializeToString() for name in GRAPHS]


@pytest.fixture(scope="module", params=["compact", "dual", "fast"])
def exported(request, tmp_path_factory):
    """A folder, the weights that it was exported from, and the network's name."""
    torch.manual_seed(5)
    network = build_network(NetworkRecipe(name=request.param))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as if trained
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    folder = tmp_path_factory.mktemp(request.param)
    recipe = to_json(RECIPES[request.param])
    facts = {"recipe": recipe, "samples": 7, "global_step": 3}
    weights = folder / "weights.safetensors"
    write_weights(network.state_dict(), facts, weights)
    model = export(weights, folder / "model", facts=Facts("tiny", "Apache-2.0"))
    return model, weights, request.param


def test_the_network_restored_gives_the_answers_of_the_graphs(exported):
    folder, _, name = exported
    restored = network_of(folder, name)
    assert largest_difference(restored, *serialised(folder), frame_only=True) < ROUNDING


def test_every_weight_comes_back(exported):
    folder, weights, _ = exported
    restored, given = (weights_of(read_checkpoint(path)) for path in (folder, weights))
    assert restored.keys() == given.keys()
    for name, weight in given.items():
        difference = float((restored[name].float() - weight.float()).norm())
        # 8 bits: half a step of 1 / 127 of the largest value, uniformly distributed, is 0.0023 of
        # it; the largest of a normal channel is 3 to 4 standard deviations.
        assert difference <= 0.02 * max(float(weight.float().norm()), 1e-6), name


def test_the_file_is_a_small_part_of_the_weights(exported):
    folder, weights, _ = exported
    assert (folder / TRAINABLE).stat().st_size < 0.25 * weights.stat().st_size


def test_the_facts_come_along_without_places(exported, tmp_path):
    folder, _, _ = exported
    content = read_checkpoint(folder)
    assert (content["samples"], content["global_step"]) == (7, 3)
    again = export_weights(folder, tmp_path / "again.safetensors")
    assert read_checkpoint(again)["recipe"] == content["recipe"]


def test_weights_that_the_card_does_not_describe_are_refused(exported):
    folder, _, name = exported
    path = folder / TRAINABLE
    before = path.read_bytes()
    other = build_network(NetworkRecipe(name="fast" if name == "dual" else "dual"))
    graphs = {graph: (folder / graph).read_bytes() for graph in GRAPHS[1:]}
    changed = {
        "SHA-256": pack_trainable(other.state_dict(), {}, graphs),
        "not weights": before[:-100],
    }
    try:
        for message, content in changed.items():
            path.write_bytes(content)
            with pytest.raises(CleanplateError, match=message):
                read_trainable(find_model(folder))
    finally:
        path.write_bytes(before)


def test_a_model_without_them_says_so(exported):
    folder, _, _ = exported
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    without = {**card, "sha256": {name: card["sha256"][name] for name in GRAPHS}}
    (folder / CARD).write_text(json.dumps(without), encoding="utf-8")
    try:
        with pytest.raises(CleanplateError, match="no weights to train on from"):
            read_checkpoint(folder)
    finally:
        (folder / CARD).write_text(json.dumps(card), encoding="utf-8")


@pytest.mark.parametrize("name", available_models())
def test_the_shipped_graphs_and_their_trainable_copy_agree(name):
    folder = find_model(name).folder
    assert (
        largest_difference(network_of(Path(name), name), *serialised(folder), frame_only=True)
        < ROUNDING
    )


def test_default_is_the_default_model():
    named, default = (weights_of(read_checkpoint(Path(name))) for name in ("dual", "default"))
    assert all(torch.equal(named[name], default[name]) for name in named)


def test_training_goes_on_from_the_shipped_weights(tmp_path):
    run = tmp_path / "a run"
    words = "dual --start default --steps 1 --stages 64x64:2:1 --validation-every 0 --workers 0 "
    words += "--threads 1 --quiet --data.kind procedural --data.compositor.procedural-rooms 2 "
    words += "--data.compositor.procedural-cutouts 2 --run"
    result = CliRunner().invoke(train_command.command, [*words.split(), str(run)])
    assert result.exit_code == 0, result.output
    shipped, trained = (
        weights_of(read_checkpoint(p)) for p in (Path("default"), run / "last.ckpt")
    )
    # One warm-up step is small; random weights would be far away.
    for name, weight in shipped.items():
        if weight.ndim > 1:
            assert float((trained[name] - weight).norm()) < 0.05 * float(weight.norm()), name
