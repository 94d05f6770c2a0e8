"""Without PyAV and the readers that are independent of it there is nothing to test here."""

from __future__ import annotations

from importlib.util import find_spec

NEEDED = ("av", "imageio_ffmpeg", "OpenImageIO")
collect_ignore_glob = [] if all(map(find_spec, NEEDED)) else ["test_*.py"]
