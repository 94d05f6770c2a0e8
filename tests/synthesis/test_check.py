"""Healthy sets have no fault; each planted fault is found, by name, and none hides another."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cleanplate.errors import CleanplateError
from cleanplate.pictures import write_image
from cleanplate.synthesis import CompositorSettings
from cleanplate.synthesis.build import build
from cleanplate.synthesis.check import check
from cleanplate.synthesis.engines.local import run_here
from cleanplate.synthesis.faults import Fault, depth_faults
from tests.synthesis.building import order, run, write_stock


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stock(tmp_path_factory.mktemp("stock"))


@pytest.fixture(scope="module")
def built(stock: Path) -> dict[str, Path]:
    """One set of each form; `still`: shards whose plates and frames are seen by one camera."""
    still = CompositorSettings(camera=False, identical_share=0.0)
    build(order(stock, stock / "shards"), run_here)
    build(order(stock, stock / "still", settings=still), run_here)
    build(order(stock, stock / "folders", "assignment"), run_here)
    return {form: stock / form for form in ("shards", "still", "folders")}


@pytest.fixture
def copy(built: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda form: Path(shutil.copytree(built[form], tmp_path / form))


def found(folder: Path, **options: Any) -> list[tuple[str, str]]:
    """Sample and part of each fault."""
    return [fault[:2] for fault in check(folder, **options).faults]


def rewrite(folder: Path, shard: str, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change the members of a shard and let its record and the set's totals speak true of it."""
    file = folder / f"{shard}.tar"
    with tarfile.open(file) as tar:
        parts = {member.name: tar.extractfile(member).read() for member in tar}
    change(parts)
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    record = folder / "records" / f"{shard}.json"
    told = json.loads(record.read_text())
    told["bytes"] = file.stat().st_size
    told["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    record.write_text(json.dumps(told))
    settle(folder)


def settle(folder: Path) -> None:
    """Make `dataset.json` the sum of the records again."""
    digest, size = hashlib.sha256(), 0
    for record in sorted((folder / "records").iterdir()):
        digest.update(record.read_bytes())
        size += json.loads(record.read_text())["bytes"]
    whole = json.loads((folder / "dataset.json").read_text())
    whole |= {"records_sha256": digest.hexdigest(), "bytes": size}
    (folder / "dataset.json").write_text(json.dumps(whole))


def png(array: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", array)[1])


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("form", ["shards", "still", "folders"])
@pytest.mark.parametrize("fast", [False, True])
def test_a_healthy_set_has_no_fault(built: dict[str, Path], form: str, fast: bool) -> None:
    verdict = check(built[form], fast=fast)
    assert verdict.faults == []
    assert verdict.notes == []
    assert verdict.samples == (24 if form == "folders" else 12)


def test_workers_find_the_same(copy: Callable[[str], Path]) -> None:
    folder = copy("folders")
    (folder / "mask" / "000003.jpg").unlink()
    flip(folder / "depth" / "000020.jpg", 100)
    alone = check(folder)
    ticks: list[int] = []
    totals: list[int | None] = []
    both = check(folder, workers=2, begins=totals.append, tick=ticks.append)
    assert both == alone
    assert {fault[:2] for fault in alone.faults} == {("000003", "mask"), ("000020", "depth")}
    assert (totals, sum(ticks)) == ([24], 24)


def test_each_fault_of_folders_is_named(copy: Callable[[str], Path]) -> None:
    folder = copy("folders")
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
    (folder / "records" / ".000001-0123abcd.json").write_text("{")
    what = {tuple(fault[:2]): [] for fault in check(folder).faults}
    for fault in check(folder).faults:
        what[fault[:2]].append(fault.what)
    changed = "has changed: its sha256 is not the record's"
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


def test_fast_finds_what_is_missing_or_changed(copy: Callable[[str], Path]) -> None:
    folder = copy("folders")
    (folder / "depth" / "000002.jpg").unlink()
    flip(folder / "fg_bg" / "000007.jpg", 300)
    assert found(folder, fast=True) == [("000002", "depth"), ("000007", "fg_bg")]


def test_each_fault_of_shards_is_named(copy: Callable[[str], Path]) -> None:
    folder = copy("shards")

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
    assert [str(fault) for fault in check(folder).faults] == [
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
    [what] = [fault.what for fault in check(folder).faults if fault.sample == name]
    assert "where alpha is 0" in what
    return what


def test_depth_behind_the_plate_is_found(copy: Callable[[str], Path]) -> None:
    """In one pixel, where plate and frame are seen by one camera."""
    folder = copy("still")
    with tarfile.open(folder / "000000.tar") as tar:
        alphas = {
            member.name[:9]: decoded(tar.extractfile(member).read())
            for member in tar
            if member.name.endswith("alpha.png")
        }
    solid = next(name for name, alpha in alphas.items() if (alpha == 255).any())
    clear = next(name for name in alphas if name != solid)

    def change(parts: dict[str, bytes]) -> None:
        for name, value in ((solid, 255), (clear, 0)):
            depth = decoded(parts[f"{name}.depth.png"])
            plate = decoded(parts[f"{name}.plate_depth.png"])
            row, column = np.argwhere(alphas[name] == value)[0]
            depth[row, column] = plate[row, column] + 250
            parts[f"{name}.depth.png"] = png(depth)

    rewrite(folder, "000000", change)
    assert sorted(map(str, check(folder).faults)) == sorted(
        [
            f"{solid} depth: lies behind the plate at 1 pixels where alpha is 1, by up to 0.25 m",
            f"{clear} depth: is not the plate's at 1 pixels where alpha is 0",
        ]
    )


def test_a_flipped_bit_anywhere_is_found(copy: Callable[[str], Path]) -> None:
    folder = copy("shards")
    rng = random.Random(4)
    size = (folder / "000001.tar").stat().st_size
    for place in [0, 512, size - 1, *(rng.randrange(size) for _ in range(12))]:
        flip(folder / "000001.tar", place)
        assert ("000001.tar", "") in found(folder, fast=True)
        flip(folder / "000001.tar", place)
    assert found(folder) == []


def test_flipped_bits_of_records_and_totals_are_found(copy: Callable[[str], Path]) -> None:
    folder = copy("folders")
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


def test_a_broken_header_loses_one_part_alone(copy: Callable[[str], Path]) -> None:
    folder = copy("shards")
    with tarfile.open(folder / "000001.tar") as tar:
        offset = next(m.offset for m in tar if m.name == "000000007.alpha.png")
    flip(folder / "000001.tar", offset + 2)
    assert found(folder) == [("000000007", "alpha"), ("000001.tar", "")]


def test_a_shard_that_is_cut_short_names_all_that_it_lost(copy: Callable[[str], Path]) -> None:
    folder = copy("shards")
    file = folder / "000001.tar"
    with tarfile.open(file) as tar:
        offset = next(m.offset for m in tar if m.name == "000000008.plate.jpg")
    file.write_bytes(file.read_bytes()[: offset + 600])
    faults = found(folder)
    assert ("000000007", "") not in faults
    assert {("000000008", ""), ("000000009", ""), ("000001.tar", "")} <= set(faults)


def test_unfinished_sets_are_told(copy: Callable[[str], Path]) -> None:
    folder = copy("shards")
    (folder / "records" / "000001.json").unlink()
    (folder / "000002.tar").unlink()
    (folder / "dataset.json").unlink()
    (folder / "DATASET_CARD.md").unlink()
    shutil.copyfile(folder / "000000.tar", folder / "000007.tar")
    (folder / ".000002-89abcdef.tar").write_bytes(b"half")
    faults = [str(fault) for fault in check(folder, fast=True).faults]
    assert [one for one in faults if not one.startswith("00000000")] == [
        ".000002-89abcdef.tar: is a leftover of a killed process",
        "DATASET_CARD.md: is missing",
        "dataset.json: is missing: the build has not ended",
        "records/000001.json: is missing: this part of the set was never finished",
        "000002.tar: is missing, though its record says that it was finished",
    ]
    strangers = [one for one in faults if one.endswith("is not a sample of the plan")]
    assert len(strangers) == 5


def test_a_chunk_without_any_file_is_missed(copy: Callable[[str], Path]) -> None:
    folder = copy("folders")
    for name in ("000020", "000021", "000022", "000023"):
        for kind in ("bg", "fg_bg", "mask", "depth"):
            (folder / kind / f"{name}.jpg").unlink()
    (folder / "records" / "000004.json").unlink()
    faults = found(folder)
    assert ("", "records/000004.json") in faults
    assert [name for name, part in faults if name] == ["000020", "000021", "000022", "000023"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told.update(first=3), "5 samples from 3"),
        (lambda told: told.update(sha256="xyz"), "non-hexadecimal"),
        (lambda told: told.pop("bytes"), "bytes"),
        (lambda told: told.update(skipped=7), "not iterable"),
    ],
)
def test_records_that_are_none_are_told(
    copy: Callable[[str], Path], change: Callable[[dict[str, Any]], None], said: str
) -> None:
    folder = copy("shards")
    record = folder / "records" / "000001.json"
    told = json.loads(record.read_text())
    change(told)
    record.write_text(json.dumps(told))
    faults = [fault for fault in check(folder).faults if fault.part == "records/000001.json"]
    assert len(faults) == 1
    assert said in faults[0].what


def test_totals_that_lie_are_told(copy: Callable[[str], Path]) -> None:
    folder = copy("shards")
    file = folder / "dataset.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "samples": 11}))
    [fault] = check(folder).faults
    assert str(fault) == "dataset.json: samples is 11, by plan and records 12"
    file.write_text("{}")
    assert set(found(folder)) == {("", "dataset.json"), ("", "plan.json")}
    file.write_text("[")
    assert found(folder) == [("", "dataset.json")]


def test_a_damaged_plan_does_not_stop_the_check(copy: Callable[[str], Path]) -> None:
    folder = copy("folders")
    (folder / "plan.json").write_text("{")
    (folder / "mask" / "000003.jpg").write_bytes(b"x")
    verdict = check(folder)
    assert [fault[:2] for fault in verdict.faults] == [("", "plan.json"), ("000003", "mask")]
    assert len(verdict.notes) == 1


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
    verdict = check(tmp_path)
    assert verdict.faults == [
        Fault("b", "depth", "is missing"),
        Fault("c", "mask", "is 9 x 6, not 8 x 6"),
    ]
    assert "no plan" in verdict.notes[0]
    with pytest.raises(CleanplateError, match="is no folder"):
        check(tmp_path / "nothing")


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
    built: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    planted: dict[int, str],
    kinds: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("planted") / "set"
    shutil.copytree(built["folders"], folder)
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


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Alpha, depth and plate's depth of a subject before a slope with a step."""
    plate = (np.linspace(5000, 2000, 64)[:, None] * np.ones(64)).astype(np.uint16)
    plate[20:40, 40:] = 1500
    alpha = np.zeros((64, 64), np.uint8)
    alpha[16:48, 20:36] = 255
    depth = np.where(alpha == 255, np.uint16(1400), plate)
    return alpha, depth, plate


def test_depth_rules_hold_for_rounding_and_the_unknown() -> None:
    alpha, depth, plate = scene()
    assert list(depth_faults(alpha, depth, plate, moved=False)) == []
    touching = depth.copy()
    touching[30, 22] = plate[30, 22] + 1  # rounded apart
    touching[5, 5] += 1
    touching[6, 6] = 0  # not known
    assert list(depth_faults(alpha, touching, plate, moved=False)) == []
    unknown = plate.copy()
    unknown[30, 22] = 0
    depth[30, 22] = 60000
    assert list(depth_faults(alpha, depth, unknown, moved=False)) == []
    assert len(list(depth_faults(alpha, depth, plate, moved=False))) == 1


def test_infinity_behind_the_plate_is_found() -> None:
    alpha, depth, plate = scene()
    depth[30, 22] = 65535
    [what] = depth_faults(alpha, depth, plate, moved=False)
    assert "1 pixels where alpha is 1" in what


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (0, -2), (-1, 1)])
def test_a_moved_plate_is_no_fault_but_a_wrong_depth_is(shift: tuple[int, int]) -> None:
    alpha, depth, plate = scene()
    plate = np.roll(plate, shift, (0, 1))
    assert list(depth_faults(alpha, depth, plate, moved=True)) == []
    behind = np.where(alpha == 255, np.uint16(9000), depth)
    assert "behind the plate" in next(depth_faults(alpha, behind, plate, moved=True))
    strays = np.where(alpha == 0, depth * np.uint16(2), depth)
    assert "alpha is 0" in next(depth_faults(alpha, strays, plate, moved=True))


def test_the_command_tells_by_its_exit_code(copy: Callable[[str], Path], tmp_path: Path) -> None:
    folder = copy("folders")
    program = [sys.executable, "-m", "cleanplate", "synth", "check", "--workers", "1"]
    done = run([*program, str(folder)])
    assert (done.returncode, done.stdout) == (0, "24 samples: whole.\n"), done.stderr
    (folder / "mask" / "000003.jpg").unlink()
    done = run([*program, str(folder), "--json", "--quiet"])
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert told["faults"] == [{"sample": "000003", "part": "mask", "what": "is missing"}]
    assert not told["whole"]
    done = run([*program, str(tmp_path / "none")])
    assert done.returncode == 2
    assert "is no folder" in done.stderr
