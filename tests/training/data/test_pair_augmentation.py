"""Augmentation of stored pairs and mixing of sources: by seed and index alone, truth kept."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("tyro")

from cleanplate.cli import train_command
from cleanplate.depth import write_depth
from cleanplate.errors import CleanplateError
from cleanplate.formats.pictures import write_alpha, write_image
from cleanplate.synthesis import CompositorSettings
from cleanplate.synthesis.compositor.camera_effects import CameraParams
from cleanplate.training import recipe_json
from cleanplate.training.data.data_module import open_sources
from cleanplate.training.data.pair_augmentation import (
    AugmentedPairs,
    MixedSource,
    PairFolder,
    open_pairs,
)
from cleanplate.training.recipes import DataRecipe
from tests.training.discs import Discs, tiny_recipe

EXACT = CompositorSettings.exact()


class Ramps:
    """Two pairs whose every pixel tells its own place: frame = (x, y, number), depth = x + y."""

    def __len__(self):
        return 2

    def read(self, number):
        y, x = np.mgrid[:60, :80]
        frame = np.stack([3 * x, 4 * y, np.full_like(x, 100 * number)], -1).astype(np.uint8)
        alpha = ((x > 20) & (x < 50) & (y > 15)).astype(np.float32)
        disparity = (x + y + 1).astype(np.float32)
        return {
            "plate": frame,
            "frame": frame,
            "foreground": frame,
            "alpha": alpha,
            "shadow": np.where(y > 50, np.float32(0.5), np.float32(1)),
            "plate_disparity": disparity,
            "disparity": disparity,
            "subject_disparity": np.where(alpha >= 0.5, disparity, np.nan).astype(np.float32),
        }


def same(one, other):
    return all(np.array_equal(one[k], other[k], equal_nan=k.endswith("disparity")) for k in one)


def test_all_parts_of_an_augmented_pair_are_cropped_and_mirrored_alike():
    """Without a camera, at the stored scale, each pixel's colour still tells where it was."""
    mirrored = set()
    for index in range(40):
        settings = dataclasses.replace(EXACT, smallest_crop=1.0)
        made = AugmentedPairs(Ramps(), 3, settings).sample(index, (60, 60))
        x, y = made["frame"][..., 0] // 3, made["frame"][..., 1] // 4
        np.testing.assert_array_equal(made["plate"], made["frame"])
        np.testing.assert_array_equal(made["alpha"], (x > 20) & (x < 50) & (y > 15))
        np.testing.assert_array_equal(made["disparity"], x.astype(np.float32) + y + 1)
        np.testing.assert_array_equal(made["plate_disparity"], made["disparity"])
        np.testing.assert_array_equal(np.isfinite(made["subject_disparity"]), made["alpha"] > 0)
        np.testing.assert_array_equal(made["shadow"], np.where(y > 50, 0.5, 1))
        mirrored.add(bool(x[0, 0] > x[0, -1]))
    assert mirrored == {True, False}


def test_an_augmented_pair_is_a_function_of_seed_and_index():
    pairs = AugmentedPairs(Ramps(), 3)
    first = [pairs.sample(index, (32, 40)) for index in range(6)]
    again = [AugmentedPairs(Ramps(), 3).sample(index, (32, 40)) for index in reversed(range(6))][
        ::-1
    ]
    assert all(same(one, other) for one, other in zip(first, again, strict=True))
    assert len({sample["frame"].tobytes() for sample in first}) == 6
    assert not same(first[0], AugmentedPairs(Ramps(), 4).sample(0, (32, 40)))


def test_plate_and_frame_are_exposed_apart_and_the_truth_stays_the_frames():
    settings = CompositorSettings(clean_share=0, drift_share=1, smallest_crop=1.0)
    quiet = dataclasses.replace(settings, camera=False)
    for index in range(10):
        made = AugmentedPairs(Ramps(), 1, settings).sample(index, (60, 60))
        bare = AugmentedPairs(Ramps(), 1, quiet).sample(index, (60, 60))
        assert not np.array_equal(made["plate"], made["frame"])
        assert not np.array_equal(made["frame"], bare["frame"])
        for truth in ("alpha", "shadow", "disparity", "subject_disparity"):
            np.testing.assert_array_equal(made[truth], bare[truth])


