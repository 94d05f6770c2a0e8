"""LazyGroup: a Click group that imports a command when it is run."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click


class LazyGroup(click.Group):
    """A Click group that imports a command's module when the command is run.

    Args:
        package: of the modules. A command NAME is `command` in the module `NAME_command`, a
            group of commands in the package NAME.
        table: name -> one line of help.
    """

    def __init__(self, *args: Any, package: str, table: Mapping[str, str], **options: Any):
        super().__init__(*args, **options)
        self.package, self.table = package, table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names of the commands whose modules exist."""
        return [name for name in self.table if self._module(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module; None if there is no such command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(self._module(cmd_name)).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; the error for an unknown name suggests similar ones."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = get_close_matches(args[0], self.list_commands(ctx))
            message = f"No such command {args[0]!r}."
            if near:
                message += f" Did you mean {' or '.join(repr(name) for name in near)}?"
            ctx.fail(message)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands to the help, without importing them."""
        rows = [(name, self.table[name]) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def _module(self, name: str) -> str:
        """Return the full name of a command's module; "" if there is none."""
        candidates = (f"{self.package}.{name}_command", f"{self.package}.{name}")
        return next((module for module in candidates if find_spec(module)), "")
