"""Stored pairs in a file that processes share: the same samples, and nothing stale."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("tyro")

from cleanplate.formats.pictures import write_image
from cleanplate.training.data.mapped_pairs import mapped_pairs
from cleanplate.training.data.pair_augmentation import AugmentedPairs, open_pairs
from tests.training.data.test_pair_augmentation import write_pairs
from tests.training.data.test_stored_samples import write_shards


def alike(one, other):
    if not isinstance(one, np.ndarray):
        return one == other
    if one.dtype.kind != "f":
        return np.array_equal(one, other)
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("form", ["loose", "shards"])
def test_augmented_mapped_pairs_are_the_same_to_the_byte(tmp_path, form):
    folder = tmp_path / "pairs"
    folder.mkdir()
    if form == "loose":
        write_pairs(folder, 3)
    else:
        write_shards(folder, [2, 1])
    pairs = open_pairs(folder)
    mapped = mapped_pairs(pairs, folder, tmp_path / "cache")
    again = pickle.loads(pickle.dumps(mapped))
    for number in range(3):
        one, other = pairs.read(number), again.read(number)
        assert str(one.pop("source")) == other.pop("source")
        assert one.keys() == other.keys()
        assert all(alike(one[k], other[k]) for k in one)
    for index in range(6):
        one, other = (
            AugmentedPairs(source, 1).sample(index, (24, 32)) for source in (pairs, again)
        )
        assert all(alike(one[k], other[k]) for k in one)
    [file] = (tmp_path / "cache").glob("*.assets")
    before = file.stat().st_ino
    mapped_pairs(pairs, folder, tmp_path / "cache")
    assert file.stat().st_ino == before, "decoded once"
    if form == "loose":
        plate = folder / "00000_plate.png"
        write_image(plate, np.full_like(pairs.read(0)["plate"], 9))
        changed = mapped_pairs(open_pairs(folder), folder, tmp_path / "cache").read(0)
        assert (changed["plate"] == 9).all()


def test_pairs_beyond_the_limit_are_read_as_before(tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    write_pairs(folder, 3)
    pairs = open_pairs(folder)
    one = sum(part.nbytes for part in pairs.read(0).values() if isinstance(part, np.ndarray))
    mapped = mapped_pairs(pairs, folder, tmp_path / "cache", limit=2 * one)
    [file] = (tmp_path / "cache").glob("*.assets")
    assert file.stat().st_size < 2.5 * one + 10_000
    for number in range(3):
        first, second = pairs.read(number), mapped.read(number)
        assert all(alike(first[k], second[k]) for k in first if k != "source")
