"""The model card: origin, figures and licences of a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from cleanplate.cli import main
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.models import find_model
from cleanplate.synthesis.assets.licensing import SourceUse
from cleanplate.training.export.model_card import read_figures, without_places
from cleanplate.training.export.model_export import export
from cleanplate.training.export.trained import read_trained, weights_hash
from cleanplate.training.fit import RunOptions, fit
from cleanplate.training.recipes import DataRecipe
from cleanplate.training.weights_licence import KEY, DataLicensing
from tests.training.discs import Discs, tiny_recipe
from tests.training.export.test_export import TINY


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
