"""Building a set: contents, resuming, and errors."""

from __future__ import annotations

import io
import json
import tarfile
from functools import partial
from pathlib import Path

import click
import cv2
import numpy as np
import pytest

from cleanplate.cli.synth.build_command import command as synth_build
from cleanplate.cli.synth.build_command import read_settings
from cleanplate.depth import depth_to_disparity
from cleanplate.errors import CleanplateError
from cleanplate.files.lock import held_alone, shared
from cleanplate.formats.pictures import read_alpha, read_image, write_image
from cleanplate.synthesis import Composer, CompositorSettings
from cleanplate.synthesis.building import shard_job as job_room
from cleanplate.synthesis.building.build import BuildProgress, build
from cleanplate.synthesis.building.build_request import make_plan
from cleanplate.synthesis.building.local_engine import run_here, run_local
from cleanplate.synthesis.building.plan import read_plan
from cleanplate.synthesis.building.presets import PRESETS
from cleanplate.synthesis.building.shard_job import Job, make_shard, sampler_of
from tests.synthesis.small_sets import (
    command,
    digests,
    run,
    small_request,
    unfinished,
    write_assets_folder,
)

SIZE = (48, 64)


@pytest.fixture(scope="module")
def asset_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_assets_folder(tmp_path_factory.mktemp("asset_folder"))


def members(out: Path) -> dict[str, dict[str, bytes]]:
    """Parts of each sample of all shards, by ending."""
    found: dict[str, dict[str, bytes]] = {}
    for file in sorted(out.glob("*.tar")):
        with tarfile.open(file) as tar:
            for member in tar:
                assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
                name, _, ending = member.name.partition(".")
                found.setdefault(name, {})[ending] = tar.extractfile(member).read()
    return found


def test_a_shard_holds_what_the_composer_makes(asset_folder: Path, tmp_path: Path):
    settings = CompositorSettings(identical_share=0.2)
    outcome = build(
        small_request(asset_folder, tmp_path / "set", settings=settings, seed=9), run_here
    )
    assert (outcome.samples, outcome.made, outcome.shards) == (12, 12, 3)
    composer = Composer.from_folders(
        asset_folder / "plates", asset_folder / "cutouts", seed=9, settings=settings
    )
    found = members(tmp_path / "set")
    assert sorted(found) == [f"{index:09}" for index in range(12)]
    subjects = 0
    for index, parts in enumerate(found[name] for name in sorted(found)):
        expected = composer.sample(index, SIZE)
        read = {ending: io.BytesIO(data) for ending, data in parts.items()}
        for part in ("plate", "frame"):
            picture = read_image(read[f"{part}.jpg"]).astype(int)
            assert np.abs(picture - expected[part]).mean() < 3
        assert np.array_equal(read_image(read["foreground.png"]), expected["foreground"])
        for part in ("alpha", "shadow"):
            assert (
                np.abs(read_alpha(read[f"{part}.png"]) - expected[part]).max() <= 0.5 / 255 + 1e-6
            )
        for part in ("plate_depth", "depth"):
            stored = cv2.imdecode(np.frombuffer(parts[f"{part}.png"], np.uint8), -1)
            true = expected[part.replace("depth", "disparity")]
            got = depth_to_disparity(stored.astype(np.float32) / 1000)
            assert np.allclose(1 / got, 1 / true, atol=0.00051, rtol=1e-6)
        metadata = json.loads(parts["json"])
        assert metadata["index"] == index
        assert metadata["plate"].startswith("plates/room")
        assert bool(metadata["subjects"]) == bool(expected["alpha"].any())
        subjects += len(metadata["subjects"])
    assert subjects > 5


def test_manifests_and_totals_match_the_files(asset_folder: Path, tmp_path: Path):
    out = tmp_path / "set"
    outcome = build(small_request(asset_folder, out), run_here)
    files = digests(out)
    total = 0
    for shard in range(3):
        record = json.loads((out / "records" / f"{shard:06}.json").read_text(encoding="utf-8"))
        assert record["sha256"] == files[f"{shard:06}.tar"]
        assert (record["first"], record["count"]) == (shard * 5, min(5, 12 - shard * 5))
        assert record["bytes"] == (out / record["file"]).stat().st_size
        total += record["bytes"]
    assert (
        json.loads((out / "dataset.json").read_text(encoding="utf-8"))["bytes"]
        == total
        == outcome.bytes
    )
    assert "CC0-1.0" in (out / "DATASET_CARD.md").read_text(encoding="utf-8")
    assert unfinished(out) == []


