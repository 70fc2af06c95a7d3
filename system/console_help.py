"""Help of a command line whose list of commands is not cut: Click cuts each to one line."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

_WHOLE = 1000  # longer than any first sentence


class WholeHelp(TyperGroup):
    """A group of commands; for `typer.Typer(cls=…, rich_markup_mode=None)`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with its first sentence, over several lines if need be."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, command.get_short_help_str(_WHOLE))
            for name, command in commands
            if command is not None and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
