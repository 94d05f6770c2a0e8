"""Recipes: stages, typed overrides, what is refused, what is saved."""

from __future__ import annotations

import dataclasses
import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("tyro")

from click.testing import CliRunner

from cleanplate.cli import train_command
from cleanplate.errors import CleanplateError
from cleanplate.training import recipe_json, recipes
from cleanplate.training.data import sample_schedule
from cleanplate.training.recipes import RECIPES, Stage
from tests.training.discs import tiny_recipe


def chosen(*fields: str) -> recipes.Recipe:
    return train_command.read_recipe("compact", list(fields))


def test_every_field_can_be_overridden_with_its_type():
    recipe = chosen(
        *("--steps", "7", "--learning-rate", "1e-4", "--network.width", "0.5"),
        *("--stages", "64x48:8:0.25", "128x96:4:0.75", "--no-channels-last"),
        *("--loss.alpha", "2", "--data.kind", "procedural"),
    )
    assert (recipe.steps, recipe.learning_rate, recipe.network.width) == (7, 1e-4, 0.5)
    assert recipe.stages == (Stage(64, 48, 8, 0.25), Stage(128, 96, 4, 0.75))
    assert recipe.channels_last is False
    assert recipe.loss.alpha == 2
    assert recipe.data.kind == "procedural"


@pytest.mark.parametrize(
    "fields",
    [
        ["--stepz", "7"],
        ["--steps", "many"],
        ["--precision", "8"],
        ["--stages", "64:48:1"],
        ["--name", "other"],
    ],
)
def test_what_is_unknown_or_of_another_type_is_refused(fields, capsys):
    with pytest.raises(SystemExit) as stop:
        chosen(*fields)
    assert stop.value.code == 2
    assert fields[0] in capsys.readouterr().err


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(CleanplateError, match="compact-smoke"):
        train_command.read_recipe("kompact", [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stages": (Stage(64, 64, 4, 0.5),)}, "sum to 0.5"),
        ({"stages": (Stage(64, 16, 4, 1.0),)}, "smaller than 32"),
        ({"steps": 0}, "at least one step"),
        ({"stages": ()}, "sum to 0"),
    ],
)
def test_an_impossible_recipe_is_refused(changes, said):
    with pytest.raises(CleanplateError, match=said):
        dataclasses.replace(RECIPES["compact"], **changes)


def test_help_lists_recipes_and_after_one_its_fields():
    runner = CliRunner()
    general = runner.invoke(train_command.command, ["--help"])
    assert general.exit_code == 0
    assert "Example" in general.output
    for name in RECIPES:
        assert name in general.output
    fields = runner.invoke(train_command.command, ["compact", "--help"])
    assert fields.exit_code == 0
    for field in ("--steps", "--network.width", "--data.plates", "--ema-decay"):
        assert field in fields.output


def test_stage_spans_cover_each_step_once_and_samples_are_numbered_consecutively():
    recipe = tiny_recipe(
        steps=11, stages=(Stage(32, 32, 5, 0.3), Stage(48, 32, 3, 0.3), Stage(64, 64, 2, 0.4))
    )
    numbers = [number for indices, _ in sample_schedule.step_samples(recipe) for number in indices]
    assert numbers == list(range(len(numbers)))
    sizes = [stage.width for _, stage in sample_schedule.step_samples(recipe)]
    assert sizes == [32] * 3 + [48] * 4 + [64] * 4
    for step in range(12):
        rest = [n for indices, _ in sample_schedule.step_samples(recipe, step) for n in indices]
        assert rest == numbers[sample_schedule.samples_seen(recipe, step) :]


def test_a_saved_recipe_names_what_changed(tmp_path):
    recipe = tiny_recipe()
    recipe_json.save(recipe, tmp_path / "recipe.json")
    saved = json.loads((tmp_path / "recipe.json").read_text(encoding="utf-8"))
    assert recipe_json.changes(saved, recipe) == []
    other = dataclasses.replace(
        recipe, learning_rate=1.0, network=dataclasses.replace(recipe.network, width=0.5)
    )
    assert recipe_json.changes(saved, other) == [
        f"learning_rate: {recipe.learning_rate} -> 1.0",
        "network.width: 0.25 -> 0.5",
    ]


def test_a_recipe_saved_by_an_older_version_is_the_same():
    recipe = tiny_recipe()
    saved = recipe_json.to_json(recipe)
    settings = saved["data"]["compositor"]
    settings["look"] = settings.pop("tone")
    settings["shine_share"] = settings.pop("colour_bleed_share")
    assert recipe_json.changes(saved, recipe) == []
    words = recipe_json.command_of(recipe_json.to_json(recipe)).split()
    assert sorted(recipe_json.command_of(saved).split()) == sorted(words)


def test_the_command_of_a_recipe_gives_the_recipe_again():
    fields = ["--steps", "7", "--stages", "64x48:8:1", "--no-channels-last", "--network.width", "2"]
    command = recipe_json.command_of(recipe_json.to_json(chosen(*fields)))
    words = command.split()
    assert words[:3] == ["cleanplate", "train", "compact"]
    assert chosen(*words[3:]) == chosen(*fields)


@pytest.mark.parametrize("name", RECIPES)
def test_every_named_recipe_can_be_saved_and_has_a_note(name):
    assert RECIPES[name].name == name
    assert RECIPES[name].note
    json.dumps(recipe_json.to_json(RECIPES[name]))
