"""Prediction: the subject's matte, foreground, shadow and depth from a plate and a frame.

Data flow: pictures -> `alignment` (health, registration, exposure) -> `plate_features` -> `session`
(the network) -> `upsample` -> `geometry` (disparity) -> `frame_outputs` -> `Result` -> `output`.
The public names are in `__init__.pyi` and loaded when they are first used, because they bring
OpenCV and ONNX Runtime.
"""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
