"""Export: a model that answers as the network does, or no model."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from click.testing import CliRunner

from cleanplate.cli import export_command, main
from cleanplate.errors import CleanplateError
from cleanplate.models import find_model
from cleanplate.training.export import model_export as exporting
from cleanplate.training.export import onnx_graphs, weight_storage
from cleanplate.training.export.model_card import Facts
from cleanplate.training.export.model_export import export
from cleanplate.training.fit import RunOptions, fit
from cleanplate.training.networks import (
    NETWORKS,
    CompactNet,
    NetworkRecipe,
)
from cleanplate.training.networks.complexity import giga_macs
from tests.training.discs import Discs, tiny_recipe

TINY = Facts("tiny", "Apache-2.0")


def test_a_model_folder_is_whole_and_accepted(model):
    assert sorted(p.name for p in model.iterdir()) == [
        "card.json",
        "card.md",
        "frame.onnx",
        "plate.onnx",
        "trainable.safetensors",
    ]
    assert find_model(model).name == "tiny"


def test_weights_are_stored_in_as_few_bits_as_the_outputs_allow(run, tmp_path, monkeypatch):
    monkeypatch.setattr(weight_storage, "_SMALLEST_IN_EIGHT_BITS", 256)  # the network is tiny

    def of(folder):
        graph = onnx.load(folder / "frame.onnx").graph
        kinds = {
            one.data_type
            for one in graph.initializer
            if np.prod(one.dims) >= 256 and len(one.dims) > 1
        }
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        return kinds, card["stored"]["bits"], (folder / "frame.onnx").stat().st_size

    kind = onnx.TensorProto
    sizes, stored = [], exporting.STORAGE
    cases = (({kind.INT8}, 8), ({kind.FLOAT16}, 16), ({kind.FLOAT}, 32))
    for number, (kinds, bits) in enumerate(cases):
        refused = [(*one[:2], -1.0) for one in stored[:number]]
        monkeypatch.setattr(exporting, "STORAGE", (*refused, *stored[number:]))
        made = of(export(run, tmp_path / str(bits), facts=TINY))
        assert made[:2] == (kinds, bits)
        sizes.append(made[2])
    assert sizes[0] < 0.85 * sizes[1] < 0.7 * sizes[2]


def test_the_plates_graph_takes_shared_weights_from_the_frames_file(model, tmp_path):
    graph = onnx.load(model / "plate.onnx", load_external_data=False).graph
    shared = [one for one in graph.initializer if one.external_data]
    assert shared
    frame = (model / "frame.onnx").read_bytes()
    whole = {one.name: one.raw_data for one in onnx.load(model / "plate.onnx").graph.initializer}
    for tensor in shared:
        told = {entry.key: entry.value for entry in tensor.external_data}
        assert told["location"] == "frame.onnx"
        first = int(told["offset"])
        assert frame[first : first + int(told["length"])] == whole[tensor.name]


def test_exporting_twice_gives_the_same_bytes(model, run, tmp_path):
    again = export(run, tmp_path / "again", facts=TINY)
    for name in ("plate.onnx", "frame.onnx", "card.json"):
        assert (again / name).read_bytes() == (model / name).read_bytes()


def test_a_checkpoint_alone_is_enough(run, tmp_path, model):
    alone = tmp_path / "alone.ckpt"
    alone.write_bytes((run / "last.ckpt").read_bytes())
    other = export(alone, tmp_path / "model", facts=TINY)
    assert find_model(other).hash == find_model(model).hash


def test_a_model_that_differs_from_torch_is_not_written(run, tmp_path, monkeypatch):
    def spoilt(network, metadata):
        other = CompactNet(width=0.25).eval()
        return onnx_graphs.build_graphs(other, metadata)

    monkeypatch.setattr(exporting, "build_graphs", spoilt)
    with pytest.raises(CleanplateError, match="nothing was written"):
        export(run, tmp_path / "model", facts=TINY)
    assert list(tmp_path.iterdir()) == []


class Frozen(CompactNet):
    """Takes a size for a constant, so its graph is right only at the size it was traced at."""

    def compare(self, frame, plate, features):
        made = super().compare(frame, plate, features)
        return made._replace(alpha=made.alpha * (96 / int(frame.shape[-1])))


def test_a_size_that_tracing_froze_is_found(run, tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, "compact", Frozen)
    with pytest.raises(CleanplateError, match="differ from the network"):
        export(run, tmp_path / "model", facts=TINY)
    assert list(tmp_path.iterdir()) == []


def test_a_model_replaces_only_a_model_of_ours(run, tmp_path):
    export(run, tmp_path, facts=TINY)
    export(run, tmp_path, facts=TINY, overwrite=False)
    (tmp_path / "card.md").write_text("my notes", encoding="utf-8")
    with pytest.raises(CleanplateError, match=r"card\.md: is there already"):
        export(run, tmp_path, facts=TINY)
    assert (tmp_path / "card.md").read_text(encoding="utf-8") == "my notes"
    export(run, tmp_path, facts=TINY, overwrite=True)
    assert find_model(tmp_path).name == "tiny"


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(CleanplateError, match=r"last\.ckpt: there is no checkpoint"):
        export(tmp_path, tmp_path / "model")
    torch.save({"global_step": 3}, tmp_path / "x.ckpt")
    with pytest.raises(CleanplateError, match=r"x\.ckpt: not a checkpoint of a run"):
        export(tmp_path / "x.ckpt", tmp_path / "model")


def test_a_network_that_is_not_registered_is_named(run, tmp_path, capsys):
    content = torch.load(run / "last.ckpt", weights_only=True)
    content["recipe"]["network"]["name"] = "mine"
    torch.save(content, tmp_path / "mine.ckpt")
    assert main(["export", str(tmp_path / "mine.ckpt"), "-o", str(tmp_path / "model")]) == 2
    said = capsys.readouterr().err
    assert "mine.ckpt: there is no network 'mine'" in said
    assert "compact" in said
    content["recipe"]["network"] = {"name": "compact", "newer": 1}
    torch.save(content, tmp_path / "newer.ckpt")
    with pytest.raises(CleanplateError, match=r"newer\.ckpt: its network has fields"):
        export(tmp_path / "newer.ckpt", tmp_path / "model")
    del content["recipe"]["network"]
    torch.save(content, tmp_path / "none.ckpt")
    with pytest.raises(CleanplateError, match=r"none\.ckpt: not a checkpoint of a run"):
        export(tmp_path / "none.ckpt", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_network_of_plates_alone_is_no_model(run, tmp_path):
    content = torch.load(run / "last.ckpt", weights_only=True)
    content["recipe"]["network"]["name"] = "plate-depth"
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(CleanplateError, match=r"x\.ckpt: a network for the plate's depth alone"):
        export(tmp_path / "x.ckpt", tmp_path / "model")


def test_the_command_line_exports(run, tmp_path):
    done = CliRunner().invoke(
        export_command.command,
        [
            str(run),
            "-o",
            str(tmp_path / "m"),
            "--name",
            "mine",
            "--limits",
            "Rain.",
            "--license",
            "mit",
            "--json",
            "-",
        ],
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["name"] == "mine"
    assert json.loads(done.stdout)["license"] == "MIT"  # as SPDX writes it
    assert "## Limits\n\nRain." in (tmp_path / "m" / "card.md").read_text(encoding="utf-8")
    assert "Example" in CliRunner().invoke(export_command.command, ["--help"]).output


def test_work_is_counted_in_multiplications():
    class One(CompactNet):
        def encode_plate(self, plate, plate_disparity=None, plate_valid=None):
            return (torch.nn.functional.conv2d(plate, torch.zeros(8, 3, 3, 3), padding=1),)

    assert giga_macs(One(width=0.25), "plate", 100) == pytest.approx(8 * 27 * 1e4 / 1e9, abs=1e-4)


def test_seednet_fits_the_same_two_graphs(tmp_path):
    recipe = tiny_recipe(network=NetworkRecipe("seed", 0.125), objective="cross-entropy", steps=1)
    options = RunOptions(workers=0, threads=1, accelerator="cpu", quiet=True)
    fit(recipe, tmp_path / "run", options, sources=(Discs(), None))
    folder = export(tmp_path / "run", tmp_path / "model", facts=TINY)
    from cleanplate.predict import Predictor

    made = Discs().sample(0, (64, 80))
    result = Predictor(folder).scene(made["plate"]).predict(made["frame"])
    assert result.alpha.shape == (64, 80)
    assert np.isfinite(result.disparity).all()


def test_a_network_without_depth_is_exported_and_predicts(tmp_path, capsys):
    """DualResolutionNet: two graphs without disparity; the plate's depth makes it metric."""
    recipe = tiny_recipe(network=NetworkRecipe("dual"), steps=1)
    options = RunOptions(workers=0, threads=1, accelerator="cpu", quiet=True)
    fit(recipe, tmp_path / "run", options, sources=(Discs(), None))
    folder = tmp_path / "model"
    assert main(["export", str(tmp_path / "run"), "-o", str(folder), "--license", "MIT"]) == 0
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert list(card["outputs"]) == ["alpha", "shadow"]
    from cleanplate.predict import Predictor

    made = Discs().sample(0, (64, 80))
    predictor = Predictor(folder, threads=1, force=True)
    result = predictor.scene(made["plate"]).predict(made["frame"])
    assert result.outputs == ("alpha", "foreground", "shadow", "plate")
    assert result.alpha.shape == (64, 80)
    assert np.isfinite(result.shadow).all()
    with pytest.raises(CleanplateError, match="does not estimate the plate's depth"):
        predictor.scene(made["plate"]).predict(made["frame"], outputs="disparity")
