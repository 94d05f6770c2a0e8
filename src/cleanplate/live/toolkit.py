"""pygame-ce, the window toolkit that the extra `live` brings; its banner stays silent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cleanplate.errors import require

__all__ = ["pygame"]

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

if TYPE_CHECKING:
    import pygame
else:
    pygame = require("pygame", "live")
    require("pygame.font", "live")
