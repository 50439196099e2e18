"""The command line: `gossipgrad run | rendezvous | doctor | simulate`."""

import sys

import click

from gossipgrad.cli.doctor import doctor
from gossipgrad.cli.rendezvous import rendezvous
from gossipgrad.cli.run import run
from gossipgrad.cli.simulate import simulate
from gossipgrad.errors import GossipError

__all__ = ["cli", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gossipgrad")
def cli() -> None:
    """Data-parallel SGD whose communication does not grow with the number of ranks."""


for command in (run, rendezvous, doctor, simulate):
    cli.add_command(command)


def main() -> None:
    """Runs the command line; a user's mistake ends in one sentence and status 2."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(130)
    except GossipError as error:
        click.echo(f"gossipgrad: {error}", err=True)
        sys.exit(2)
