"""No asset is used for both training and validation."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.formats.pictures import write_image
from cleanplate.synthesis import Composer, CompositorSettings
from cleanplate.synthesis.assets.catalogue import PlateFolder
from cleanplate.synthesis.assets.split import subset_of


def names(folders):
    return [file.stem for folder in folders for file in folder.files]


def folder(*stems):
    return PlateFolder([Path(f"{stem}.png") for stem in stems])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("abcdef0123", min_size=1, max_size=6), min_size=20, unique=True))
def test_parts_are_disjoint_and_whole_and_none_is_empty(stems):
    folders = [folder(*stems[:7]), folder(*stems[7:])]
    training, validation = subset_of(folders, "training"), subset_of(folders, "validation")
    assert not set(names(training)) & set(names(validation))
    assert sorted(names(training) + names(validation)) == sorted(stems)
    assert names(training)
    assert names(validation)
    assert all(len(one) for one in [*training, *validation])


def test_about_one_in_twenty_is_held_out_and_stays_so_when_more_come():
    few = [f"{number:05d}" for number in range(600)]
    many = [*few, *(f"r{number:05d}" for number in range(2000))]
    held = set(names(subset_of([folder(*few)], "validation")))
    assert 15 <= len(held) <= 50
    later = set(names(subset_of([folder(*many)], "validation")))
    assert later & set(few) == held
    assert 90 <= len(later) <= 180


def test_an_asset_of_one_name_in_two_folders_is_on_one_side():
    stems = [f"{number}" for number in range(100)]
    training = subset_of([folder(*stems), folder(*stems)], "training")
    validation = subset_of([folder(*stems), folder(*stems)], "validation")
    assert not set(names(training)) & set(names(validation))


def test_few_assets_serve_both_and_the_log_says_so(caplog):
    folders = [folder(*"abcdefghi"), folder(*"klmnopqrst")]
    with caplog.at_level(logging.WARNING):
        assert names(subset_of(folders, "training")) == names(folders)
        assert not caplog.records, "said once, not twice"
        assert names(subset_of(folders, "validation")) == names(folders)
    assert "share the 19 plates" in caplog.text


def test_a_composer_of_a_part_draws_on_that_part_alone(tmp_path):
    """Each plate is one colour, so a sample tells which it used."""
    for code in range(40):
        write_image(tmp_path / f"{code}.png", np.full((24, 32, 3), 5 * code, np.uint8))
    empty = dataclasses.replace(CompositorSettings.exact(), identical_share=1.0)
    seen = {}
    for part in ("training", "validation"):
        composer = Composer.from_folders(tmp_path, None, seed=1, settings=empty, subset=part)
        plates = [composer.sample(index, (16, 16))["plate"] for index in range(60)]
        seen[part] = {int(plate[0, 0, 0]) // 5 for plate in plates}
    assert seen["training"]
    assert seen["validation"]
    assert not seen["training"] & seen["validation"]
