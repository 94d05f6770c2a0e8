"""Sets for several modules: built once, copied to be damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanplate.synthesis import CompositorSettings
from cleanplate.synthesis.building.build import build
from cleanplate.synthesis.building.local_engine import run_here
from tests.synthesis.building import order, write_stock


@pytest.fixture(scope="session")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One set of each form; `still`: shards whose plates and frames are seen by one camera."""
    stock = write_stock(tmp_path_factory.mktemp("stock"))
    still = CompositorSettings(camera=False, identical_share=0.0)
    build(order(stock, stock / "shards"), run_here)
    build(order(stock, stock / "still", settings=still), run_here)
    build(order(stock, stock / "folders", "assignment"), run_here)
    return {form: stock / form for form in ("shards", "still", "folders")}


@pytest.fixture
def copied(sets: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Copy the set of a form, to be spoilt."""
    return lambda form: Path(shutil.copytree(sets[form], tmp_path / form))
