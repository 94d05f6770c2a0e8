"""Changed and missing bytes: each is found and named, and none hides another."""

from __future__ import annotations

import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.synthesis.inspection.checking import flip, found


def test_a_flipped_bit_anywhere_is_found(copied: Callable[[str], Path]) -> None:
    folder = copied("shards")
    rng = random.Random(4)
    size = (folder / "000001.tar").stat().st_size
    for place in [0, 512, size - 1, *(rng.randrange(size) for _ in range(12))]:
        flip(folder / "000001.tar", place)
        assert ("000001.tar", "") in found(folder, fast=True)
        flip(folder / "000001.tar", place)
    assert found(folder) == []


def test_flipped_bits_of_manifests_and_totals_are_found(copied: Callable[[str], Path]) -> None:
    folder = copied("folders")
    for name in ("records/000002.json", "dataset.json", "plan.json"):
        rng = random.Random(name)
        size = (folder / name).stat().st_size
        before = (folder / name).read_bytes()
        # Between two values, white space in JSON is nothing of the set.
        meant = [place for place in range(size) if not before[place : place + 1].isspace()]
        for place in rng.sample(meant, 8):
            flip(folder / name, place)
            assert found(folder, fast=True), (name, place)
            (folder / name).write_bytes(before)
    assert found(folder, fast=True) == []


def test_a_broken_header_loses_one_part_alone(copied: Callable[[str], Path]) -> None:
    folder = copied("shards")
    with tarfile.open(folder / "000001.tar") as tar:
        offset = next(m.offset for m in tar if m.name == "000000007.alpha.png")
    flip(folder / "000001.tar", offset + 2)
    assert found(folder) == [("000000007", "alpha"), ("000001.tar", "")]


def test_a_shard_that_is_cut_short_names_all_that_it_lost(copied: Callable[[str], Path]) -> None:
    folder = copied("shards")
    file = folder / "000001.tar"
    with tarfile.open(file) as tar:
        offset = next(m.offset for m in tar if m.name == "000000008.plate.jpg")
    file.write_bytes(file.read_bytes()[: offset + 600])
    faults = found(folder)
    assert ("000000007", "") not in faults
    assert {("000000008", ""), ("000000009", ""), ("000001.tar", "")} <= set(faults)


def test_a_chunk_without_any_file_is_missed(copied: Callable[[str], Path]) -> None:
    folder = copied("folders")
    for name in ("000020", "000021", "000022", "000023"):
        for kind in ("bg", "fg_bg", "mask", "depth"):
            (folder / kind / f"{name}.jpg").unlink()
    (folder / "records" / "000004.json").unlink()
    faults = found(folder)
    assert ("", "records/000004.json") in faults
    assert [name for name, part in faults if name] == ["000020", "000021", "000022", "000023"]


@settings(
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    planted=st.dictionaries(
        st.integers(0, 23), st.sampled_from(["cut", "gone", "flip", "empty"]), max_size=12
    ),
    kinds=st.lists(st.sampled_from(["fg_bg", "mask", "depth"]), min_size=24, max_size=24),
)
def test_no_fault_hides_another(
    sets: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    planted: dict[int, str],
    kinds: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("planted") / "set"
    shutil.copytree(sets["folders"], folder)
    for number, fault in planted.items():
        file = folder / kinds[number] / f"{number:06}.jpg"
        if fault == "gone":
            file.unlink()
        elif fault == "flip":
            flip(file, file.stat().st_size // 2)
        else:
            file.write_bytes(file.read_bytes()[: 90 if fault == "cut" else 0])
    expected = {(f"{number:06}", kinds[number]) for number in planted}
    assert set(found(folder)) == expected
