"""Composites with exact truth: a plate, a subject placed in it, and two passes of a camera.

The data's way: catalogue -> view -> placement -> layer -> merge -> shadow -> camera -> sample.
The public names stand in `__init__.pyi` and are loaded when they are first used, because they
bring OpenCV.
"""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
