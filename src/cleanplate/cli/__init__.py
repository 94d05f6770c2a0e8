"""The command line: `cleanplate COMMAND ...`.

A command's module is imported when the command is run, so that `cleanplate --help` is fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from cleanplate.cli.console import escape_unknown_characters
from cleanplate.cli.lazy_group import LazyGroup
from cleanplate.errors import CleanplateError

COMMANDS = {
    "predict": "Alpha, foreground and depth of frames against their plate.",
    "video": "The same for a locked camera's clip: transparent video, sequences, pipes.",
    "live": "The same for a camera in real time: backgrounds, blur by depth, objects.",
    "plate": "A clean plate from clips that never show the scene empty, or from a camera.",
    "evaluate": "Score a model or a baseline on pairs with known truth.",
    "synth": "Make training samples from plates and cutouts.",
    "train": "Train a network from a recipe.",
    "export": "Turn a trained network into ONNX files.",
    "diagnose": "Say why a network's maps are blank, constant or no better than a mean map.",
    "bench": "Measure speed and memory on this machine.",
    "doctor": "Show what is installed and what is missing.",
}
"""Name -> one line of help. See `lazy_group`."""


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from cleanplate import __version__

        click.echo(f"cleanplate {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    package=__name__,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: cleanplate predict --plate plate.jpg frame.jpg -o out",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def command() -> None:
    """Alpha matte, true colours and depth of a subject, from a picture of the empty scene."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: success; 1: a negative result, or the output was closed by its reader; 2: a user's error,
    printed on stderr; 130: stopped by Ctrl-C. Other exceptions are raised.

    Args:
        arguments: without the program's name; None = those of the process.
    """
    escape_unknown_characters()
    try:
        code = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="cleanplate",
            standalone_mode=False,
        )
        sys.stdout.flush()  # here, where a closed pipe is still handled below
        return code if isinstance(code, int) else 0
    except CleanplateError as error:
        click.echo(f"Error: {error}", err=True)
        return 2
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped.", err=True)
        return 130
    except BrokenPipeError:
        # Python flushes stdout again at exit; that needs an open file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
