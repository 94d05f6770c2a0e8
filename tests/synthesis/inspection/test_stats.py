"""Statistics of sets against slow references, and their report."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cleanplate.contact_sheet import LINE, as_tile, bars, row
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import read_image, write_image
from cleanplate.synthesis.building.build import build
from cleanplate.synthesis.building.local_engine import run_here
from cleanplate.synthesis.inspection.sample_sheet import draw_sheet
from cleanplate.synthesis.inspection.stats import SkippedSample, measure_set
from cleanplate.synthesis.inspection.stats_document import as_document, as_markdown
from cleanplate.synthesis.inspection.stats_report import JSON, write_report
from cleanplate.synthesis.inspection.stored_set import open_set
from tests.synthesis.building.test_build import members
from tests.synthesis.small_sets import run, small_request, write_assets_folder

FOLDERS = ("bg", "fg_bg", "mask", "depth")


@pytest.fixture(scope="module")
def asset_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_assets_folder(tmp_path_factory.mktemp("asset_folder"))


@pytest.fixture(scope="module")
def shards(asset_folder: Path) -> Path:
    build(small_request(asset_folder, asset_folder / "shards"), run_here)
    return asset_folder / "shards"


@pytest.fixture(scope="module")
def folders(asset_folder: Path) -> Path:
    build(small_request(asset_folder, asset_folder / "folders", "assignment"), run_here)
    return asset_folder / "folders"


def stacks(folder: Path) -> dict[str, np.ndarray]:
    """All pictures of a set by kind, (n, H, W, C), decoded one by one."""
    found: dict[str, list[np.ndarray]] = {}
    if (folder / "fg_bg").is_dir():
        for kind in FOLDERS:
            files = sorted((folder / kind).iterdir())
            found[kind] = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in files]
    else:
        for _, parts in sorted(members(folder).items()):
            for ending, data in parts.items():
                if ending != "json":
                    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
                    found.setdefault(ending.partition(".")[0], []).append(raw)
    whole = {kind: np.stack(pictures) for kind, pictures in found.items()}
    return {
        kind: stack[..., ::-1] if stack.ndim == 4 else stack[..., None]
        for kind, stack in whole.items()
    }


def document_of(folder: Path, **options: Any) -> dict[str, Any]:
    stored = open_set(folder)
    return as_document(stored, measure_set(stored, **options))


@pytest.mark.parametrize("form", ["shards", "folders"])
def test_moments_are_those_of_the_whole_stack(form: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(form)
    stored = open_set(folder)
    stats = measure_set(stored)
    told = as_document(stored, stats)
    reference = stacks(folder)
    assert list(told["pictures"]) == [
        kind
        for kind in ("plate", "frame", "foreground", "alpha", "shadow", "plate_depth", "depth")
        if kind in reference
    ] or list(told["pictures"]) == list(FOLDERS)
    for kind, stack in reference.items():
        metric = stack.dtype == np.uint16
        unit = 1000 if metric else 255
        hidden = (stack == 0) | (stack == 65535) if metric else np.zeros(stack.shape, bool)
        values = np.ma.masked_array(stack.astype(np.float64) / unit, hidden)
        one = told["pictures"][kind]
        assert one["unit"] == ("m" if metric else "1")
        np.testing.assert_allclose(one["mean"], values.mean((0, 1, 2)), rtol=1e-12)
        np.testing.assert_allclose(one["std"], values.std((0, 1, 2)), rtol=1e-9)
        moments = stats.moments[kind]
        np.testing.assert_allclose(moments.mean() / unit, values.mean(0).filled(np.nan), rtol=1e-12)
        np.testing.assert_allclose(
            moments.std() / unit, values.std(0).filled(np.nan), rtol=1e-9, atol=1e-9
        )
        if not metric:
            spread = values.mean((1, 2)).std(0)
            np.testing.assert_allclose(one["std_of_picture_means"], spread, rtol=1e-6, atol=1e-12)
    assert told["samples"] == len(stack)


@pytest.mark.parametrize("form", ["shards", "folders"])
def test_alpha_and_sizes_are_those_of_the_files(form: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(form)
    told = document_of(folder)
    alpha = stacks(folder)["alpha" if form == "shards" else "mask"]
    assert told["alpha"]["mean"] == pytest.approx(float(alpha.mean()) / 255)
    assert told["alpha"]["clear"] == float((alpha == 0).mean())
    assert told["alpha"]["solid"] == float((alpha == 255).mean())
    if form == "folders":
        for kind in FOLDERS:
            sizes = [file.stat().st_size for file in (folder / kind).iterdir()]
            assert told["files"][kind]["bytes"] == sum(sizes)
            assert told["files"][kind]["files"] == len(sizes)
        blocks = {f.stat().st_ino: f.stat().st_blocks * 512 for f in (folder / "bg").iterdir()}
        assert told["files"]["bg"]["bytes_on_disk"] == sum(blocks.values())
        assert len(blocks) < 24
    else:
        sizes = [file.stat().st_size for file in folder.glob("*.tar")]
        assert told["bytes_on_disk"] == sum(sizes)
        assert told["bytes"] == sum(
            len(data) for parts in members(folder).values() for data in parts.values()
        )


def test_depth_of_folders_is_told_in_metres(folders: Path) -> None:
    """From each sample's own scale in the records, pixel by pixel."""
    near, far = [], []
    for record in sorted((folders / "records").iterdir()):
        for sample in json.loads(record.read_text(encoding="utf-8"))["samples"]:
            codes = cv2.imread(str(folders / "depth" / f"{sample['name']}.jpg"), -1) / 255
            low, high = sample["disparity_low"], sample["disparity_high"]
            disparity = low + codes * (high - low)
            near.append(1 / disparity.max())
            far.append(1 / disparity.min())
    told = document_of(folders)["depth"]["depth"]
    assert told["nearest_m"] == pytest.approx(min(near), abs=0.00051)
    assert told["farthest_m"] == pytest.approx(max(far), abs=0.00051)
    assert sum(told["codes"]) == 24 * 48 * 64