@pytest.mark.parametrize("preset", ["realistic", "assignment"])
def test_many_workers_make_the_same_bytes_as_one_process(
    asset_folder: Path, tmp_path: Path, preset: str
):
    build(small_request(asset_folder, tmp_path / "one", preset), run_here)
    made: list[int] = []
    watch = BuildProgress(on_progress=made.append)
    outcome = build(
        small_request(asset_folder, tmp_path / "three", preset),
        partial(run_local, workers=3),
        watch,
    )
    assert digests(tmp_path / "one") == digests(tmp_path / "three")
    assert made[-1] <= outcome.samples
    assert outcome.memory[-1]["samples"] == outcome.samples
    assert outcome.cpu_seconds > 0


def test_an_assignment_on_disk(asset_folder: Path, tmp_path: Path):
    out = tmp_path / "set"
    build(small_request(asset_folder, out, "assignment"), run_here)
    names = [f"{index:06}.jpg" for index in range(3 * 2 * 2 * 2)]
    for folder in ("bg", "fg_bg", "mask", "depth"):
        assert sorted(file.name for file in (out / folder).iterdir()) == names
    plan = read_plan(out)
    samples = [
        sample
        for shard in range(plan.shards)
        for sample in json.loads(
            (out / "records" / f"{shard:06}.json").read_text(encoding="utf-8")
        )["samples"]
    ]
    files = digests(out)
    for index, sample in enumerate(samples):
        assert sample["name"] == f"{index:06}"
        plate, cutout, flip, placement = plan.assignment_indices(index)
        assert sample["plate"] == plan.plates[plate].name
        assert sample["cutout"] == plan.cutouts[cutout].name
        assert (sample["flip"], sample["placement"]) == (flip, placement)
        for folder, digest in sample["sha256"].items():
            assert files[f"{folder}/{index:06}.jpg"] == digest
    # One file under the names of all samples of a plate and chunk, where links are known.
    plates = [(out / "bg" / name).read_bytes() for name in names]
    assert len(set(plates)) == 3
    numbers = {(out / "bg" / name).stat().st_ino for name in names}
    assert len(numbers) in (3 + plan.shards - 1, len(names))


@pytest.mark.parametrize("preset", ["realistic", "assignment"])
def test_data_whose_manifest_cannot_be_written_is_removed(
    asset_folder: Path, tmp_path: Path, preset: str
):
    """A disk may be full just then. A folder in the record's place refuses it as surely."""
    out = tmp_path / "set"
    (out / "records" / "000000.json" / "in the way").mkdir(parents=True)
    plan, plates, cutouts = make_plan(
        small_request(asset_folder, out, preset), None, lambda numbers: numbers
    )
    job = Job(out, plan, plates.files, cutouts.files)
    with pytest.raises(CleanplateError, match=r"000000\.json"):
        make_shard(job, 0, lambda _: None)
    assert [file for file in out.rglob("*") if file.is_file()] == []
    (out / "records" / "000000.json" / "in the way").rmdir()
    (out / "records" / "000000.json").rmdir()
    assert make_shard(job, 0, lambda _: None).samples == 5


def test_an_assignments_pictures_fit_together(asset_folder: Path, tmp_path: Path):
    """Against the sampler's own arrays: the frame is the plate but for the mask, code by code."""
    plan, plates, cutouts = make_plan(
        small_request(asset_folder, tmp_path, "assignment", size=(72, 72)),
        None,
        lambda numbers: numbers,
    )
    sampler = sampler_of(Job(tmp_path, plan, plates.files, cutouts.files))
    for index in range(plan.count):
        files, metadata = sampler.sample(index)
        read = {
            name: cv2.imdecode(np.frombuffer(data, np.uint8), -1) for name, data in files.items()
        }
        assert read["bg"].shape == read["fg_bg"].shape == (72, 72, 3)
        solid = read["mask"] > 127
        assert solid.mean() > 0.0012
        inside = cv2.erode(solid.astype(np.uint8), np.ones((17, 17))) > 0
        outside = cv2.dilate(solid.astype(np.uint8), np.ones((17, 17))) == 0
        # Blocks of the JPEG that the edge does not touch.
        assert np.abs(read["fg_bg"].astype(int) - read["bg"])[outside].max(initial=0) <= 40
        if inside.any():
            assert read["fg_bg"][inside].std(axis=0).max() < 6, "a blob has one colour"
        low, high = metadata["disparity_low"], metadata["disparity_high"]
        assert 0 < low < high
        metres = 1 / (low + read["depth"] / 255 * (high - low))
        assert metres[outside].min() > 0.9 * 1.5
        if inside.any():
            assert np.abs(metres[inside] - metadata["z"]).max() < 0.15 * metadata["z"]


