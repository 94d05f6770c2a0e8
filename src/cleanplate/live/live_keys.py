"""The keys of the live window, and what they do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LiveKey:
    """One key.

    key: its name, as the window's toolkit has it.
    action: by which the session knows it.
    about: for people.
    """

    key: str
    action: str
    about: str


KEYS = (
    LiveKey("p", "plate", "take a new plate"),
    LiveKey("f", "freeze", "freeze the picture, and go on"),
    LiveKey("r", "record", "begin recording, and end it"),
    LiveKey("c", "composite", "show the composite"),
    LiveKey("m", "matte", "show the matte"),
    LiveKey("d", "depth", "show depth: near is bright"),
    LiveKey("o", "camera", "show the camera's own picture"),
    LiveKey("i", "numbers", "show latency and stage times, or not"),
    LiveKey("h", "help", "show the keys, or not"),
    LiveKey("q", "quit", "end; Escape too"),
)

VIEWS = ("composite", "matte", "depth", "camera")
"""Actions that choose what the window shows."""


def action_of(key: str) -> str | None:
    """Give the action of a key by its name; None if it has none."""
    if key == "escape":
        return "quit"
    return next((one.action for one in KEYS if one.key == key), None)


def help_lines() -> list[str]:
    """List the keys, one a line."""
    return [f"{one.key.upper()}  {one.about}" for one in KEYS]
