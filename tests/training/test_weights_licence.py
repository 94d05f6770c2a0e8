"""The licences of training data are found wherever the data are, and what is not known is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from cleanplate.cli import main
from cleanplate.formats.pictures import write_image
from cleanplate.synthesis.assets.licensing import SourceUse
from cleanplate.synthesis.assets.packing import pack_pairs
from cleanplate.synthesis.procedural.procedural_files import write_plates
from cleanplate.training.networks import NetworkRecipe
from cleanplate.training.recipe_json import to_json
from cleanplate.training.recipes import RECIPES, DataRecipe, Recipe
from cleanplate.training.weights_licence import ENCODER, DataLicensing, licensing_of

BY = {"license": "CC-BY-4.0", "source": "scans", "attribution": "Scans, (c) A"}


def licensing(kind: Any, **data: Any) -> DataLicensing:
    return licensing_of(to_json(Recipe("x", data=DataRecipe(kind, **data))))


def pictures(folder: Path, **facts: dict[str, Any]) -> Path:
    """Pictures with their json; `catalogue` speaks for the folder."""
    folder.mkdir()
    for name, told in facts.items():
        (folder / f"{name}.json").write_text(json.dumps(told), encoding="utf-8")
        if name != "catalogue":
            write_image(folder / f"{name}.png", np.zeros((8, 8, 3), np.uint8))
    return folder


def write_pair(folder: Path, **facts: Any) -> Path:
    folder.mkdir()
    for part in ("plate", "frame", "alpha", "depth", "plate_depth"):
        plane = np.full((32, 32), 1000, np.uint16)
        is_depth = "depth" in part
        picture = plane if is_depth else np.zeros((32, 32, 3), np.uint8)
        write_image(folder / f"room.001_{part}.png", picture)
    (folder / "room.001.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def test_drawn_scenes_owe_nobody():
    for name in ("compact-smoke", "seed-smoke"):
        found = licensing_of(to_json(RECIPES[name]))
        assert found == DataLicensing()
        assert found.objections() == []


def test_composites_owe_what_their_plates_and_cutouts_owe(tmp_path):
    plates = pictures(tmp_path / "p", a={}, b={}, catalogue={"license": "MIT", "source": "rooms"})
    cutouts = pictures(tmp_path / "c", cat=BY, dog={"license": "CC0-1.0"})
    found = licensing("composites", plates=(plates,), cutouts=(cutouts,))
    assert found.objections() == []
    assert found.rows() == [
        {"license": "CC-BY-4.0", "attribution": ["Scans, (c) A"], "sources": ["scans (1)"]},
        {"license": "CC0-1.0", "attribution": [], "sources": ["no source given (1)"]},
        {"license": "MIT", "attribution": [], "sources": ["rooms (2)"]},
    ]
    assert DataLicensing.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_a_pretrained_encoder_is_owed_too():
    data = DataRecipe("procedural")
    for pretrained, uses in ((True, (ENCODER,)), (False, ())):
        recipe = Recipe("x", network=NetworkRecipe("dual", pretrained=pretrained), data=data)
        found = licensing_of(to_json(recipe))
        assert (found.uses, found.objections()) == (uses, [])


def test_assets_without_a_licence_and_folders_that_are_gone_are_named(tmp_path):
    plates = pictures(tmp_path / "p", a={}, b=BY)
    found = licensing("composites", plates=(plates,), cutouts=(tmp_path / "gone",))
    assert found.objections() == [
        "plates p: 1 of 2 have no licence: a",
        "cutouts gone: is no folder of cutouts",
    ]


def test_pairs_say_it_loose_and_packed(tmp_path):
    loose = write_pair(tmp_path / "pairs", **BY)
    (tmp_path / "packed").mkdir()
    pack_pairs(loose, tmp_path / "packed" / "0.tar")
    for folder in (loose, tmp_path / "packed"):
        found = licensing("procedural", pairs=folder, pairs_share=0.1)
        assert [use.attributions for use in found.uses] == [("Scans, (c) A",)]
        assert found.objections() == []
    assert licensing("shards", path=tmp_path / "packed").uses == found.uses


def test_a_built_set_says_it_in_its_plan(tmp_path):
    write_plates(tmp_path / "rooms", 2, seed=3)
    for file in (tmp_path / "rooms").glob("*.json"):
        facts = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**facts, **BY}), encoding="utf-8")
    words = ["--plates", str(tmp_path / "rooms"), "--count", "2", "--size", "48x32"]
    words += ["--workers", "1", "--quiet"]
    assert main(["synth", "build", "-o", str(tmp_path / "set"), *words]) == 0
    found = licensing("shards", path=tmp_path / "set")
    assert [(use.source, use.assets) for use in found.uses] == [("scans", 2)]


def test_folders_without_any_statement_do_not_decide(tmp_path):
    (tmp_path / "set").mkdir()
    assert licensing("folders", path=tmp_path / "set").objections() == [
        "folders set: 1 of 1 have no licence: set"
    ]
    (tmp_path / "set" / "catalogue.json").write_text(json.dumps(BY), encoding="utf-8")
    assert licensing("folders", path=tmp_path / "set").objections() == []


@pytest.mark.parametrize(
    ("licence", "settled"),
    [
        ("Apache-2.0", True),
        ("mit", True),
        ("CC-BY 4.0", True),
        ("CC0-1.0 + MIT-0", True),
        ("MIT AND CC-BY-3.0", True),
        ("CC-BY-SA-4.0", False),
        ("CC-BY-NC-4.0", False),
        ("CC-BY-ND-4.0", False),
        ("MIT + CC-BY-NC-4.0", False),
        ("GPL-3.0-only", False),
        ("free", False),
    ],
)
def test_which_licences_let_the_weights_be_given_away(licence, settled):
    use = SourceUse(licence, "x", ("by A",), 1, 0)
    assert (DataLicensing((use,)).objections() == []) is settled


def test_many_sources_of_one_collection_are_counted():
    def use(source, licence="MIT", author="A"):
        return SourceUse(licence, source, (author,), 2, 0)

    many = [use(f"owner/things number {i}", author=f"A{i % 2}") for i in range(7)]
    found = DataLicensing((*many, use("owner/rooms hall"), use("my scans", "CC-BY-4.0")))
    assert found.rows() == [
        {
            "license": "MIT",
            "attribution": ["A", "A0", "A1"],
            "sources": ["owner/things: 7 sources", "owner/rooms hall (2)"],
        },
        {"license": "CC-BY-4.0", "attribution": ["A"], "sources": ["my scans (2)"]},
    ]
    odd = DataLicensing(tuple(use(f"owner/things {i}", "free") for i in range(7)))
    assert odd.objections() == [
        ", ".join(f"owner/things {i}" for i in range(5)) + " and 2 more: free"
    ]


def test_licensing_in_checkpoints_of_version_0_1_is_read():
    use = {"licence": "MIT", "source": "a set", "attributions": ["A"], "assets": 2, "assumed": 0}
    found = DataLicensing.from_json({"uses": [use], "unknown": []})
    assert found.uses == (SourceUse("MIT", "a set", ("A",), 2, 0),)
