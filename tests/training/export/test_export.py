"""Export: a model that answers as the network does, or no model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from click.testing import CliRunner

from cleanplate.cli import export_command, main
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.models import find_model
from cleanplate.synthesis.assets.licensing import SourceUse
from cleanplate.training.export import model_export as exporting
from cleanplate.training.export import onnx_graphs, weight_storage
from cleanplate.training.export.model_card import Facts, read_figures, without_places
from cleanplate.training.export.model_export import export
from cleanplate.training.export.trained import read_trained, weights_hash
from cleanplate.training.fit import RunOptions, fit
from cleanplate.training.networks import (
    NETWORKS,
    CompactNet,
    NetworkRecipe,
)
from cleanplate.training.networks.complexity import giga_macs
from cleanplate.training.recipes import DataRecipe
from cleanplate.training.weights_licence import KEY, DataLicensing
from tests.training.discs import Discs, tiny_recipe

TINY = Facts("tiny", "Apache-2.0")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    data = DataRecipe(plates=(folder / "plates",), cutouts=(folder / "c",))
    recipe = tiny_recipe(steps=2, data=data)
    options = RunOptions(workers=0, threads=1, accelerator="cpu", quiet=True)
    fit(recipe, folder, options, sources=(Discs(), None))
    return folder


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    return export(run, tmp_path_factory.mktemp("model") / "tiny", facts=TINY)


def test_a_model_folder_is_whole_and_accepted(model):
    assert sorted(p.name for p in model.iterdir()) == [
        "card.json",
        "card.md",
        "frame.onnx",
        "plate.onnx",
        "trainable.safetensors",
    ]
    assert find_model(model).name == "tiny"


def test_the_card_says_what_the_model_is(model, run):
    card = json.loads((model / "card.json").read_text(encoding="utf-8"))
    network = read_trained(run).network
    assert card["parameters"] == sum(p.numel() for p in network.parameters())
    assert card["weights_sha256"] == weights_hash(network)
    assert (card["trained_steps"], card["trained_samples"]) == (2, 6)
    assert card["license"] == "Apache-2.0"
    assert card["recipe"]["data"]["plates"] == ["plates"]
    assert str(run) not in (model / "card.json").read_text(encoding="utf-8") + (
        model / "card.md"
    ).read_text(encoding="utf-8")
    text = (model / "card.md").read_text(encoding="utf-8")
    for said in (f"{card['parameters']:,}", card["license"], card["command"], "composites of"):
        assert said in text


def test_the_graphs_carry_their_origin(model):
    card = json.loads((model / "card.json").read_text(encoding="utf-8"))
    for name in ("plate.onnx", "frame.onnx"):
        told = {p.key: p.value for p in onnx.load(model / name).metadata_props}
        assert told["weights_sha256"] == card["weights_sha256"]
        assert told["license"] == "Apache-2.0"
        assert told["training_data"] == card["training_data"]
        assert told["date"] == card["trained_until"]
        assert json.loads(told["recipe"])["steps"] == 2


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


def scores(path, model_hash, mad=0.01):
    result = {
        "model": "tiny",
        "model_hash": model_hash,
        "variant": "clean",
        "plate_depth": False,
        "pairs": 40,
        "means": {"mad": mad, "iou": 0.93, "aligned_delta1": None},
    }
    options = {"pairs": "pairs", "align": False}
    path.write_text(json.dumps({"options": options, "results": [result]}), encoding="utf-8")
    return path


def test_what_evaluate_writes_is_what_the_card_reads(tmp_path):
    pairs = Path(__file__).resolve().parents[3] / "examples" / "pairs"
    file = tmp_path / "scores.json"
    assert main(["evaluate", str(pairs), "--baseline", "difference", "--json", str(file)]) == 0
    (figure,) = read_figures([file], {None})
    assert (figure["pairs"], figure["count"], figure["align"]) == ("pairs", 1, None)
    assert figure["means"]["mad"] > 0


def test_figures_of_this_model_enter_card_and_graphs(run, model, tmp_path):
    file = scores(tmp_path / "scores.json", find_model(model).hash)
    told = export(run, tmp_path / "told", facts=TINY, figures=[file])
    card = json.loads((told / "card.json").read_text(encoding="utf-8"))
    assert card["figures"][0]["means"]["mad"] == 0.01
    assert "| mad | 0.01 |" in (told / "card.md").read_text(encoding="utf-8")
    props = {p.key: p.value for p in onnx.load(told / "frame.onnx").metadata_props}
    assert json.loads(props["figures"]) == card["figures"]
    assert find_model(told).hash != find_model(model).hash
    newer = scores(tmp_path / "newer.json", find_model(told).hash, mad=0.02)
    export(run, told, facts=TINY, figures=[newer])
    assert (
        json.loads((told / "card.json").read_text(encoding="utf-8"))["figures"][0]["means"]["mad"]
        == 0.02
    )


def test_figures_of_another_model_are_refused(run, tmp_path):
    file = scores(tmp_path / "scores.json", "f" * 64)
    with pytest.raises(CleanplateError, match="another model"):
        export(run, tmp_path / "model", facts=TINY, figures=[file])
    file.write_text("[]", encoding="utf-8")
    with pytest.raises(CleanplateError, match="not a file of metrics"):
        export(run, tmp_path / "model", facts=TINY, figures=[file])
    assert not (tmp_path / "model").exists()


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


def test_licences_and_attributions_of_the_data_are_on_the_card(run, tmp_path, capsys):
    content = torch.load(run / "last.ckpt", weights_only=True)
    uses = (
        SourceUse("CC-BY-4.0", "scans", ("Scans, (c) A | B", "by C"), 3, 0),
        SourceUse("MIT", "avatars", (), 2, 0),
    )
    content[KEY] = DataLicensing(uses).as_json()
    torch.save(content, tmp_path / "x.ckpt")
    assert main(["export", str(tmp_path / "x.ckpt"), "-o", str(tmp_path / "model")]) == 0
    model = find_model(tmp_path / "model")
    assert model.license == model.card["license"] == "Apache-2.0"
    assert model.card["data_licenses"][0] == {
        "license": "CC-BY-4.0",
        "attribution": ["Scans, (c) A | B", "by C"],
        "sources": ["scans (3)"],
    }
    text = (tmp_path / "model" / "card.md").read_text(encoding="utf-8")
    assert "| CC-BY-4.0 | Scans, (c) A \\| B; by C | scans (3) |" in text
    told = {p.key: p.value for p in onnx.load(model.frame_graph).metadata_props}
    assert told["attribution"].splitlines() == ["Scans, (c) A | B (CC-BY-4.0)", "by C (CC-BY-4.0)"]


def test_where_the_data_do_not_decide_the_licence_is_asked_for(run, tmp_path, capsys):
    content = torch.load(run / "last.ckpt", weights_only=True)
    uses = (
        SourceUse("CC-BY-4.0", "scans", (), 3, 0),
        SourceUse("CC-BY-NC-4.0", "pets", ("D",), 1, 0),
    )
    content[KEY] = DataLicensing(uses, ("plates rooms: 1 of 2 have no licence: a",)).as_json()
    torch.save(content, tmp_path / "x.ckpt")
    words = ["export", str(tmp_path / "x.ckpt"), "-o", str(tmp_path / "model")]
    assert main(words) == 2
    said = capsys.readouterr().err
    for reason in (
        "plates rooms: 1 of 2 have no licence: a",
        "scans: CC-BY-4.0 asks for attribution, and none is given",
        "pets: CC-BY-NC-4.0",
        "--license",
    ):
        assert reason in said
    assert not (tmp_path / "model").exists()
    assert main([*words, "--license", "CC-BY-NC-4.0"]) == 0
    assert find_model(tmp_path / "model").license == "CC-BY-NC-4.0"
    text = (tmp_path / "model" / "card.md").read_text(encoding="utf-8")
    assert "**missing, and asked for**" in text
    assert "- pets: CC-BY-NC-4.0" in text
    assert main([*words, "--license", "free for all"]) == 2
    assert "no SPDX licence" in capsys.readouterr().err


def test_a_network_of_plates_alone_is_no_model(run, tmp_path):
    content = torch.load(run / "last.ckpt", weights_only=True)
    content["recipe"]["network"]["name"] = "plate-depth"
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(CleanplateError, match=r"x\.ckpt: a network for the plate's depth alone"):
        export(tmp_path / "x.ckpt", tmp_path / "model")


def test_the_shipped_card_tells_its_licence():
    assert find_model().license == "Apache-2.0"


def test_a_run_keeps_what_its_data_say(tmp_path, monkeypatch):
    from cleanplate.training import fit as fitting

    monkeypatch.setattr(fitting, "open_sources", lambda *_: (Discs(), None))
    plates, cutouts = tmp_path / "plates", tmp_path / "cutouts"
    for folder in (plates, cutouts):
        folder.mkdir()
        picture = np.zeros((64, 64, 4), np.uint8)
        picture[8:56, 8:56] = 255
        write_image(folder / "one.png", picture)
        credit = {"license": "CC-BY-4.0", "source": folder.name, "attribution": "by A"}
        (folder / "one.json").write_text(json.dumps(credit), encoding="utf-8")
    recipe = tiny_recipe(steps=1, data=DataRecipe(plates=(plates,), cutouts=(cutouts,)))
    options = RunOptions(workers=0, threads=1, accelerator="cpu", quiet=True)
    fit(recipe, tmp_path / "run", options)
    (plates / "one.json").unlink()  # what the run began with counts
    later = tiny_recipe(
        steps=1, start=tmp_path / "run" / "last.ckpt", data=DataRecipe("procedural")
    )
    fit(later, tmp_path / "later", options)
    for folder in ("run", "later"):
        found = read_trained(tmp_path / folder).licensing
        assert [use.source for use in found.uses] == ["cutouts", "plates"]
        assert found.objections() == []


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


def test_places_of_one_machine_are_cut_from_a_recipe():
    recipe = {
        "data": {"plates": "/a/b/plates", "cutouts": None, "path": None},
        "start": "/a/x.ckpt",
        "teacher": "/b/y.ckpt",
    }
    assert without_places(recipe) == {
        "data": {"plates": "plates", "cutouts": None, "path": None},
        "start": "x.ckpt",
        "teacher": "y.ckpt",
    }


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
