"""Credits: read from the asset's JSON or the folder's, grouped, and required."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleanplate.errors import CleanplateError
from cleanplate.synthesis.assets.licensing import (
    Credit,
    count_by_license,
    group_by_source,
    read_credits,
    require_licenses,
    unlicensed,
    with_assumed_license,
)


def folder_of(root: Path, catalogue: Any = None, **assets: Any) -> list[Path]:
    """Plates by name with the content of their json (None = no json)."""
    if catalogue is not None:
        (root / "catalogue.json").write_text(json.dumps(catalogue), encoding="utf-8")
    for name, metadata in assets.items():
        if metadata is not None:
            (root / f"{name}.json").write_text(json.dumps(metadata), encoding="utf-8")
    return [root / f"{name}.png" for name in assets]


def test_the_assets_own_json_goes_before_the_folders(tmp_path: Path) -> None:
    files = folder_of(
        tmp_path,
        {"license": "CC0-1.0", "source": "my walks", "attribution": "by me", "title": "Walks"},
        a=None,
        b={"license": "MIT", "source": "b.glb"},
    )
    a, b = read_credits(files)
    assert a == Credit("a", ("CC0-1.0",), ("my walks",), ("by me",), "Walks")
    assert (b.licenses, b.sources, b.attributions) == (("MIT",), ("b.glb",), ("by me",))


def test_an_empty_entry_leaves_it_to_the_folder(tmp_path: Path) -> None:
    files = folder_of(tmp_path, {"license": "CC0-1.0"}, a={"license": " "}, b={"license": None})
    assert [credit.licenses for credit in read_credits(files)] == [("CC0-1.0",)] * 2


def test_what_has_no_licence_is_named(tmp_path: Path) -> None:
    files = folder_of(
        tmp_path,
        a={"license": "MIT"},
        b=None,
        c={"license": " "},
        d={"license": "Unknown"},
        e={"license": ["MIT", ""]},
        f={"license": []},
        g={"license": "NOASSERTION"},
        h={"source": "somewhere"},
    )
    credits = read_credits(files)
    assert unlicensed(credits) == ["b", "c", "d", "e", "f", "g", "h"]
    with pytest.raises(CleanplateError, match="7 of 8 assets have no licence: b, c, d, e, f and 2"):
        require_licenses(credits, tmp_path)
    require_licenses(credits[:1], tmp_path)


def test_an_assumed_licence_fills_gaps_only(tmp_path: Path) -> None:
    credits = with_assumed_license([Credit("a", ("MIT",)), Credit("b", (), ("web",))], "CC0-1.0")
    assert credits == [Credit("a", ("MIT",)), Credit("b", ("CC0-1.0",), ("web",), assumed=True)]
    assert group_by_source(credits)[0].assumed == 1
    with pytest.raises(CleanplateError, match="empty"):
        with_assumed_license(credits, " ")


def test_lists_that_match_belong_together_one_by_one() -> None:
    scene = Credit("s", ("MIT", "CC-BY-4.0"), ("chair", "lamp"), ("by A", "by B"))
    other = Credit("t", ("CC-BY-4.0",), ("lamp",), ("by B",))
    chair, lamp = sorted(group_by_source([scene, other]), key=lambda use: use.source)
    assert (chair.license, chair.attributions, chair.assets) == ("MIT", ("by A",), 1)
    assert (lamp.license, lamp.attributions, lamp.assets) == ("CC-BY-4.0", ("by B",), 2)
    assert count_by_license([scene, other]) == {"CC-BY-4.0": 2, "MIT": 1}


def test_lists_that_do_not_match_hold_for_all() -> None:
    scene = Credit("s", ("MIT", "CC-BY-4.0"), ("x", "y", "z"), ("by A", "by B"))
    uses = group_by_source([scene])
    assert [use.source for use in uses] == ["x", "y", "z"]
    assert {use.license for use in uses} == {"MIT + CC-BY-4.0"}
    assert all(use.attributions == ("by A", "by B") for use in uses)
    one_licence = Credit("s", ("MIT",), ("x", "y"))
    assert [use.license for use in group_by_source([one_licence])] == ["MIT", "MIT"]


def test_a_source_used_twice_by_one_asset_counts_once() -> None:
    scene = Credit("s", ("MIT", "MIT"), ("chair", "chair"), ("by A", "by A"))
    assert [(use.source, use.assets) for use in group_by_source([scene])] == [("chair", 1)]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("{", "cannot be read as JSON"), ("[]", "no JSON object"), ('{"license": 3}', "license is 3")],
)
def test_damaged_entries_are_named(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(CleanplateError, match=complaint) as caught:
        read_credits([tmp_path / "a.png"])
    assert caught.value.file == tmp_path / "a.json"


def test_stored_and_read_again() -> None:
    for credit in (
        Credit("a"),
        Credit("b", ("MIT",), ("x", "y"), ("by A",), "title", assumed=True),
    ):
        assert Credit.from_json(json.loads(json.dumps(credit.as_json()))) == credit


def test_the_old_key_is_still_read(tmp_path: Path) -> None:
    for name, told in {
        "a": {"licence": "MIT", "source": "x"},
        "b": {"licence": "MIT", "license": "CC0-1.0"},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(told), encoding="utf-8")
    found = read_credits([tmp_path / "a.jpg", tmp_path / "b.jpg"])
    assert [credit.licenses for credit in found] == [("MIT",), ("CC0-1.0",)]
    assert Credit.from_json({"asset": "a", "licence": ["MIT"]}).licenses == ("MIT",)
