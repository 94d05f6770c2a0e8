"""The plan: counts, storage, and differences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.errors import CleanplateError
from cleanplate.synthesis import CompositorSettings
from cleanplate.synthesis.assets.licensing import Credit
from cleanplate.synthesis.building.build_request import make_plan
from cleanplate.synthesis.building.plan import (
    PLAN,
    Plan,
    PlannedAsset,
    assignment_count,
    plan_differences,
    read_plan,
    write_plan,
)
from cleanplate.synthesis.building.presets import PRESETS
from tests.synthesis.small_sets import small_request, write_assets_folder


def asset(name: str, sha256: str = "00", kind: str = "") -> PlannedAsset:
    return PlannedAsset(name, sha256, Credit(name, ("MIT",), ("me",), ("Me.",)), kind)


PLAN_OF_TWO = Plan(
    preset="assignment",
    form="folders",
    seed=3,
    width=64,
    height=48,
    count=2 * 3 * 2 * 4,
    shard_size=10,
    placements=4,
    settings=CompositorSettings(),
    plates=(asset("p/a"), asset("p/b")),
    cutouts=(asset("c/a", kind="person"), asset("c/b"), asset("c/ü")),
    procedural_plates=0,
    procedural_cutouts=0,
    skipped=(),
    made_with={"numpy": "2"},
)


def test_settings_of_an_older_version_are_read(tmp_path: Path):
    plan = replace(PLAN_OF_TWO, settings=CompositorSettings(tone=0.5, colour_bleed_share=0.25))
    text = plan.text.replace('"tone":', '"look":')
    text = text.replace('"colour_bleed_share":', '"shine_share":')
    (tmp_path / PLAN).write_text(text, encoding="utf-8")
    assert read_plan(tmp_path) == plan


def test_a_setting_out_of_range_is_named_with_its_file(tmp_path: Path):
    text = PLAN_OF_TWO.text.replace('"hair_share": 0.0', '"hair_share": 1.5')
    (tmp_path / PLAN).write_text(text, encoding="utf-8")
    with pytest.raises(CleanplateError, match=r"hair_share = 1\.5") as caught:
        read_plan(tmp_path)
    assert caught.value.file == tmp_path / PLAN


@settings(deadline=None, max_examples=30)
@given(*[st.integers(1, 5)] * 3)
def test_an_assignment_counts_each_combination_once(plates: int, cutouts: int, placements: int):
    plan = replace(
        PLAN_OF_TWO,
        plates=(),
        cutouts=(),
        procedural_plates=plates,
        procedural_cutouts=cutouts,
        placements=placements,
        count=assignment_count(plates, cutouts, placements),
    )
    counted = [plan.assignment_indices(index) for index in range(plan.count)]
    # The order of nested loops, plates outermost.
    assert counted == [
        (p, c, f, k)
        for p in range(plates)
        for c in range(cutouts)
        for f in range(2)
        for k in range(placements)
    ]


def test_the_assignment_is_the_seeds():
    preset = PRESETS["assignment"]
    assert assignment_count(preset.assets, preset.assets, preset.placements) == 400_000
    assert preset.size == (224, 224)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 500), st.integers(1, 60))
def test_shards_share_out_all_samples(count: int, size: int):
    plan = replace(PLAN_OF_TWO, count=count, shard_size=size)
    samples = [i for shard in range(plan.shards) for i in plan.samples_of(shard)]
    assert samples == list(range(count))
    assert all(0 < len(plan.samples_of(shard)) <= size for shard in range(plan.shards))


def test_a_plan_survives_the_disk(tmp_path: Path):
    write_plan(tmp_path, PLAN_OF_TWO)
    assert read_plan(tmp_path) == PLAN_OF_TWO
    assert (tmp_path / PLAN).read_text(encoding="utf-8") == PLAN_OF_TWO.text
    assert read_plan(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 1}', '{"format": 99}', "{", '{"format": 1, "settings": 5}']
)
def test_a_damaged_plan_is_named(tmp_path: Path, text: str):
    (tmp_path / PLAN).write_text(text, encoding="utf-8")
    with pytest.raises(CleanplateError, match=r"plan\.json"):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 4}, ["seed: 3 there, 4 here"]),
        ({"width": 65, "count": 7}, ["width: 64 there, 65 here", "count: 48 there, 7 here"]),
        ({"settings": CompositorSettings(tone=0.5)}, ["tone: 1.0 there, 0.5 here"]),
        ({"made_with": {"numpy": "3"}}, ["numpy: 2 there, 3 here"]),
        (
            {"plates": (asset("p/a", "11"), asset("p/c"))},
            [
                "plates: the files of p/a have changed",
                "plates: p/b is missing here",
                "plates: p/c is new here",
            ],
        ),
        ({"plates": PLAN_OF_TWO.plates[::-1]}, ["plates: in another order"]),
        (
            {"plates": PLAN_OF_TWO.plates[:1]},
            ["plates: 2 there, 1 here", "plates: p/b is missing here"],
        ),
    ],
)
def test_what_differs_is_said(change: dict, told: list[str]):
    assert plan_differences(PLAN_OF_TWO, replace(PLAN_OF_TWO, **change)) == told
    assert plan_differences(PLAN_OF_TWO, PLAN_OF_TWO) == []


def plan_of(*arguments, **changes) -> Plan:
    return make_plan(small_request(*arguments, **changes), None, lambda numbers: numbers)[0]


def test_a_plan_holds_no_place_of_a_machine_and_does_not_depend_on_one(tmp_path: Path):
    first = write_assets_folder(tmp_path / "one")
    second = write_assets_folder(tmp_path / "two" / "deep")
    plan = plan_of(first, tmp_path / "out")
    assert str(tmp_path) not in plan.text
    assert plan == plan_of(second, tmp_path / "elsewhere")
    assert [one.name for one in plan.plates] == ["plates/room0", "plates/room1", "plates/room2"]
    assert [one.kind for one in plan.cutouts] == ["person", "person"]


def test_which_assets_are_taken_follows_from_the_seed(tmp_path: Path):
    asset_folder = write_assets_folder(tmp_path, plates=9)
    taken = {}
    for seed in range(6):
        plan = plan_of(asset_folder, tmp_path, "assignment", plate_count=4, seed=seed)
        assert plan == plan_of(asset_folder, tmp_path, "assignment", plate_count=4, seed=seed)
        assert plan.count == 4 * 2 * 2 * 2
        taken[seed] = tuple(one.name for one in plan.plates)
        assert taken[seed] == tuple(sorted(taken[seed]))
    assert len(set(taken.values())) > 1


def test_folders_of_one_name_are_told_apart(tmp_path: Path):
    folders = [write_assets_folder(tmp_path / name, plates=2) for name in "ab"]
    plan = plan_of(
        folders[0], tmp_path, plates=tuple(asset_folder / "plates" for asset_folder in folders)
    )
    names = [one.name for one in plan.plates]
    assert names == ["plates/room0", "plates/room1", "plates-2/room0", "plates-2/room1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "nothing"}, "no preset"),
        ({"preset": "assignment", "count": 5}, "make 24"),
        ({"preset": "assignment", "settings": CompositorSettings()}, "no settings"),
        ({"placements": 3}, "draws each placement"),
        ({"size": (8, 64)}, "too small"),
        ({"seed": -1}, "negative"),
        ({"plate_count": 4}, "4 plates are asked for, 3 can be used"),
        ({"settings": CompositorSettings(textures=Path("t"))}, "textures"),
        ({"plates": (Path("nowhere"),)}, "no folder of plates"),
    ],
)
def test_an_impossible_request(tmp_path: Path, changes: dict, message: str):
    with pytest.raises(CleanplateError, match=message):
        plan_of(
            write_assets_folder(tmp_path), tmp_path / "out", **{"preset": "realistic", **changes}
        )


def test_a_licence_is_asked_for_and_an_assumed_one_is_marked(tmp_path: Path):
    asset_folder = write_assets_folder(tmp_path)
    bare = asset_folder / "plates" / "room1.json"
    metadata = {
        k: v for k, v in json.loads(bare.read_text(encoding="utf-8")).items() if k != "license"
    }
    bare.write_text(json.dumps(metadata), encoding="utf-8")
    with pytest.raises(CleanplateError, match=r"1 of 3 assets have no licence: .*room1"):
        plan_of(asset_folder, tmp_path)
    plan = plan_of(asset_folder, tmp_path, assume_license="CC-BY-4.0")
    assert [one.credit.assumed for one in plan.plates] == [False, True, False]
    assert plan.plates[1].credit.licenses == ("CC-BY-4.0",)
