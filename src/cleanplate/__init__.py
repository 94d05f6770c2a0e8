"""Alpha matte, true foreground colours and depth from a picture and its clean plate.

The public names stand in `__init__.pyi` and are loaded when they are first used, so that importing
the package costs next to nothing:

    >>> from cleanplate import CleanplateError
    >>> str(CleanplateError("this is empty", file="plate.png"))
    'plate.png: this is empty'
"""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