@pytest.mark.parametrize("form", ["shards", "folders"])
def test_workers_change_nothing(form: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(form)
    ticks: list[int] = []
    alone = document_of(folder)
    together = document_of(folder, workers=2, on_progress=ticks.append)
    assert together == alone
    assert sum(ticks) == alone["samples"]


@pytest.fixture
def damaged(folders: Path, tmp_path: Path) -> Path:
    """A set with a cut mask, no depth, an empty frame and a mask of another size."""
    shutil.copytree(folders, tmp_path / "set")
    mask = tmp_path / "set" / "mask"
    (mask / "000003.jpg").write_bytes((mask / "000003.jpg").read_bytes()[:60])
    (tmp_path / "set" / "depth" / "000008.jpg").unlink()
    (tmp_path / "set" / "fg_bg" / "000013.jpg").write_bytes(b"")
    write_image(mask / "000021.jpg", np.zeros((48, 60), np.uint8))
    return tmp_path / "set"


def test_a_damaged_part_is_named(damaged: Path) -> None:
    with pytest.raises(CleanplateError, match="cannot be decoded") as caught:
        measure_set(open_set(damaged))
    assert str(caught.value.file) == "mask/000003.jpg"
    assert "--skip-bad" in str(caught.value)


def test_bad_samples_are_left_out_and_listed(damaged: Path, folders: Path, tmp_path: Path) -> None:
    stored = open_set(damaged)
    stats = measure_set(stored, skip_bad=True)
    assert [bad[:2] for bad in stats.bad] == [
        ("000003", "mask/000003.jpg"),
        ("000008", "000008"),
        ("000013", "fg_bg/000013.jpg"),
        ("000021", "mask/000021.jpg"),
    ]
    assert stats.bad[1].what == "depth missing"
    assert stats.bad[3].what == "is 60 x 48, the plan says 64 x 48"
    # The same as if those samples had never been.
    whole = tmp_path / "whole"
    shutil.copytree(folders, whole)
    for kind in FOLDERS:
        for name in ("000003", "000008", "000013", "000021"):
            (whole / kind / f"{name}.jpg").unlink()
    told, clean = (document_of(folder, skip_bad=True) for folder in (damaged, whole))
    assert told["samples"] == clean["samples"] == 20
    for key in ("pictures", "alpha", "depth", "files"):
        assert told[key] == clean[key]
    text = as_markdown(told)
    assert "| 000003 | mask/000003.jpg | cannot be decoded |" in text


def test_a_broken_shard_is_listed_too(shards: Path, tmp_path: Path) -> None:
    shutil.copytree(shards, tmp_path / "set")
    file = tmp_path / "set" / "000001.tar"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CleanplateError, match=r"000001\.tar.*(cannot be read|is cut short)"):
        measure_set(open_set(tmp_path / "set"))
    stats = measure_set(open_set(tmp_path / "set"), skip_bad=True)
    assert [bad for bad in stats.bad if not bad.sample] == [
        SkippedSample("", "000001.tar", stats.bad[0].what)
    ]
    assert 7 <= stats.samples < 12


def test_sets_without_a_plan_are_measured_too(tmp_path: Path) -> None:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(3)
    write_image(tmp_path / "bg" / "room.png", rng.integers(0, 256, (6, 8, 3), np.uint8))
    for name in ("room_1", "room_2", "room_3"):
        write_image(tmp_path / "fg_bg" / f"{name}.png", rng.integers(0, 256, (6, 8, 3), np.uint8))
        write_image(tmp_path / "mask" / f"{name}.png", rng.integers(0, 256, (6, 8), np.uint8))
        write_image(tmp_path / "depth" / f"{name}.png", rng.integers(0, 9, (6, 8), np.uint16))
    told = document_of(tmp_path)
    assert told["preset"] is None
    assert told["files"]["bg"]["files"] == 3
    assert told["pictures"]["depth"]["unit"] == "m"
    assert told["depth"]["depth"]["farthest_m"] == 0.008
    assert told["pictures"]["bg"]["std_of_picture_means"] == [0, 0, 0]


