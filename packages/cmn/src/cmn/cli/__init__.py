"""Command line: `cmn data | train | tune-space | evaluate | compare | recommend | explain | ...`.

The last line of stdout is one JSON object, with `--json` the only one; progress goes to stderr.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from cmn.cli.bench import bench
from cmn.cli.data import data
from cmn.cli.measure import compare, evaluate
from cmn.cli.train import train
from cmn.cli.tune_space import tune_space
from cmn.cli.use import explain, export, recommend
from cmn.errors import CMNError


class _Group(click.Group):
    """Turns this package's errors and unusable paths into one sentence and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # who reads the output has enough: no mistake, and click ends quietly
        except (CMNError, OSError) as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of use, not of the alphabet


@click.group(cls=_Group)
@click.version_option(package_name="cmn")
def main() -> None:
    """Collaborative Memory Network: train, measure, recommend, explain."""


for _command in (data, train, tune_space, evaluate, compare, recommend, explain, export, bench):
    main.add_command(_command)