def test_finished_is_finished(asset_folder: Path, tmp_path: Path):
    build(small_request(asset_folder, tmp_path), run_here)
    before = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*") if f.name != ".lock"}
    outcome = build(small_request(asset_folder, tmp_path), run_here)
    assert outcome.made == 0
    assert outcome.samples == 12
    assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*") if f.name != ".lock"} == before


@pytest.mark.parametrize("preset", ["realistic", "assignment"])
@pytest.mark.parametrize("harm", ["shard", "record", "short", "end", "leftover"])
def test_what_is_missing_is_made_again(asset_folder: Path, tmp_path: Path, preset: str, harm: str):
    build(small_request(asset_folder, tmp_path, preset), run_here)
    whole = digests(tmp_path)
    record = tmp_path / "records" / "000001.json"
    if harm == "shard" and preset == "realistic":
        (tmp_path / "000001.tar").unlink()
    elif harm == "short" and preset == "realistic":
        with (tmp_path / "000001.tar").open("r+b") as file:
            file.truncate(2048)
    elif harm == "leftover":
        (tmp_path / ".000001-0123abcd.tar").write_bytes(b"half")
        (tmp_path / "dataset.json").unlink()
    elif harm == "end":
        (tmp_path / "dataset.json").unlink()
    else:
        record.unlink()
        if preset == "assignment":
            (tmp_path / "mask" / "000006.jpg").write_bytes(b"half")
            (tmp_path / "bg" / "000007.jpg").unlink()
    outcome = build(small_request(asset_folder, tmp_path, preset), run_here)
    assert outcome.made == (0 if harm in ("leftover", "end") else 5)
    assert digests(tmp_path) == whole
    assert unfinished(tmp_path) == []


def test_another_plan_in_the_same_folder(asset_folder: Path, tmp_path: Path):
    build(small_request(asset_folder, tmp_path), run_here)
    with pytest.raises(CleanplateError, match=r"seed: 0 there, 3 here\n.*\n?.*count|count.*\n.*"):
        build(small_request(asset_folder, tmp_path, seed=3, count=13), run_here)
    with pytest.raises(CleanplateError, match="preset: realistic there, assignment here"):
        build(small_request(asset_folder, tmp_path, "assignment"), run_here)


def test_an_asset_that_changes_on_the_way(tmp_path: Path):
    asset_folder, out = write_assets_folder(tmp_path / "asset_folder"), tmp_path / "set"

    def fresh(job, shards, watch):
        """As if each shard were made by a process of its own."""
        for shard in shards:
            job_room._kept().clear()
            yield from run_here(job, [shard], watch)

    def engine(job, shards, watch):
        made = fresh(job, shards, watch)
        yield next(made)
        for file in (asset_folder / "plates").glob("room?.png"):
            file.write_bytes(file.read_bytes() + b" ")
        yield from made

    with pytest.raises(CleanplateError, match=r"room\d\.png: has changed since the set"):
        build(small_request(asset_folder, out), engine)
    assert sorted(f.name for f in out.glob("*.tar")) == ["000000.tar"]
    with pytest.raises(CleanplateError, match="the files of plates/room0 have changed"):
        build(small_request(asset_folder, out), run_here)


