"""The graph that estimates a plate's depth: as good as that of the model it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from cleanplate.cli import main
from cleanplate.errors import CleanplateError
from cleanplate.models import find_model
from cleanplate.predict.session import PairSession
from cleanplate.training.export.model_card import Facts
from cleanplate.training.export.model_export import export
from cleanplate.training.export.plate_depth_graph import read_plate_depth
from cleanplate.training.export.trained import read_trained_plate_depth, weights_hash
from cleanplate.training.fit import RunOptions, fit
from cleanplate.training.networks import NetworkRecipe
from tests.predict.tiny_model import write_model
from tests.training.discs import Discs, tiny_recipe

FACTS = Facts("tiny", "Apache-2.0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two networks: one that estimates plates, one that gives no depth at all."""
    folder = tmp_path_factory.mktemp("runs")
    options = RunOptions(workers=0, threads=1, accelerator="cpu", quiet=True)
    for name in ("compact", "fast"):
        recipe = tiny_recipe(steps=1, network=NetworkRecipe(name, width=0.5))
        fit(recipe, folder / name, options, sources=(Discs(), None))
    export(folder / "compact", folder / "model-compact", facts=FACTS)
    return folder


def test_the_graph_answers_as_the_model_it_was_taken_from(folder: Path) -> None:
    words = ["--plate-depth", str(folder / "model-compact"), "--license", "MIT"]
    words += ["--working-size", "384"]
    assert main(["export", str(folder / "fast"), "-o", str(folder / "both"), *words]) == 0
    model = find_model(folder / "both")
    assert model.working_size == 384
    plate = np.random.default_rng(0).random((67, 90, 3), np.float32)
    earlier = PairSession(find_model(folder / "model-compact")).plate_disparity(plate)
    np.testing.assert_allclose(PairSession(model).plate_disparity(plate), earlier, atol=1e-5)
    card = json.loads((folder / "both" / "card.json").read_text(encoding="utf-8"))
    assert card["plate_depth"]["model"] == find_model(folder / "model-compact").name
    text = (folder / "both" / "card.md").read_text(encoding="utf-8")
    assert "## Depth of the plate" in text
    assert "| 384 px, long side |" in text


def test_it_is_handed_on_as_it_is(folder: Path) -> None:
    first = export(
        folder / "fast", folder / "first", facts=FACTS, plate_depth=folder / "model-compact"
    )
    second = export(folder / "fast", folder / "second", facts=FACTS, plate_depth=first)
    graphs = [find_model(one).plate_depth_graph for one in (first, second)]
    assert graphs[0] is not None
    assert graphs[1] is not None
    assert graphs[0].read_bytes() == graphs[1].read_bytes()
    assert read_plate_depth(first)[1] == read_plate_depth(second)[1]


def test_a_model_without_an_estimate_is_refused(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", depth=False)
    with pytest.raises(CleanplateError, match="does not estimate the plate's depth"):
        read_plate_depth(model)


def test_files_that_a_neighbour_has_are_taken_from_there(folder: Path) -> None:
    first = export(
        folder / "fast", folder / "one", facts=FACTS, plate_depth=folder / "model-compact"
    )
    export(folder / "fast", folder / "two", facts=FACTS, plate_depth=first)
    assert (folder / "two" / "plate_depth.onnx").exists()
    words = ["--plate-depth", str(first), "--share-with", str(first), "--license", "MIT"]
    assert main(["export", str(folder / "fast"), "-o", str(folder / "two"), *words]) == 0
    assert not (folder / "two" / "plate_depth.onnx").exists()
    shared, own = find_model(folder / "two"), find_model(first)
    assert shared.card["sha256"]["plate_depth.onnx"] == own.card["sha256"]["plate_depth.onnx"]
    assert shared.plate_depth_graph is not None
    assert shared.plate_depth_graph.samefile(own.plate_depth_graph)
    plate = np.random.default_rng(0).random((67, 90, 3), np.float32)
    np.testing.assert_array_equal(
        PairSession(shared).plate_disparity(plate), PairSession(own).plate_disparity(plate)
    )


def test_a_changed_neighbour_is_noticed(folder: Path) -> None:
    first = export(
        folder / "fast", folder / "changed", facts=FACTS, plate_depth=folder / "model-compact"
    )
    second = export(
        folder / "fast", folder / "taker", facts=FACTS, plate_depth=first, share_with=first
    )
    (first / "plate_depth.onnx").write_bytes(b"another graph")
    with pytest.raises(CleanplateError, match="SHA-256 differs"):
        find_model(second)


def test_only_a_neighbour_can_share(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CleanplateError, match="does not lie beside"):
        export(folder / "fast", tmp_path / "far", facts=FACTS, share_with=folder / "model-compact")
    assert not (tmp_path / "far").exists()
    taker = export(
        folder / "fast", folder / "escaping", facts=FACTS, plate_depth=folder / "model-compact"
    )
    card = json.loads((taker / "card.json").read_text(encoding="utf-8"))
    card["taken_from"] = {"plate_depth.onnx": "../elsewhere"}
    (taker / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(CleanplateError, match="no folder beside it"):
        find_model(taker)


@pytest.fixture(scope="module")
def estimator(folder: Path) -> Path:
    """A run of a network for the plate's depth alone."""
    options = RunOptions(workers=0, threads=1, accelerator="cpu", quiet=True)
    network = NetworkRecipe("plate-depth")
    recipe = tiny_recipe(steps=1, network=network, objective="plate-depth")
    fit(recipe, folder / "estimator", options, sources=(Discs(), None))
    return folder / "estimator"


def test_the_graph_of_a_run_answers_as_its_network(folder: Path, estimator: Path) -> None:
    words = ["--plate-depth", str(estimator), "--license", "MIT"]
    assert main(["export", str(folder / "fast"), "-o", str(folder / "trained"), *words]) == 0
    model = find_model(folder / "trained")
    plate = np.random.default_rng(1).random((96, 128, 3), np.float32)
    found = PairSession(model).plate_disparity(plate)
    network = read_trained_plate_depth(estimator).network
    with torch.no_grad():
        expected = network.estimate(torch.from_numpy(plate.transpose(2, 0, 1)[None])).numpy()[0, 0]
    # Weights are stored in 8 bits, and a session gives disparity in its normalisation.
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99
    card = json.loads((folder / "trained" / "card.json").read_text(encoding="utf-8"))
    record = card["plate_depth"]
    assert record["license"] == "MIT"
    assert record["weights_sha256"] == weights_hash(network)
    assert record["parameters"] == sum(one.numel() for one in network.parameters())


def test_a_run_of_another_network_is_told(folder: Path) -> None:
    with pytest.raises(CleanplateError, match="none that estimates"):
        read_plate_depth(folder / "fast")


def test_a_run_of_the_plates_depth_is_no_model(estimator: Path, tmp_path: Path) -> None:
    with pytest.raises(CleanplateError, match="alone cannot be exported"):
        export(estimator, tmp_path / "model", facts=FACTS)
