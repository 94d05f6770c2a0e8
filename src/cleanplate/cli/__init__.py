"""The command line: `cleanplate COMMAND ...`.

Commands are loaded when they are run, so that `cleanplate --help` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from cleanplate.cli.console import escape_unknown_characters
from cleanplate.errors import CleanplateError

COMMANDS = {
    "predict": "Alpha, foreground and depth of frames against their plate.",
    "evaluate": "Score a model or a baseline on pairs with known truth.",
    "synth": "Make training samples from plates and cutouts.",
    "train": "Train a network from a recipe.",
    "export": "Turn a trained network into ONNX files.",
    "diagnose": "Say why a network's maps are blank, constant or no better than a mean map.",
    "bench": "Measure speed and memory on this machine.",
    "doctor": "Show what is installed and what is missing.",
}
"""Name -> one line of help. The command is `command` in `cleanplate.cli.<name>`."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is asked for.

    Args:
        package: where the modules are; each has its click command as `command`.
        table: name -> one line of help.
    """

    def __init__(self, *args: Any, package: str, table: Mapping[str, str], **options: Any):
        super().__init__(*args, **options)
        self.package, self.table = package, table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands that are there."""
        return [name for name in self.table if find_spec(f"{self.package}.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module; None if there is no such command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(f"{self.package}.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; for a mistyped name, say which are near it."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = get_close_matches(args[0], self.list_commands(ctx))
            told = f"No such command {args[0]!r}."
            if near:
                told += f" Did you mean {' or '.join(repr(name) for name in near)}?"
            ctx.fail(told)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, importing none of them."""
        rows = [(name, self.table[name]) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


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

    0: done; 1: done, with a bad result, or the reader of the output went away; 2: a mistake
    in what was given, told on stderr; 130: stopped by Ctrl-C. A bug's exception passes through.

    Args:
        arguments: without the program's name; by default those of the process.
    """
    escape_unknown_characters()
    try:
        code = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="cleanplate",
            standalone_mode=False,
        )
        sys.stdout.flush()  # here, where a closed pipe can still be told from a bug
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
        # Python flushes stdout once more at its end; that must find an open file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