def harmed(folder: Path) -> Path:
    asset_folder = write_assets_folder(folder)
    (asset_folder / "plates" / "room1.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    (asset_folder / "plates" / "room2_depth.png").unlink()
    write_image(asset_folder / "cutouts" / "solid.png", np.full((30, 30, 3), 9, np.uint8))
    (asset_folder / "cutouts" / "blob1.json").write_text(
        json.dumps({"size_m": "tall", "license": "MIT"}), encoding="utf-8"
    )
    (asset_folder / "cutouts" / "catalogue.json").write_text(
        json.dumps({"license": "CC0-1.0"}), encoding="utf-8"
    )
    return asset_folder


def test_unusable_assets_are_named_before_anything_is_made(tmp_path: Path):
    asset_folder, out = harmed(tmp_path / "asset_folder"), tmp_path / "set"
    told = []
    for _ in range(4):
        with pytest.raises(CleanplateError) as caught:
            build(small_request(asset_folder, out, "assignment"), run_here)
        told.append(f"{caught.value.file.name}: {caught.value.what}")
        assert [f.name for f in out.iterdir()] == [".lock"]
        for file in caught.value.file.parent.glob(f"{caught.value.file.stem}*"):
            file.unlink()
    assert "room1.png" in told[0]
    assert "room2.png: has no depth" in told[1]
    assert "blob1.json: does not have the form" in told[2]
    assert "solid.png: has no alpha" in told[3]
    assert build(small_request(asset_folder, out, "assignment"), run_here).samples == 1 * 1 * 2 * 2


def test_bad_ones_are_left_out_on_request(tmp_path: Path):
    asset_folder, out = harmed(tmp_path / "asset_folder"), tmp_path / "set"
    arguments = ["--preset", "assignment", "--size", "64x48", "--placements", "2"]
    done = run(
        [*command(asset_folder, out, *arguments), "--skip-bad", "--json", "-", "--workers", "0"]
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["samples"] == 1 * 1 * 2 * 2
    names = ["plates/room1", "plates/room2", "cutouts/blob1", "cutouts/solid"]
    assert [one["name"] for one in outcome["skipped"]] == names
    assert (
        outcome["skipped"]
        == json.loads((out / "dataset.json").read_text(encoding="utf-8"))["skipped"]
    )
    for name in names:
        assert f"skipped {name}: " in done.stderr
    assert "no alpha channel" in done.stderr
    again = build(
        small_request(asset_folder, out, "assignment", skip_bad=True, shard_size=8), run_here
    )
    assert again.made == 0


def test_plain_photos_and_plain_cutouts(tmp_path: Path):
    """A plate without depth is as good as any for the realistic preset; its samples have none."""
    asset_folder = write_assets_folder(tmp_path / "asset_folder", depth=False)
    for file in asset_folder.glob("*/*.json"):
        file.unlink()
    out = tmp_path / "set"
    build(small_request(asset_folder, out, assume_license="CC0-1.0"), run_here)
    for parts in members(out).values():
        assert "plate.jpg" in parts
        assert "alpha.png" in parts
        assert "depth.png" not in parts
        assert "plate_depth.png" not in parts


def test_a_folder_that_is_no_set_is_not_written_into(asset_folder: Path, tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(CleanplateError, match="is not empty, and holds no set"):
        build(small_request(asset_folder, tmp_path), run_here)
    assert {f.name for f in tmp_path.iterdir()} == {"thesis.txt", ".lock"}


def test_one_build_at_a_time(asset_folder: Path, tmp_path: Path):
    with held_alone(tmp_path):
        with shared(tmp_path):
            pass
        with (
            pytest.raises(CleanplateError, match="another build is at work"),
            held_alone(tmp_path, 0.2),
        ):
            pass
    with shared(tmp_path), pytest.raises(CleanplateError, match="another build"):  # noqa: SIM117
        with held_alone(tmp_path, 0.2):  # an orphaned worker counts as well
            pass
    with held_alone(tmp_path, 0.2):
        pass


def test_settings_of_the_command():
    assert read_settings("realistic", []) is None
    settings = read_settings("realistic", ["tone=0.5", "mirror=no", "subjects=3,1"])
    assert settings == CompositorSettings(tone=0.5, mirror=False, subjects=(3.0, 1.0))
    for wrong in ("tone=much", "mirror=perhaps", "subjects=a", "textures=here", "tone"):
        with pytest.raises(click.UsageError, match=f"--set {wrong}"):
            read_settings("realistic", [wrong])
    with pytest.raises(CleanplateError, match="tone = -7"):
        read_settings("realistic", ["identical_share=0.1", "tone=-7"])


def test_the_command_knows_all_presets():
    [option] = [one for one in synth_build.params if one.name == "preset"]
    assert list(option.type.choices) == list(PRESETS)


def test_no_data_is_needed(tmp_path: Path):
    arguments = ["--count", "4", "--size", "48x48", "--plates-count", "1", "--cutouts-count", "2"]
    call = [*command(tmp_path, tmp_path / "set")[:7], *arguments, "--workers", "0", "--json", "-"]
    done = run([*call, "--set", "camera=no", "--set", "subjects=1,0"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples"] == 4
    plan = json.loads((tmp_path / "set" / "plan.json").read_text(encoding="utf-8"))
    assert plan["settings"]["camera"] is False
    assert plan["settings"]["subjects"] == [1.0, 0.0]
    wrong = run([*call, "--set", "camera=no", "--set", "subject=1"])
    assert wrong.returncode == 2
    assert "one of animal, camera" in wrong.stderr
    assert "subject=1" in wrong.stderr