def without_record(document: dict) -> dict:
    """The figures, without what tells whose file it is."""
    return {k: v for k, v in document.items() if k not in ("tool", "owns", "seal")}


@pytest.mark.parametrize("form", ["shards", "folders"])
def test_the_report_holds_numbers_and_pictures(
    form: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(form)
    stored = open_set(folder)
    stats = measure_set(stored)
    write_report(tmp_path / "stats", stored, stats, rows=3)
    told = json.loads((tmp_path / "stats" / "stats.json").read_text(encoding="utf-8"))
    assert without_record(told) == as_document(stored, stats)
    assert set(told["owns"]) == {path.name for path in (tmp_path / "stats").iterdir()} - {JSON}
    exact = np.load(tmp_path / "stats" / "moments.npz")
    reference = stacks(folder)
    for kind, one in told["pictures"].items():
        assert exact[f"{kind}_mean"].shape == (48, 64, one["channels"])
        if one["unit"] == "m":
            assert not (tmp_path / "stats" / f"mean_{kind}.png").exists()
            continue
        for what in ("mean", "std"):
            values = getattr(np, what)(reference[kind] / 255, axis=0)
            np.testing.assert_allclose(exact[f"{kind}_{what}"], values, atol=1e-6)
            picture = read_image(tmp_path / "stats" / f"{what}_{kind}.png")
            assert picture.dtype == np.uint16
            np.testing.assert_allclose(picture / 65535, values * np.ones(3), atol=1e-5)
    text = (tmp_path / "stats" / "STATS.md").read_text(encoding="utf-8")
    for name in ("moments.png", "histograms.png", "sheet.jpg"):
        assert f"]({name})" in text
        assert read_image(tmp_path / "stats" / name).std() > 1
    assert f"{told['samples']:,} samples" in text


def test_the_sheet_shows_parts_where_they_belong(folders: Path) -> None:
    sheet = draw_sheet(open_set(folders), 2, tile_width=64)
    assert sheet.shape == (LINE + 2 * (LINE + 48), 4 * 64, 3)
    reference = stacks(folders)
    for place, name in enumerate((6, 18)):
        top = LINE + place * (LINE + 48) + LINE
        for column, kind in enumerate(("bg", "fg_bg", "mask")):
            tile = sheet[top : top + 48, column * 64 : (column + 1) * 64]
            np.testing.assert_array_equal(tile, reference[kind][name] * np.ones(3, np.uint8))
        depth = sheet[top : top + 48, 3 * 64 :].astype(int).sum(-1)
        codes = reference["depth"][name][..., 0]
        assert depth[codes > 200].mean() > depth[codes < 50].mean() + 100  # near = bright


def test_the_sheet_leaves_what_is_damaged_empty(damaged: Path) -> None:
    sheet = draw_sheet(open_set(damaged), 24, tile_width=64)
    strip = LINE + 48
    tile = sheet[LINE + 3 * strip + LINE :][:48, 128:192]
    assert (tile[30:] == tile[40, 40]).all()


def test_bars_are_as_high_as_their_values() -> None:
    tile = bars([0, 1, 2, 4], (200, 220), "", {0: "a", 4: "b"})
    blue = (tile == (120, 170, 230)).all(-1)
    heights = [int(blue[:, 10 + 50 * k + 20].sum()) for k in range(4)]
    assert heights[0] == 0
    assert heights[3] == pytest.approx(200 - 2 * LINE - 8, abs=1)
    assert heights[1] == pytest.approx(heights[3] / 4, abs=1)
    assert heights[2] == pytest.approx(heights[3] / 2, abs=1)


def test_tiles_of_every_kind_of_picture() -> None:
    grey = np.full((2, 3), 65535, np.uint16)
    assert as_tile(grey).shape == (2, 3, 3)
    assert (as_tile(grey) == 255).all()
    assert (as_tile(np.full((2, 3, 3), 0.5, np.float32)) == 128).all()
    assert row([None, as_tile(grey)], (30, 40)).shape == (30, 80, 3)


def test_the_command_writes_the_report_and_the_card(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    shutil.copytree(shards, out)
    program = [sys.executable, "-m", "cleanplate", "synth", "stats", str(out)]
    done = run([*program, "--workers", "1", "--json", "-", "--quiet"])
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    written = json.loads((out / "stats" / "stats.json").read_text(encoding="utf-8"))
    assert without_record(json.loads(done.stdout)) == without_record(written)
    assert "## Figures" in (out / "DATASET_CARD.md").read_text(encoding="utf-8")
    (out / "000001.tar").write_bytes(b"x" * 2000)
    failed = run([*program, "--workers", "1"])
    assert failed.returncode == 2
    assert "000001.tar" in failed.stderr
    assert "Traceback" not in failed.stderr
