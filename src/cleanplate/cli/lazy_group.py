"""A group of commands that imports each only when it is run."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is asked for.

    Args:
        package: where the modules are. A command NAME is `command` in the module `NAME_command`,
            a group of commands that in the package NAME.
        table: name -> one line of help.
    """

    def __init__(self, *args: Any, package: str, table: Mapping[str, str], **options: Any):
        super().__init__(*args, **options)
        self.package, self.table = package, table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands that are there."""
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

    def _module(self, name: str) -> str:
        """Full name of the module that has the command; "" if there is none."""
        candidates = (f"{self.package}.{name}_command", f"{self.package}.{name}")
        return next((module for module in candidates if find_spec(module)), "")
