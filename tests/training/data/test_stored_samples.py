"""Samples on disk: shards and the assignment's folders, their order, pairing and faults."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
webdataset = pytest.importorskip("webdataset")

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cleanplate.depth import write_depth
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_image
from cleanplate.training.data.data_module import PairData, StepSampler, open_sources
from cleanplate.training.data.folder_reader import Folders
from cleanplate.training.data.shard_reader import Shards
from cleanplate.training.data.stored_samples import StoredSource, resize_to_cover, split_collection
from cleanplate.training.recipes import DataRecipe, Stage
from tests.training.discs import Discs, tiny_recipe


def picture(array, kind="PNG") -> bytes:
    memory = io.BytesIO()
    Image.fromarray(array).save(memory, kind)
    return memory.getvalue()


def npy(array) -> bytes:
    memory = io.BytesIO()
    np.save(memory, array)
    return memory.getvalue()


def write_shards(folder, counts, *, drop=None):
    """Shards with `counts` samples each, by the library's own writer."""
    number = 0
    for shard, count in enumerate(counts):
        with webdataset.TarWriter(str(folder / f"{shard:04d}.tar")) as writer:
            for _ in range(count):
                made = Discs(1).sample(number, (24, 40))
                depth = 1000 / made["disparity"]
                parts = {
                    "__key__": f"{number:06d}",
                    "plate.png": picture(made["plate"]),
                    "frame.png": picture(made["frame"]),
                    "alpha.png": picture(np.rint(made["alpha"] * 255).astype(np.uint8)),
                    "plate_depth.npy": npy(1 / made["plate_disparity"]),
                    "depth.png": picture(np.rint(depth).astype(np.uint16)),
                    "json": json.dumps({"number": number}).encode(),
                }
                parts.pop(drop, None)
                writer.write(parts)
                number += 1


