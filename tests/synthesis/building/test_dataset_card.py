"""The dataset card lists every source and licence, and what is assumed or left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.assets.licensing import Credit
from cleanplate.synthesis.building.dataset_card import as_markdown, requires_attribution, write_card
from cleanplate.synthesis.building.plan import Plan, PlannedAsset, Skipped, write_plan
from cleanplate.synthesis.compositor.settings import CompositorSettings

PLATES = (
    PlannedAsset("room", "0" * 64, Credit("room", ("MIT-0",), ("house",), ("Amazon.com, Inc.",))),
    PlannedAsset("photo", "1" * 64, Credit("photo", ("CC0-1.0",), assumed=True)),
)
CUTOUTS = (
    PlannedAsset("lion", "2" * 64, Credit("lion", ("CC-BY-4.0",), ("lion.glb",)), "animal"),
    PlannedAsset("anna", "3" * 64, Credit("anna", ("MIT",), ("anna.glb",), ("VALID",)), "person"),
    PlannedAsset("bert", "4" * 64, Credit("bert", ("MIT",), ("bert.glb",), ("VALID",)), "person"),
)
DATASET = {
    "samples": 1199,
    "bytes": 123456,
    "records_sha256": "f" * 64,
    "skipped": [{"name": "000000007", "reason": "no place | found"}],
}


def plan_of(**changes: Any) -> Plan:
    values: dict[str, Any] = {
        "preset": "realistic",
        "form": "shards",
        "seed": 7,
        "width": 64,
        "height": 48,
        "count": 1200,
        "shard_size": 500,
        "placements": 0,
        "settings": CompositorSettings(mirror=False),
        "plates": PLATES,
        "cutouts": CUTOUTS,
        "procedural_plates": 0,
        "procedural_cutouts": 0,
        "skipped": (),
        "made_with": {"cleanplate": "0.1.0", "numpy": "2.0"},
    }
    return Plan(**{**values, **changes})


def test_every_source_stands_under_its_licence_with_its_line() -> None:
    card = as_markdown(plan_of(), DATASET)
    assert "| MIT-0 | Amazon.com, Inc. | house (1) |" in card
    assert "| MIT | VALID | anna.glb (1), bert.glb (1) |" in card
    assert "| CC-BY-4.0 | **missing, but required** | lion.glb (1) |" in card
    assert "photo (CC0-1.0)" in card.split("## Assumed")[1]


def test_says_what_it_is() -> None:
    card = as_markdown(plan_of(), DATASET)
    assert "1,199 samples of 64 x 48 pixels" in card
    assert "not finished" not in card
    assert "| cutouts | 3 (animal 1, person 2) |" in card
    assert "| bytes | 123,456 |" in card
    assert "--shard-size 500 --set mirror=False" in card
    assert "--seed 7" in card
    assert "| 000000007 | no place \\| found |" in card
    assert "do not stand on the ground" not in card


def test_an_unfinished_set_says_so() -> None:
    assert "1,200 samples" in as_markdown(plan_of(), None)
    assert "**not finished**" in as_markdown(plan_of(), None)


def test_the_assignments_form() -> None:
    settings = CompositorSettings(grounded=0, portrait=0, uniform=1)
    plan = plan_of(preset="assignment", form="folders", placements=20, settings=settings)
    card = as_markdown(plan, DATASET)
    assert "`fg_bg/`" in card
    assert "do not stand on the ground" in card
    assert "--placements 20" in card


def test_procedural_assets_are_owed_to_nobody() -> None:
    plan = plan_of(plates=(), cutouts=(), procedural_plates=256, procedural_cutouts=192)
    card = as_markdown(plan, DATASET)
    assert "| plates | 256 procedural |" in card
    assert "no work of others" in card
    assert "## Assumed" not in card
    assert "--plates" not in card


def test_assets_left_out_are_named() -> None:
    plan = plan_of(skipped=(Skipped("dark", "has no depth", "5" * 64),))
    assert "| dark | has no depth |" in as_markdown(plan, None)


def test_written_into_the_set_with_its_figures(tmp_path: Path) -> None:
    write_plan(tmp_path, plan_of())
    (tmp_path / "dataset.json").write_text(json.dumps(DATASET), encoding="utf-8")
    first = write_card(tmp_path).read_text("utf-8")
    assert "## Figures" not in first
    assert write_card(tmp_path, DATASET).read_text("utf-8") == first
    (tmp_path / "stats").mkdir()
    frame = {"unit": "1", "mean": [0.5, 0.25, 0.125], "std": [0.1, 0.2, 0.3]}
    depth = {"nearest_m": 0.5, "farthest_m": 20.0, "median_m": 3.25}
    stats = {
        "pictures": {"frame": frame, "depth": {"unit": "m", "mean": [3.0], "std": [1.0]}},
        "alpha": {"mean": 0.125, "soft": 0.01},
        "depth": {"depth": depth, "plate_depth": {"nearest_m": None}},
    }
    (tmp_path / "stats" / "stats.json").write_text(json.dumps(stats), encoding="utf-8")
    card = write_card(tmp_path).read_text("utf-8")
    assert "| frame | 0.5000, 0.2500, 0.1250 | 0.1000, 0.2000, 0.3000 |" in card
    assert "cover 12.5% of a frame on average" in card
    assert "`depth`: 0.50 to 20.00 m, median 3.25 m." in card


def test_a_folder_without_a_plan_has_no_card(tmp_path: Path) -> None:
    with pytest.raises(CleanplateError, match=r"no plan\.json"):
        write_card(tmp_path)
    write_plan(tmp_path, plan_of())
    (tmp_path / "dataset.json").write_text("[", encoding="utf-8")
    with pytest.raises(CleanplateError, match="cannot be read as JSON"):
        write_card(tmp_path)


@pytest.mark.parametrize(
    ("licence", "asked"),
    [("CC-BY-4.0", True), ("CC BY 3.0", True), ("CC0-1.0", False), ("MIT", False)],
)
def test_licences_that_want_their_author_named(licence: str, asked: bool) -> None:
    assert requires_attribution(licence) is asked
