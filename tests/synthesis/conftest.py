"""Sets for several modules: built once, copied to be damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanplate.synthesis import CompositorSettings
from cleanplate.synthesis.building.build import build
from cleanplate.synthesis.building.local_engine import run_here
from tests.synthesis.small_sets import small_request, write_assets_folder


@pytest.fixture(scope="session")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One set of each form; `still`: shards whose plates and frames are seen by one camera."""
    asset_folder = write_assets_folder(tmp_path_factory.mktemp("asset_folder"))
    still = CompositorSettings(camera=False, identical_share=0.0)
    build(small_request(asset_folder, asset_folder / "shards"), run_here)
    build(small_request(asset_folder, asset_folder / "still", settings=still), run_here)
    build(small_request(asset_folder, asset_folder / "folders", "assignment"), run_here)
    return {form: asset_folder / form for form in ("shards", "still", "folders")}


@pytest.fixture
def copied(sets: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Copy the set of a form, to be spoilt."""
    return lambda form: Path(shutil.copytree(sets[form], tmp_path / form))