def test_a_moved_camera_moves_the_plate_and_its_depth_alike(monkeypatch):
    def moved_camera(rng, size, **shares):
        still = CameraParams(np.ones(3, np.float32))
        return still, still, np.array([[1.0, 0, 4], [0, 1, 0]])

    monkeypatch.setattr(
        "cleanplate.training.data.pair_augmentation.sample_camera_params", moved_camera
    )
    settings = CompositorSettings(smallest_crop=1.0, mirror=False)
    made = AugmentedPairs(Ramps(), 1, settings).sample(0, (60, 60))
    inside = slice(0, 56)
    np.testing.assert_array_equal(made["plate"][:, inside], made["frame"][:, 4:])
    np.testing.assert_array_equal(made["plate_disparity"][:, inside], made["disparity"][:, 4:])


def test_most_crops_show_most_of_a_small_subject():
    class Corner(Ramps):
        def read(self, number):
            sample = super().read(number)
            sample["alpha"] = np.zeros((60, 80), np.float32)
            sample["alpha"][50:58, 70:78] = 1
            return sample

    settings = dataclasses.replace(EXACT, smallest_crop=0.5)
    seen = [
        AugmentedPairs(Corner(), 0, settings).sample(i, (60, 80))["alpha"].any() for i in range(60)
    ]
    assert np.mean(seen) > 0.8  # a single random crop shows it in 60 of 100


def test_a_mixed_source_takes_each_source_by_its_share():
    main, second = Discs(1), Discs(2)
    mixed = MixedSource(main, second, 0.25, seed=7)
    chosen = [mixed.source(index) is second for index in range(2000)]
    assert 0.22 < np.mean(chosen) < 0.28
    backwards = [mixed.source(index) is second for index in reversed(range(2000))]
    assert chosen == backwards[::-1]
    index = chosen.index(True)
    assert same(mixed.sample(index, (24, 24)), second.sample(index, (24, 24)))
    assert MixedSource(main, second, 1.0, 0).source(5) is second
    assert MixedSource(main, second, 0.0, 0).source(5) is main


def write_pairs(folder, count, *, world="room"):
    folder.mkdir(exist_ok=True)
    for number in range(count):
        made = Discs(4).sample(number, (48, 64))
        name = str(folder / f"{number:05d}")
        for part in ("plate", "frame", "foreground"):
            write_image(f"{name}_{part}.png", made[part])
        write_alpha(f"{name}_alpha.png", made["alpha"])
        write_alpha(f"{name}_shadow.png", np.full((48, 64), 0.5, np.float32))
        plate_depth = 1 / made["plate_disparity"]
        plate_depth[0, 0] = np.nan
        write_depth(f"{name}_plate_depth.png", plate_depth)
        write_depth(f"{name}_depth.png", 1 / made["disparity"])
        (folder / f"{number:05d}.json").write_text(json.dumps({"world": world}), encoding="utf-8")
    return folder


