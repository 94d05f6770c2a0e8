"""The live window: the picture, text over it, and keys."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np

from cleanplate.arrays import Bytes
from cleanplate.errors import CleanplateError
from cleanplate.live.live_keys import action_of
from cleanplate.live.screen_text import ScreenText
from cleanplate.live.toolkit import pygame
from cleanplate.predict.size import Size

UNSEEN = ("dummy", "offscreen")
"""Drivers of SDL that show nothing: no display, unless SDL_VIDEODRIVER asks for one."""

_INK, _PANEL = (255, 255, 255), (0, 0, 0, 150)
_WARNING, _RECORDING = (150, 40, 0, 220), (200, 0, 0, 230)
_MARGIN = 10


class Window:
    """A window of the screen; belongs to the thread that makes it, which must be the main one.

    Args:
        title: of the window.
        size: (height, width) of the pictures; the window begins with it and can be resized.

    Raises:
        CleanplateError: there is no screen; MissingExtraError without pygame.
    """

    def __init__(self, title: str, size: Size):
        try:
            pygame.display.init()
            pygame.font.init()
            pygame.display.set_caption(title)
            self._surface = pygame.display.set_mode(size[::-1], pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise _no_screen(str(error)) from error
        if pygame.display.get_driver() in UNSEEN and not _asked_for_driver():
            pygame.display.quit()
            raise _no_screen("there is no display")
        self._fonts: dict[int, pygame.font.Font] = {}

    def show(self, picture: Bytes, text: ScreenText) -> None:
        """Show (H, W, 3) uint8 RGB, scaled to fit the window, with text over it."""
        surface = self._surface = pygame.display.get_surface() or self._surface
        width, height = surface.get_size()
        scale = min(width / picture.shape[1], height / picture.shape[0])
        inner = (
            max(1, round(picture.shape[1] * scale)),
            max(1, round(picture.shape[0] * scale)),
        )
        if inner != (picture.shape[1], picture.shape[0]):
            way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            picture = np.asarray(cv2.resize(picture, inner, interpolation=way), np.uint8)
        if inner != (width, height):
            surface.fill((0, 0, 0))
        pixels = np.ascontiguousarray(picture)
        corner = ((width - inner[0]) // 2, (height - inner[1]) // 2)
        surface.blit(pygame.image.frombuffer(pixels.data, inner, "RGB"), corner)
        self._write(text)
        pygame.display.flip()

    def actions(self) -> list[str]:
        """Give what was asked for by keys since the last call; "quit" if the window was closed."""
        found = []
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                found.append("quit")
            elif event.type == pygame.KEYDOWN:
                action = action_of(pygame.key.name(event.key))
                if action is not None:
                    found.append(action)
        return found

    def close(self) -> None:
        """Close the window."""
        pygame.display.quit()
        pygame.font.quit()

    def _write(self, text: ScreenText) -> None:
        width, height = self._surface.get_size()
        small = max(13, round(height / 28))
        if text.lines:
            self._panel(text.lines, small, _PANEL, (_MARGIN, _MARGIN))
        if text.state:
            panel = self._rendered([text.state], small, _RECORDING, width)
            self._surface.blit(panel, (width - _MARGIN - panel.get_width(), _MARGIN))
        bottom = height - _MARGIN
        for words, colour in ((text.message, _PANEL), (text.warning, _WARNING)):
            if words:
                size = round(1.3 * small)
                lines = self._wrapped(words, size, width - 4 * _MARGIN)
                panel = self._rendered(lines, size, colour, width)
                bottom -= panel.get_height()
                self._surface.blit(panel, ((width - panel.get_width()) // 2, bottom))
                bottom -= _MARGIN // 2

    def _panel(
        self, lines: Sequence[str], size: int, colour: tuple[int, ...], place: tuple[int, int]
    ) -> None:
        self._surface.blit(self._rendered(lines, size, colour, self._surface.get_width()), place)

    def _rendered(
        self, lines: Sequence[str], size: int, colour: tuple[int, ...], widest: int
    ) -> pygame.Surface:
        """Give lines of text on a panel of a colour (red, green, blue, opacity)."""
        font = self._font(size)
        made = [font.render(line, True, _INK) for line in lines]
        pad = size // 3
        width = min(widest, max(one.get_width() for one in made) + 2 * pad)
        panel = pygame.Surface((width, font.get_linesize() * len(made) + 2 * pad), pygame.SRCALPHA)
        panel.fill(colour)
        for number, one in enumerate(made):
            panel.blit(one, (pad, pad + number * font.get_linesize()))
        return panel

    def _wrapped(self, words: str, size: int, widest: int) -> list[str]:
        font, lines = self._font(size), [""]
        for word in words.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and font.size(longer)[0] > widest:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines

    def _font(self, size: int) -> pygame.font.Font:
        if size not in self._fonts:
            self._fonts[size] = pygame.font.Font(None, round(1.35 * size))
        return self._fonts[size]


def _asked_for_driver() -> bool:
    return bool(os.environ.get("SDL_VIDEODRIVER"))


def _no_screen(why: str) -> CleanplateError:
    return CleanplateError(
        f"no window can be opened here: {why}",
        cure="Use --no-window, with --record FILE or --virtual-camera.",
    )
