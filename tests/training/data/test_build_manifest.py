"""What `synth build` writes, read for training: whole, paired, apart, and finished parts only."""

from __future__ import annotations

import io
import json
import logging
import shutil
import tarfile
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from PIL import Image

from cleanplate.errors import CleanplateError
from cleanplate.training.data.data_module import PairData, open_sources
from cleanplate.training.data.folder_reader import Folders
from cleanplate.training.data.shard_reader import Shards
from cleanplate.training.data.stored_samples import StoredSource, split_collection
from cleanplate.training.recipes import DataRecipe, Stage
from tests.training.data.built_sets import build_set, write_assets
from tests.training.discs import tiny_recipe


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    return write_assets(tmp_path_factory.mktemp("assets"), 24)


@pytest.fixture(scope="module")
def realistic(tmp_path_factory, assets):
    out = tmp_path_factory.mktemp("sets") / "realistic"
    return build_set(out, assets, "realistic", count=40, shard_size=16)


@pytest.fixture(scope="module")
def assignment(tmp_path_factory, assets):
    out = tmp_path_factory.mktemp("sets") / "assignment"
    return build_set(out, assets, "assignment", placements=1, shard_size=500)


@pytest.fixture
def unfinished(tmp_path, realistic):
    """Copied in the middle of the build: shard 1 is renamed but has no record, 2 is begun."""
    shutil.copytree(realistic, tmp_path / "set")
    for file in ("dataset.json", "DATASET_CARD.md", "records/000001.json", "records/000002.json"):
        (tmp_path / "set" / file).unlink(missing_ok=True)
    (tmp_path / "set" / "000002.tar").rename(tmp_path / "set" / ".000002-0badcafe.tar")
    return tmp_path / "set"


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_shards_hold_what_the_standard_library_finds_in_them(realistic):
    shards, number = Shards(realistic), 0
    for file in sorted(realistic.glob("*.tar")):
        with tarfile.open(file) as tar:
            files = {m.name: tar.extractfile(m).read() for m in tar}
        for key in sorted({name.partition(".")[0] for name in files}):
            read = shards.read(number)
            assert shards.name(number) == key
            for part in ("plate", "frame"):
                np.testing.assert_array_equal(read[part], decoded(files[f"{key}.{part}.jpg"]))
            foreground = decoded(files[f"{key}.foreground.png"])
            np.testing.assert_array_equal(read["foreground"], foreground)
            for part in ("alpha", "shadow"):
                stored = decoded(files[f"{key}.{part}.png"]) / 255
                np.testing.assert_allclose(read[part], stored, atol=1e-6)
            for part, depth in (("plate_disparity", "plate_depth"), ("disparity", "depth")):
                metres = decoded(files[f"{key}.{depth}.png"]) / 1000
                np.testing.assert_allclose(read[part], 1 / metres, rtol=1e-5)
            number += 1
    assert number == len(shards) == 40


def test_parts_of_a_set_that_are_not_finished_are_not_seen(unfinished, caplog):
    with caplog.at_level(logging.WARNING):
        shards = Shards(unfinished)
    assert [file.name for file in shards.files] == ["000000.tar"]
    assert len(shards) == 16
    assert "1 of 3 parts are finished" in caplog.text
    (unfinished / "records" / "000000.json").unlink()
    with pytest.raises(CleanplateError, match="no part of the set is finished"):
        Shards(unfinished)


def test_tar_files_alone_need_no_plan(unfinished):
    (unfinished / "plan.json").unlink()
    assert [file.name for file in Shards(unfinished).files] == ["000000.tar", "000001.tar"]


def test_a_record_of_a_shard_that_is_gone_is_no_shard(tmp_path, realistic, caplog):
    shutil.copytree(realistic, tmp_path / "set")
    (tmp_path / "set" / "000001.tar").unlink()
    assert len(Shards(tmp_path / "set")) == 24


def one_shard(folder: Path, realistic: Path) -> Path:
    """The first shard of a set, moved elsewhere: 16 samples in one file."""
    folder.mkdir()
    shutil.copy(realistic / "000000.tar", folder)
    return folder


def seen(folder, recipe, *, rank=0, ranks=1, step=0, workers=2):
    data = PairData(recipe, StoredSource(Shards(folder), seed=4), None, workers=workers)
    data.trainer = SimpleNamespace(global_step=step, global_rank=rank, world_size=ranks)
    return [one.numpy().tobytes() for batch in data.train_dataloader() for one in batch.frame]


def test_one_shard_serves_two_workers_on_each_of_two_ranks(tmp_path, realistic):
    folder = one_shard(tmp_path / "one", realistic)
    recipe = tiny_recipe(stages=(Stage(32, 32, 4, 1.0),), steps=8)
    ranks = [seen(folder, recipe, rank=rank, ranks=2, workers=2) for rank in range(2)]
    alone = seen(folder, recipe, workers=0)
    assert [len(frames) for frames in ranks] == [16, 16]
    assert sorted(ranks[0] + ranks[1]) == sorted(alone), "the ranks together see every sample"
    first = {*ranks[0][:8], *ranks[1][:8]}
    assert len(first) == 16, "each epoch of 16 samples has each of them once"
    assert {*ranks[0][8:], *ranks[1][8:]} == first
    assert alone[:16] != alone[16:], "and an order of its own"