def test_pairs_in_single_files_are_read_with_their_shadow_and_infinity(tmp_path):
    pairs = open_pairs(write_pairs(tmp_path, 3))
    assert isinstance(pairs, PairFolder)
    assert len(pairs) == 3
    read, made = pairs.read(1), Discs(4).sample(1, (48, 64))
    for part in ("plate", "frame", "foreground"):
        np.testing.assert_array_equal(read[part], made[part])
    np.testing.assert_allclose(read["alpha"], made["alpha"], atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(read["shadow"], 0.5, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(read["disparity"], made["disparity"], rtol=1e-3)
    assert read["plate_disparity"][0, 0] == 0, "a rendered pair's zero depth is infinity"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"world": "yard"}, 0),
        ({"depth_zero": "infinity"}, 0),
        ({"world": "yard", "depth_zero": "unknown"}, np.nan),
        ({"world": "yard", "depth_convention": "dataset"}, np.nan),
        ({"depth_convention": "exchange", "depth_zero": "infinity"}, np.nan),
        ({}, np.nan),
        ([1], np.nan),
    ],
)
def test_shards_say_what_no_depth_means_as_single_files_do(tmp_path, facts, expected):
    write_pairs(tmp_path / "loose", 1)
    with tarfile.open(tmp_path / "pairs.tar", "w") as tar:
        for part in ("plate", "frame", "alpha", "shadow", "plate_depth", "depth"):
            tar.add(tmp_path / "loose" / f"00000_{part}.png", f"00000.{part}.png")
        member = tarfile.TarInfo("00000.json")
        member.size = len(json.dumps(facts))
        tar.addfile(member, io.BytesIO(json.dumps(facts).encode()))
    read, loose = open_pairs(tmp_path).read(0), open_pairs(tmp_path / "loose").read(0)
    np.testing.assert_array_equal(read["plate_disparity"][0, 0], np.float32(expected))
    for part in ("plate", "frame", "alpha", "shadow"):
        np.testing.assert_array_equal(read[part], loose[part])
    known = np.isfinite(read["plate_disparity"])
    np.testing.assert_allclose(
        read["plate_disparity"][known], loose["plate_disparity"][known], rtol=1e-6
    )


def test_a_shadow_of_another_size_and_an_empty_folder_are_named(tmp_path):
    with pytest.raises(CleanplateError, match="holds no pair"):
        open_pairs(tmp_path)
    write_pairs(tmp_path, 1)
    write_alpha(tmp_path / "00000_shadow.png", np.ones((48, 60), np.float32))
    with pytest.raises(CleanplateError, match=r"00000_shadow\.png.*differs in size"):
        open_pairs(tmp_path).read(0)


def test_the_recipe_mixes_pairs_into_training_only(tmp_path):
    data = DataRecipe(
        kind="procedural",
        pairs=write_pairs(tmp_path / "pairs", 2),
        pairs_share=0.5,
        compositor=CompositorSettings(procedural_rooms=2, procedural_cutouts=2),
    )
    training, validation = open_sources(tiny_recipe(data=data))
    assert isinstance(training, MixedSource)
    assert not isinstance(validation, MixedSource)
    kinds = {type(training.source(index)).__name__ for index in range(20)}
    assert kinds == {"AugmentedPairs", "ProceduralComposer"}
    assert training.sample(0, (32, 32))["frame"].shape == (32, 32, 3)


def test_the_command_line_takes_several_folders_and_mixed_in_pairs():
    words = ["--data.plates", "a", "b", "--data.cutouts", "c"]
    words += ["--data.pairs", "p", "--data.pairs-share", "0.2"]
    recipe = train_command.read_recipe("compact", words)
    assert [str(path) for path in recipe.data.plates] == ["a", "b"]
    assert [str(path) for path in recipe.data.cutouts] == ["c"]
    assert (str(recipe.data.pairs), recipe.data.pairs_share) == ("p", 0.2)
    command = recipe_json.command_of(recipe_json.to_json(recipe)).split()
    assert train_command.read_recipe("compact", command[3:]) == recipe


@pytest.mark.parametrize("words", [["--data.pairs", "p"], ["--data.pairs-share", "0.2"]])
def test_pairs_without_a_share_and_a_share_without_pairs_are_refused(words):
    with pytest.raises((CleanplateError, SystemExit)):
        train_command.read_recipe("compact", words)


def test_a_run_saved_with_one_folder_goes_on_with_a_list_of_one(tmp_path):
    recipe = train_command.read_recipe("compact", ["--data.plates", "a"])
    saved = recipe_json.to_json(recipe)
    saved["data"]["plates"], saved["data"]["cutouts"] = "a", None
    assert recipe_json.changes(saved, recipe) == []
    saved["data"]["plates"] = "b"
    assert recipe_json.changes(saved, recipe) == ["data.plates: b -> ['a']"]
