"""The command group: one room per command, each imported only when it is called for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from bocl.errors import BOCLError

_COMMANDS = {
    "run": "bocl.cli.run",
    "verify": "bocl.cli.verify",
    "report": "bocl.cli.report",
    "compare": "bocl.cli.compare",
    "export": "bocl.cli.export",
}


class _Group(click.Group):
    """Imports commands on demand; turns bad input into one sentence and exit status 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(_COMMANDS[cmd_name]).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BOCLError, OSError) as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)


@click.group(cls=_Group)
@click.version_option(package_name="bocl")
def main() -> None:
    """Continual learning that grows by Bayesian optimisation and forgets nothing."""
