"""Video: clips read as frames, and layers of frames written as clips.

The data's way: `open_clip` -> `ClipFrame` -> (whatever makes layers of it) -> `FrameLayers` ->
`ClipWriter`. Everything but the names of presets needs PyAV, which the extra `video` brings; names
are loaded when they are first used. docs/video.md has the formats.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanplate.video.clip import Clip as Clip
    from cleanplate.video.clip import ClipFacts as ClipFacts
    from cleanplate.video.clip import ClipFrame as ClipFrame
    from cleanplate.video.clip_reader import open_clip as open_clip
    from cleanplate.video.clip_writer import ClipWriter as ClipWriter
    from cleanplate.video.clip_writer import resume_index as resume_index
    from cleanplate.video.frame_layers import FrameLayers as FrameLayers
    from cleanplate.video.output_presets import PRESETS as PRESETS
    from cleanplate.video.output_presets import Output as Output
    from cleanplate.video.output_presets import output_of as output_of

_HOMES = {
    "Clip": "clip",
    "ClipFacts": "clip",
    "ClipFrame": "clip",
    "ClipWriter": "clip_writer",
    "FrameLayers": "frame_layers",
    "Output": "output_presets",
    "PRESETS": "output_presets",
    "open_clip": "clip_reader",
    "output_of": "output_presets",
    "resume_index": "clip_writer",
}

__all__ = [
    "PRESETS",
    "Clip",
    "ClipFacts",
    "ClipFrame",
    "ClipWriter",
    "FrameLayers",
    "Output",
    "open_clip",
    "output_of",
    "resume_index",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"cleanplate.video.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
