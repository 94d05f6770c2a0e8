"""Without PyAV and pygame there is nothing to test here; a virtual screen where there is Xvfb."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

NEEDED = ("av", "pygame", "Xlib")
collect_ignore_glob = [] if all(map(find_spec, NEEDED)) else ["test_*.py"]


@pytest.fixture
def virtual_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A virtual X server of its own, which ends with the test."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not here")
    from tests.live.virtual_screen import VirtualScreen

    with VirtualScreen() as screen:
        monkeypatch.setenv("DISPLAY", screen.display)
        monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        yield screen
