"""Groups of options that several commands share, or that make one command long."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import click

KINDS = "alpha,foreground,depth,shadow,preview,composite"

Command = Callable[..., Any]


def _group(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Make one decorator of several; help shows them in this order."""
    return lambda command: reduce(lambda inner, option: option(inner), reversed(options), command)


overwrite_option = click.option(
    "--overwrite",
    is_flag=True,
    help="Replace files that are there even if Cleanplate did not write them.",
)

model_options = _group(
    click.option("--model", metavar="NAME|FOLDER", help="A shipped or an exported model."),
    click.option("--align", is_flag=True, help="Register the plate to each frame first, for a "
                 "hand-held or knocked camera."),
    click.option("--working-size", type=int, metavar="N", help="Long side in pixels at which the "
                 "network sees plate and frame. [default: 512]"),
    click.option("--threads", type=int, metavar="N", help="CPU threads of the network. [default: "
                 "all cores, at most 4; with --workers, the cores shared out]"),
    click.option("--provider", metavar="NAME", help="ONNX Runtime's execution provider, such as "
                 "cuda or coreml; an error if it is not there. [default: cpu]"),
)  # fmt: skip

writing_options = _group(
    click.option("--save", metavar="LIST", help=f"What to write, of {KINDS}. [default: all; "
                 "composite only with --background]"),
    click.option("--background", metavar="COLOUR|FILE", help="What the composite shows behind the "
                 "subject: #rrggbb, a CSS name or a picture."),
    click.option("--bits", type=click.Choice(["8", "16"]), default="8", show_default=True,
                 help="Bits of a sample in alpha, foreground and shadow."),
    click.option("--foreground-space", type=click.Choice(["linear", "display"]), default="linear",
                 show_default=True, help="In which values the foreground will be laid over a new "
                 "background: linear light, or display values as most editors do."),
    click.option("--premultiplied", is_flag=True, help="Multiply the foreground's colour by "
                 "alpha. [default: straight colour]"),
    overwrite_option,
    click.option("--skip-existing", is_flag=True, help="Leave out frames whose files an earlier "
                 "run wrote with the same options."),
)  # fmt: skip

matte_options = _group(
    click.option("--known-mask", metavar="FILE", help="A grey picture of the plate's size: black = "
                 "always out, white = always in, mid-grey (128) = find out."),
    click.option("--choke", type=float, default=0.0, metavar="PX", help="Shrink the matte by so "
                 "many pixels; below 0, grow it."),
    click.option("--feather", type=float, default=0.0, metavar="PX", help="Soften the matte's edge "
                 "over so many pixels to each side."),
    click.option("--despill", type=float, default=0.0, metavar="AMOUNT", help="Take the reflection "
                 "of a one-coloured plate out of the foreground: 0 (none) to 1."),
)  # fmt: skip
