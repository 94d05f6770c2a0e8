"""Intact sets have no fault; each planted fault is found and named."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.synthesis.inspection.check import check_set
from cleanplate.synthesis.inspection.sample_checks import Fault
from tests.synthesis.inspection.checking import decoded, flip, found, png, rewrite
from tests.synthesis.small_sets import run


@pytest.mark.parametrize("form", ["shards", "still", "folders"])
@pytest.mark.parametrize("fast", [False, True])
def test_a_healthy_set_has_no_fault(sets: dict[str, Path], form: str, fast: bool) -> None:
    verdict = check_set(sets[form], fast=fast)
    assert verdict.faults == []
    assert verdict.notes == []
    assert verdict.samples == (24 if form == "folders" else 12)


def test_a_set_with_settings_of_an_older_version_is_whole(copied: Callable[[str], Path]) -> None:
    folder = copied("shards")
    text = (folder / "plan.json").read_text(encoding="utf-8")
    old = text.replace('"tone":', '"look":').replace('"colour_bleed_share":', '"shine_share":')
    assert old != text
    (folder / "plan.json").write_text(old, encoding="utf-8")
    totals = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    totals["plan_sha256"] = hashlib.sha256(old.encode()).hexdigest()
    (folder / "dataset.json").write_text(json.dumps(totals), encoding="utf-8")
    assert check_set(folder).faults == []


def test_workers_find_the_same(copied: Callable[[str], Path]) -> None:
    folder = copied("folders")
    (folder / "mask" / "000003.jpg").unlink()
    flip(folder / "depth" / "000020.jpg", 100)
    alone = check_set(folder)
    ticks: list[int] = []
    totals: list[int | None] = []
    both = check_set(folder, workers=2, on_start=totals.append, on_progress=ticks.append)
    assert both == alone
    assert {fault[:2] for fault in alone.faults} == {("000003", "mask"), ("000020", "depth")}
    assert (totals, sum(ticks)) == ([24], 24)


def test_each_fault_of_folders_is_named(copied: Callable[[str], Path]) -> None:
    folder = copied("folders")
    (folder / "depth" / "000002.jpg").unlink()
    for kind in ("bg", "fg_bg", "mask", "depth"):
        (folder / kind / "000005.jpg").unlink()
    flip(folder / "fg_bg" / "000007.jpg", 300)
    mask = folder / "mask" / "000009.jpg"
    mask.write_bytes(mask.read_bytes()[:100])
    (folder / "depth" / "000011.jpg").write_bytes(b"")
    write_image(folder / "mask" / "000013.jpg", np.full((48, 64), 130, np.uint8))
    write_image(folder / "fg_bg" / "000014.jpg", np.zeros((40, 64, 3), np.uint8))
    write_image(folder / "mask" / "000015.jpg", np.zeros((48, 64, 3), np.uint8) + np.uint8(9))
    write_image(folder / "fg_bg" / "000077.jpg", np.zeros((48, 64, 3), np.uint8))
    write_image(folder / "bg" / "000088.jpg", np.zeros((48, 64, 3), np.uint8))
    (folder / "mask" / ".000019-0123abcd.jpg").write_bytes(b"?")
    (folder / "records" / ".000001-0123abcd.json").write_text("{", encoding="utf-8")
    what = {tuple(fault[:2]): [] for fault in check_set(folder).faults}
    for fault in check_set(folder).faults:
        what[fault[:2]].append(fault.what)
    changed = "has changed: its sha256 is not the manifest's"
    assert what == {
        ("", "mask/.000019-0123abcd.jpg"): ["is a leftover of a killed process"],
        ("", "records/.000001-0123abcd.json"): ["is a leftover of a killed process"],
        ("000002", "depth"): ["is missing"],
        ("000005", ""): ["is missing"],
        ("000007", "fg_bg"): [changed],
        ("000009", "mask"): ["cannot be decoded", changed],
        ("000011", "depth"): [changed, "is empty"],
        ("000013", "mask"): [changed, "is neither 0 nor 255 at 3072 pixels"],
        ("000014", "fg_bg"): [changed, "is 64 x 40, not 64 x 48"],
        ("000015", "mask"): [changed, "is 64 x 48 x 3 uint8, which such a part is not"],
        ("000077", ""): ["is not a sample of the plan"],
        ("000088", "bg"): ["is not a sample of the plan"],
    }


def test_fast_finds_what_is_missing_or_changed(copied: Callable[[str], Path]) -> None:
    folder = copied("folders")
    (folder / "depth" / "000002.jpg").unlink()
    flip(folder / "fg_bg" / "000007.jpg", 300)
    assert found(folder, fast=True) == [("000002", "depth"), ("000007", "fg_bg")]


def test_each_fault_of_shards_is_named(copied: Callable[[str], Path]) -> None:
    folder = copied("shards")

    def first(parts: dict[str, bytes]) -> None:
        del parts["000000000.alpha.png"]
        parts["000000001.frame.jpg"] = b""
        parts["000000002.shadow.png"] = parts["000000002.shadow.png"][:-30]
        parts["000000003.json"] = b"{"
        for name in [name for name in parts if name.startswith("000000004")]:
            del parts[name]

    def second(parts: dict[str, bytes]) -> None:
        parts["000000005.alpha.png"] = png(np.zeros((48, 63), np.uint8))
        depth = decoded(parts["000000006.depth.png"])
        parts["000000006.depth.png"] = png(depth + np.uint16(500))
        del parts["000000007.depth.png"]
        parts["000000008.plate_depth.png"] = png(np.zeros((48, 64), np.uint8))
        again = parts.pop("000000009.json")
        parts["000000099.json"] = b"{}"
        parts["000000009.json"] = again

    rewrite(folder, "000000", first)
    rewrite(folder, "000001", second)
    assert [str(fault) for fault in check_set(folder).faults] == [
        "000000000 alpha: is missing",
        "000000001 frame: is empty",
        "000000002 shadow: cannot be decoded",
        "000000003 json: "
        "cannot be read as JSON: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)",
        "000000004: is missing",
        "000000005 alpha: is 63 x 48, not 64 x 48",
        "000000006 depth: " + _strays(folder, "000000006"),
        "000000007 depth: is missing, though the sample has the other depth",
        "000000008 plate_depth: is 64 x 48 uint8, which such a part is not",
        "000000009: comes 2 times",
        *(f"000000009 {part}: is missing" for part in ("alpha", "frame", "plate")),
        "000000099: is not a sample of the plan",
    ]


def _strays(folder: Path, name: str) -> str:
    [what] = [fault.what for fault in check_set(folder).faults if fault.sample == name]
    assert "where alpha is 0" in what
    return what


def test_sets_from_elsewhere_are_checked_without_checksums(tmp_path: Path) -> None:
    for folder in ("bg", "fg_bg", "mask", "depth"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b", "c"):
        for folder in ("bg", "fg_bg"):
            write_image(tmp_path / folder / f"{name}.png", np.zeros((6, 8, 3), np.uint8))
        for folder in ("mask", "depth"):
            write_image(tmp_path / folder / f"{name}.png", np.full((6, 8), 90, np.uint8))
    (tmp_path / "depth" / "b.png").unlink()
    write_image(tmp_path / "mask" / "c.png", np.zeros((6, 9), np.uint8))
    verdict = check_set(tmp_path)
    assert verdict.faults == [
        Fault("b", "depth", "is missing"),
        Fault("c", "mask", "is 9 x 6, not 8 x 6"),
    ]
    assert "no plan" in verdict.notes[0]
    with pytest.raises(CleanplateError, match="is no folder"):
        check_set(tmp_path / "nothing")


def test_the_command_tells_by_its_exit_code(copied: Callable[[str], Path], tmp_path: Path) -> None:
    folder = copied("folders")
    program = [sys.executable, "-m", "cleanplate", "synth", "check", "--workers", "1"]
    done = run([*program, str(folder)])
    assert (done.returncode, done.stdout) == (0, "24 samples: whole.\n"), done.stderr
    (folder / "mask" / "000003.jpg").unlink()
    done = run([*program, str(folder), "--json", "-", "--quiet"])
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert told["faults"] == [{"sample": "000003", "part": "mask", "what": "is missing"}]
    assert not told["whole"]
    done = run([*program, str(tmp_path / "none")])
    assert done.returncode == 2
    assert "is no folder" in done.stderr
