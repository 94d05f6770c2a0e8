"""Wrong and missing manifests, totals and plans are found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanplate.synthesis.inspection.check import check_set
from tests.synthesis.inspection.checking import found


def test_unfinished_sets_are_marked(copied: Callable[[str], Path]) -> None:
    folder = copied("shards")
    (folder / "records" / "000001.json").unlink()
    (folder / "000002.tar").unlink()
    (folder / "dataset.json").unlink()
    (folder / "DATASET_CARD.md").unlink()
    shutil.copyfile(folder / "000000.tar", folder / "000007.tar")
    (folder / ".000002-89abcdef.tar").write_bytes(b"half")
    faults = [str(fault) for fault in check_set(folder, fast=True).faults]
    assert [one for one in faults if not one.startswith("00000000")] == [
        ".000002-89abcdef.tar: is a leftover of a killed process",
        "DATASET_CARD.md: is missing",
        "dataset.json: is missing: the build has not ended",
        "records/000001.json: is missing: this part of the set was never finished",
        "000002.tar: is missing, though its manifest says that it was finished",
    ]
    strangers = [one for one in faults if one.endswith("is not a sample of the plan")]
    assert len(strangers) == 5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told.update(first=3), "5 samples from 3"),
        (lambda told: told.update(sha256="xyz"), "non-hexadecimal"),
        (lambda told: told.pop("bytes"), "bytes"),
        (lambda told: told.update(skipped=7), "not iterable"),
    ],
)
def test_files_that_are_no_manifests_are_named(
    copied: Callable[[str], Path], change: Callable[[dict[str, Any]], None], said: str
) -> None:
    folder = copied("shards")
    record = folder / "records" / "000001.json"
    told = json.loads(record.read_text(encoding="utf-8"))
    change(told)
    record.write_text(json.dumps(told), encoding="utf-8")
    faults = [fault for fault in check_set(folder).faults if fault.part == "records/000001.json"]
    assert len(faults) == 1
    assert said in faults[0].what


def test_wrong_totals_are_named(copied: Callable[[str], Path]) -> None:
    folder = copied("shards")
    file = folder / "dataset.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**told, "samples": 11}), encoding="utf-8")
    [fault] = check_set(folder).faults
    assert str(fault) == "dataset.json: samples is 11, by plan and manifests 12"
    file.write_text("{}", encoding="utf-8")
    assert set(found(folder)) == {("", "dataset.json"), ("", "plan.json")}
    file.write_text("[", encoding="utf-8")
    assert found(folder) == [("", "dataset.json")]


def test_a_damaged_plan_does_not_stop_the_check(copied: Callable[[str], Path]) -> None:
    folder = copied("folders")
    (folder / "plan.json").write_text("{", encoding="utf-8")
    (folder / "mask" / "000003.jpg").write_bytes(b"x")
    verdict = check_set(folder)
    assert [fault[:2] for fault in verdict.faults] == [("", "plan.json"), ("000003", "mask")]
    assert len(verdict.notes) == 1
