"""The window on a virtual X server: another client reads the screen, and presses the keys."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.errors import CleanplateError
from cleanplate.live.live_keys import KEYS, action_of, help_lines
from cleanplate.live.screen_text import ScreenText
from cleanplate.live.window import Window
from tests.live.virtual_screen import VirtualScreen, until

TITLE = "Cleanplate test"
HEIGHT, WIDTH = 360, 640


def picture() -> np.ndarray:
    """Every pixel another colour than its neighbours; red, green and blue differ."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([x % 256, y % 256, (x + y) // 4 % 256], 2).astype(np.uint8)


@pytest.fixture
def window(virtual_screen):
    made = Window(TITLE, (HEIGHT, WIDTH))
    yield made
    made.close()


def test_the_screen_shows_the_picture(window: Window, virtual_screen: VirtualScreen):
    window.show(picture(), ScreenText())
    until(lambda: np.array_equal(virtual_screen.shown(TITLE), picture()))


def test_text_lies_where_it_belongs_and_the_rest_is_the_picture(window, virtual_screen):
    text = ScreenText(["30.0 frames/s"], "Leave the picture", "The plate is stale", "REC")
    window.show(picture(), text)

    def found():
        shown = virtual_screen.shown(TITLE)
        return shown if shown is not None and not np.array_equal(shown, picture()) else None

    changed = (until(found) != picture()).any(2)
    middle = changed[HEIGHT // 3 : HEIGHT * 2 // 3]
    assert not middle.any(), "the middle of the picture is free"
    assert changed[:40, :100].any(), "numbers"
    assert changed[:40, -60:].any(), "REC"
    assert changed[-60:, WIDTH // 2 - 60 : WIDTH // 2 + 60].any(), "message and warning"


def test_long_text_is_wrapped_into_the_window(window, virtual_screen):
    window.show(picture(), ScreenText(warning="word " * 60))

    def found():
        shown = virtual_screen.shown(TITLE)
        return None if shown is None or np.array_equal(shown, picture()) else shown

    changed = (until(found) != picture()).any(2)
    assert not changed[:, :4].any()
    assert not changed[:, -4:].any()
    assert changed.any(1).sum() > 60, "several lines"


def test_a_picture_of_another_shape_is_fitted_with_black_beside_it(window, virtual_screen):
    window.show(np.full((100, 100, 3), (10, 200, 30), np.uint8), ScreenText())
    expected = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    expected[:, 140:500] = (10, 200, 30)
    until(lambda: np.array_equal(virtual_screen.shown(TITLE), expected))


@pytest.mark.parametrize("one", KEYS, ids=lambda one: one.key)
def test_each_key_that_is_pressed_gives_its_action(one, window, virtual_screen):
    window.show(picture(), ScreenText())
    until(lambda: virtual_screen.window(TITLE))
    window.actions()
    virtual_screen.focus(TITLE)
    virtual_screen.press(one.key)
    assert until(lambda: window.actions() or None) == [one.action]


def test_escape_ends_and_other_keys_do_nothing():
    assert action_of("escape") == "quit"
    assert action_of("z") is None
    assert len(help_lines()) == len(KEYS) == len({one.key for one in KEYS})


def test_without_a_screen_there_is_an_error_that_names_the_way_out(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CleanplateError, match="--no-window"):
        Window(TITLE, (HEIGHT, WIDTH))
