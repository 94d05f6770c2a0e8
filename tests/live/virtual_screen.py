"""A virtual X server: its screen is read, and its keys pressed, by another client than pygame."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Self

import numpy as np
from Xlib import XK, X
from Xlib.display import Display
from Xlib.ext import xtest

WIDTH, HEIGHT = 1024, 768


class VirtualScreen:
    """Xvfb on a display number that it chooses itself; a context manager.

    display: its name, for DISPLAY.
    """

    def __enter__(self) -> Self:
        told, tell = os.pipe()
        self._process = subprocess.Popen(
            [
                *("Xvfb", "-displayfd", str(tell), "-nolisten", "tcp", "-noreset"),
                *("-screen", "0", f"{WIDTH}x{HEIGHT}x24"),
            ],
            pass_fds=[tell],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(tell)
        with os.fdopen(told, encoding="ascii") as file:
            number = file.readline().strip()
        assert number, "Xvfb did not start"
        self.display = f":{number}"
        self._client = Display(self.display)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait()

    def picture(self) -> np.ndarray:
        """What the screen shows, (HEIGHT, WIDTH, 3) uint8 RGB."""
        root = self._client.screen().root
        raw = root.get_image(0, 0, WIDTH, HEIGHT, X.ZPixmap, 0xFFFFFFFF)
        blue_first = np.frombuffer(raw.data, np.uint8).reshape(HEIGHT, WIDTH, 4)
        return blue_first[..., 2::-1].copy()

    def window(self, title: str) -> tuple[int, int, int, int] | None:
        """Left, top, width, height of the window with a title that begins so; None = none."""
        one = self._window(title)
        place = None if one is None else one.get_geometry()
        return None if place is None else (place.x, place.y, place.width, place.height)

    def shown(self, title: str) -> np.ndarray | None:
        """What that window shows; None if there is none."""
        place = self.window(title)
        if place is None:
            return None
        left, top, width, height = place
        return self.picture()[top : top + height, left : left + width]

    def press(self, key: str) -> None:
        """Press a key and let it go, as a keyboard would, over the middle of the screen."""
        code = self._client.keysym_to_keycode(XK.string_to_keysym(key))
        for kind in (X.KeyPress, X.KeyRelease):
            xtest.fake_input(self._client, kind, code)
        self._client.sync()

    def focus(self, title: str) -> None:
        """Give a window the keyboard, as a window manager would."""
        self._window(title).set_input_focus(X.RevertToParent, X.CurrentTime)
        self._client.sync()

    def _window(self, title: str):
        name = self._client.intern_atom("_NET_WM_NAME")
        for one in self._client.screen().root.query_tree().children:
            text = one.get_full_property(name, X.AnyPropertyType)
            if text is not None and text.value.decode().startswith(title):
                return one
        return None


def until(condition, seconds: float = 60.0):
    """Ask again and again until the answer is neither None nor False; give it."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer is not None and answer is not False:
            return answer
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
