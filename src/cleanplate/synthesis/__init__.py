"""Synthetic training data: composites of plates and cutouts with exact alpha, shadow and depth.

Sub-packages, each built on those before it: `assets` (plates, cutouts, licences), `ingest`
(assets from photographs and mattes) and `procedural` (assets from a seed), `compositor` (one
sample), `building` (a data set on disk), `inspection` (reading, measuring and checking a set).
Names are loaded on first use, because they import OpenCV.
"""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