class Numbers:
    """A collection whose samples are only their numbers."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def read(self, number):
        frame = np.full((8, 8, 3), number, np.uint8)
        return {"frame": frame}


def test_a_shard_gives_back_what_the_library_wrote(tmp_path):
    write_shards(tmp_path, [2, 1])
    shards = Shards(tmp_path)
    assert [shards.name(n) for n in range(3)] == ["000000", "000001", "000002"]
    made, read = Discs(1).sample(2, (24, 40)), shards.read(2)
    np.testing.assert_array_equal(read["plate"], made["plate"])
    np.testing.assert_array_equal(read["frame"], made["frame"])
    np.testing.assert_allclose(read["alpha"], made["alpha"], atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(read["plate_disparity"], made["plate_disparity"], rtol=1e-5)
    np.testing.assert_allclose(read["disparity"], made["disparity"], rtol=1e-3)
    np.testing.assert_array_equal(read["shadow"], 1)
    np.testing.assert_array_equal(np.isfinite(read["subject_disparity"]), read["alpha"] >= 0.5)


def test_fewer_shards_than_workers_still_serve_every_sample_once(tmp_path):
    write_shards(tmp_path, [7])
    recipe = tiny_recipe(
        stages=(Stage(40, 32, 1, 1.0),),
        steps=6,
        data=DataRecipe(kind="shards", path=tmp_path),
    )
    training, validation = open_sources(recipe)
    assert validation is not None
    data = PairData(recipe, training, validation, workers=2)
    data.trainer = SimpleNamespace(global_step=0, global_rank=0, world_size=1)
    frames = [batch.frame[0].numpy().tobytes() for batch in data.train_dataloader()]
    held = validation.sample(0, (32, 40))["frame"].transpose(2, 0, 1) / np.float32(255)
    assert len(set(frames)) == 6
    assert np.ascontiguousarray(held).tobytes() not in frames


def test_every_epoch_has_each_sample_once_and_an_order_of_its_own():
    stored = StoredSource(Numbers(10), seed=3)
    epochs = [[stored.number(10 * epoch + n) for n in range(10)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_order_does_not_depend_on_who_asked_before():
    whole = [StoredSource(Numbers(7), seed=1).number(i) for i in range(30)]
    stored = StoredSource(Numbers(7), seed=1)
    for index in np.random.default_rng(0).permutation(30):
        assert stored.number(int(index)) == whole[index]


def test_ranks_never_read_the_same_sample_within_an_epoch():
    recipe = tiny_recipe(stages=(Stage(32, 32, 4, 1.0),), steps=5)
    stored = StoredSource(Numbers(20), seed=0)
    read = [
        {stored.number(key.number) for keys in StepSampler(recipe, 0, rank, 2) for key in keys}
        for rank in range(2)
    ]
    assert read[0] | read[1] == set(range(20))
    assert not read[0] & read[1]


def test_one_sample_in_twenty_validates_and_never_trains():
    training, validation = split_collection(Numbers(60), seed=5)
    assert validation is not None
    assert len(validation.numbers) == 3
    assert not set(training.numbers) & set(validation.numbers)
    assert split_collection(Numbers(1), seed=5)[1] is None
    with pytest.raises(CleanplateError, match="no samples"):
        split_collection(Numbers(0), seed=5)


@settings(deadline=None, max_examples=25)
@given(
    stored=st.tuples(st.integers(8, 40), st.integers(8, 40)),
    size=st.tuples(st.integers(8, 40), st.integers(8, 40)),
)
def test_fitting_covers_the_size_without_stretching(stored, size):
    height, width = stored
    y, x = np.mgrid[:height, :width].astype(np.float32)
    frame = np.stack([x, y, x], 2).astype(np.uint8)
    disparity = np.where(x % 3 == 0, np.float32(np.nan), y * 1000 + x).astype(np.float32)
    made = resize_to_cover({"frame": frame, "alpha": x / width, "disparity": disparity}, size)
    assert made["frame"].shape == (*size, 3)
    assert made["alpha"].shape == made["disparity"].shape == size
    known = made["disparity"][np.isfinite(made["disparity"])]
    assert np.isin(known, disparity).all(), "a depth that is nowhere in the truth was made up"
    if stored == size:
        np.testing.assert_array_equal(made["frame"], frame)
        np.testing.assert_array_equal(made["disparity"], disparity)


def test_parts_of_different_size_are_refused():
    sample = {"frame": np.zeros((8, 8, 3), np.uint8), "alpha": np.zeros((8, 9), np.float32)}
    with pytest.raises(CleanplateError, match="alpha is 9 x 8"):
        resize_to_cover(sample, (8, 8))


@pytest.mark.parametrize("part", ["plate.png", "frame.png", "alpha.png"])
def test_a_sample_without_a_part_is_named(tmp_path, part):
    write_shards(tmp_path, [1], drop=part)
    with pytest.raises(CleanplateError, match=f"sample 000000 lacks {part[:-4]}"):
        Shards(tmp_path)


def test_damaged_shards_are_named(tmp_path):
    with pytest.raises(CleanplateError, match=r"no \.tar shards"):
        Shards(tmp_path)
    write_shards(tmp_path, [4])
    whole = (tmp_path / "0000.tar").read_bytes()
    (tmp_path / "0000.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CleanplateError, match=r"0000\.tar: .*(cut short|cannot be read)"):
        Shards(tmp_path)
    (tmp_path / "0000.tar").write_bytes(b"this is no tar file" * 100)
    with pytest.raises(CleanplateError, match=r"0000\.tar"):
        Shards(tmp_path)


def test_a_part_that_is_no_picture_names_shard_and_sample(tmp_path):
    with webdataset.TarWriter(str(tmp_path / "a.tar")) as writer:
        good = picture(np.zeros((8, 8), np.uint8))
        writer.write(
            {"__key__": "x", "plate.png": b"nonsense", "frame.png": good, "alpha.png": good}
        )
    with pytest.raises(CleanplateError, match=r"a\.tar:x"):
        Shards(tmp_path).read(0)


def write_folders(folder, names, plates):
    for part in ("bg", "fg_bg", "mask", "depth"):
        (folder / part).mkdir()
    for number, name in enumerate(names):
        made = Discs(2).sample(number, (24, 32))
        write_image(folder / "fg_bg" / f"{name}.png", made["frame"])
        write_image(folder / "mask" / f"{name}.png", made["alpha"])
        write_depth(folder / "depth" / f"{name}.npy", 1 / made["disparity"])
    for number, name in enumerate(plates):
        write_image(folder / "bg" / f"{name}.png", Discs(2).sample(number, (24, 32))["plate"])


def test_folders_are_paired_by_name_and_plates_may_be_shared(tmp_path):
    write_folders(
        tmp_path, ["b_2", "room_1", "room_10", "room_small_3"], ["room", "room_small", "b_2"]
    )
    folders = Folders(tmp_path)
    pairs = {folders.files(n)[0].stem: folders.files(n)[1].stem for n in range(len(folders))}
    assert pairs == {
        "b_2": "b_2",
        "room_1": "room",
        "room_10": "room",
        "room_small_3": "room_small",
    }
    for number in range(len(folders)):
        frame, _, mask, depth = folders.files(number)
        assert frame.stem == mask.stem == depth.stem


def test_a_folder_sample_is_what_was_written(tmp_path):
    write_folders(tmp_path, ["a", "b"], ["a", "b"])
    made, read = Discs(2).sample(1, (24, 32)), Folders(tmp_path).read(1)
    np.testing.assert_array_equal(read["frame"], made["frame"])
    np.testing.assert_array_equal(read["plate"], made["plate"])
    np.testing.assert_allclose(read["disparity"], made["disparity"], rtol=1e-5)
    outside = read["alpha"] <= 0
    np.testing.assert_array_equal(np.isfinite(read["plate_disparity"]), outside)
    np.testing.assert_allclose(
        read["plate_disparity"][outside], made["plate_disparity"][outside], rtol=1e-5
    )


@pytest.mark.parametrize("part", ["fg_bg", "mask", "depth", "bg"])
def test_a_missing_partner_is_named(tmp_path, part):
    write_folders(tmp_path, ["one", "two"], ["one", "two"])
    next((tmp_path / part).glob("two.*")).unlink()
    with pytest.raises(CleanplateError, match=f"{part}/two"):
        Folders(tmp_path)


def test_two_files_of_one_name_and_missing_folders_are_named(tmp_path):
    with pytest.raises(CleanplateError, match="no such folder"):
        Folders(tmp_path)
    write_folders(tmp_path, ["one"], ["one"])
    write_image(tmp_path / "mask" / "one.jpg", np.zeros((24, 32), np.uint8))
    with pytest.raises(CleanplateError, match="two files are named one"):
        Folders(tmp_path)


def test_grey_depth_is_read_as_the_recipe_says(tmp_path):
    write_folders(tmp_path, ["a"], ["a"])
    (tmp_path / "depth" / "a.npy").unlink()
    grey = np.tile(np.arange(32, dtype=np.uint8) * 8, (24, 1))
    write_image(tmp_path / "depth" / "a.png", grey)
    near_bright = Folders(tmp_path, "near-bright").read(0)["disparity"]
    np.testing.assert_allclose(near_bright, grey / np.float32(255), rtol=1e-6)
    np.testing.assert_allclose(Folders(tmp_path, "near-dark").read(0)["disparity"], 1 - near_bright)
    with pytest.raises(CleanplateError):
        Folders(tmp_path).read(0)
