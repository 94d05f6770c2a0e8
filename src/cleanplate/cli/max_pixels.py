"""The option `--max-pixels` of every command that reads pictures."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

VARIABLE = "CLEANPLATE_MAX_PIXELS"  # `decoding.MAX_PIXELS_VARIABLE`, which is costly to import


def max_pixels_option(function: Function) -> Function:
    """Add the option. It holds for all that the command reads, in worker processes too."""
    return click.option(
        "--max-pixels",
        type=click.IntRange(1),
        metavar="N",
        expose_value=False,
        callback=_set,
        help="Refuse pictures with more pixels.  [default: 134217728]",
    )(function)


def _set(context: click.Context, _: click.Parameter, limit: int | None) -> None:
    if limit is None:
        return
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(limit)
    context.call_on_close(lambda: _restore(before))


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = before
