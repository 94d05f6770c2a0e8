"""Video: clips read as frames, and layers of frames written as clips.

Data flow: `open_clip` -> `ClipFrame` -> `frame_loop` -> `FrameLayers` -> `ClipWriter`. Reading and
writing need PyAV, which the extra `video` brings. The public names are in `__init__.pyi` and loaded
when they are first used. docs/video.md has the formats.
"""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
