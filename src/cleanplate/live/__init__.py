"""Live cameras: composite, blur by depth and objects in the scene, in real time.

Data flow: `open_camera` -> `NewestFrame` -> `cleanplate.video`'s `FrameLoop` with a `LiveComposite`
-> window, virtual camera, recorder; `LiveSession` joins them. The extra `live` brings the window's
toolkit and PyAV. The public names are in `__init__.pyi` and loaded when they are first used.
docs/live.md has the recipes.
"""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
