"""Fixtures for every test."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Shells start background jobs with Ctrl-C ignored, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


def shared_folder() -> Path:
    """The shared data folder, there or not: CLEANPLATE_SHARED, or `shared` beside the project."""
    given = os.environ.get("CLEANPLATE_SHARED")
    return Path(given) if given else ROOT.parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if (shared_folder() / "data").is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason="the shared data folder is not here"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data folder; the test is skipped where it is not."""
    folder = shared_folder()
    if not (folder / "data").is_dir():
        pytest.skip("the shared data folder is not here")
    return folder