def test_a_resumed_loader_goes_on_in_the_middle_of_an_epoch(tmp_path, realistic):
    folder = one_shard(tmp_path / "one", realistic)
    recipe = tiny_recipe(stages=(Stage(32, 32, 4, 1.0),), steps=8)
    whole = seen(folder, recipe, workers=0)
    assert seen(folder, recipe, step=3) == whole[12:]


def test_the_index_takes_little_a_sample_and_reading_adds_nothing(realistic):
    shards = Shards(realistic)
    assert shards.nbytes < 125 * len(shards)
    shards.read(0)
    tracemalloc.start()
    try:
        for number in range(len(shards)):
            shards.read(number)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            for number in range(len(shards)):
                shards.read(number)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_the_assignment_says_itself_what_its_files_mean(assignment):
    folders = Folders(assignment)  # not told that depth is near-bright
    assert len(folders) == 24 * 24 * 2
    facts = {
        sample["name"]: sample
        for record in sorted((assignment / "records").glob("*.json"))
        for sample in json.loads(record.read_text(encoding="utf-8"))["samples"]
    }
    for number in (0, 7, 400, 1151):
        frame_file, plate_file, _, _ = folders.files(number)
        assert frame_file.name == plate_file.name
        told, read = facts[frame_file.stem], folders.read(number)
        assert set(np.unique(read["alpha"])) <= {0.0, 1.0}
        low, high = told["disparity_low"], told["disparity_high"]
        plate = low + read["disparity"] * (high - low)
        outside = read["alpha"] == 0
        # The wall of the plates is 4 m away; JPEG leaves a few codes of error at edges.
        wall = np.zeros((32, 32), bool)
        wall[:12] = outside[:12]
        assert wall.any()
        assert np.abs(np.median(plate[wall]) - 0.25) < 0.02 * high
        np.testing.assert_array_equal(np.isfinite(read["plate_disparity"]), outside)
        difference = np.abs(read["frame"].astype(int) - read["plate"])[outside]
        assert np.median(difference) <= 2, "outside of the mask the frame is the plate"


def test_samples_of_an_unfinished_assignment_are_those_with_a_record(tmp_path, assignment, caplog):
    shutil.copytree(assignment, tmp_path / "set")
    (tmp_path / "set" / "dataset.json").unlink()
    (tmp_path / "set" / "records" / "000001.json").unlink()
    (tmp_path / "set" / "mask" / "000600.jpg").unlink()  # of the part that is being made
    with caplog.at_level(logging.WARNING):
        folders = Folders(tmp_path / "set")
    assert len(folders) == 500 + 152
    assert "2 of 3 parts" in caplog.text
    assert {folders.files(n)[0].stem for n in (0, 499, 500)} == {"000000", "000499", "001000"}


def test_the_two_sides_of_an_assignment_share_no_plate_and_no_cutout(assignment):
    folders = Folders(assignment)
    facts = {
        sample["name"]: sample
        for record in (assignment / "records").glob("*.json")
        for sample in json.loads(record.read_text(encoding="utf-8"))["samples"]
    }
    training, validation = split_collection(folders, seed=0)
    made_of = [
        {
            kind: {facts[folders.files(int(n))[0].stem][kind] for n in side.numbers}
            for kind in ("plate", "cutout")
        }
        for side in (training, validation)
    ]
    for kind in ("plate", "cutout"):
        assert not made_of[0][kind] & made_of[1][kind]
        assert len(made_of[0][kind] | made_of[1][kind]) == 24
    assert len(training.numbers) > 0.6 * len(folders)
    assert len(validation.numbers) >= 2


def test_of_few_assets_one_sample_in_twenty_validates(tmp_path):
    few = write_assets(tmp_path / "assets", 4)
    folders = Folders(build_set(tmp_path / "set", few, "assignment", placements=2))
    training, validation = split_collection(folders, seed=0)
    assert len(folders) == 64
    assert len(validation.numbers) == 3
    assert sorted([*training.numbers, *validation.numbers]) == list(range(64))


def test_a_network_never_sees_depth_with_a_hole_where_the_subject_is(assignment):
    data = DataRecipe(kind="folders", path=assignment, plate_depth_dropout=0.0)
    recipe = tiny_recipe(stages=(Stage(32, 32, 4, 1.0),), steps=3, data=data)
    training, validation = open_sources(recipe)
    loaded = PairData(recipe, training, validation)
    loaded.trainer = SimpleNamespace(global_step=0, global_rank=0, world_size=1)
    for batch in loaded.train_dataloader():
        assert not batch.depth_given.any()
        assert batch.valid.any(), "but it learns from it"
