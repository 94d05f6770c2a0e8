"""A short run and the model that is exported from it; imports wait, for torch may be missing."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from cleanplate.training.fit import RunOptions, fit
    from cleanplate.training.recipes import DataRecipe
    from tests.training.discs import Discs, tiny_recipe

    folder = tmp_path_factory.mktemp("run")
    data = DataRecipe(plates=(folder / "plates",), cutouts=(folder / "c",))
    recipe = tiny_recipe(steps=2, data=data)
    options = RunOptions(workers=0, threads=1, accelerator="cpu", quiet=True)
    fit(recipe, folder, options, sources=(Discs(), None))
    return folder


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    from cleanplate.training.export.model_export import export
    from tests.training.export.test_export import TINY

    return export(run, tmp_path_factory.mktemp("model") / "tiny", facts=TINY)
