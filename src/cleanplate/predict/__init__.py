"""From a plate and a frame to the subject's matte, colours, shadow and depth.

The data's way: pictures -> health, registration -> exposure -> size -> session -> upsampling ->
foreground -> depth -> `Result` -> files. The public names stand in
`__init__.pyi` and are loaded when they are first used, because they bring OpenCV and ONNX Runtime.
"""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
