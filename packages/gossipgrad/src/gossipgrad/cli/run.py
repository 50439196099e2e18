"""`gossipgrad run`: start a script on several ranks."""

import sys

import click

from gossipgrad.launch import LAUNCHERS
from gossipgrad.launch import run as launch


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("-n", "ranks", type=int, required=True, help="Number of ranks on this machine.")
@click.option(
    "--launcher", type=click.Choice(LAUNCHERS), default="auto", show_default=True,
    help="auto: MPI where there is an mpiexec, else torch.distributed. tcp: plain TCP.",
)  # fmt: skip
@click.option(
    "--restarts", type=int, default=0, show_default=True,
    help="With --launcher tcp: how many ranks that die are started anew, in all.",
)  # fmt: skip
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(ranks: int, launcher: str, restarts: int, script: str, arguments: tuple[str, ...]) -> None:
    """Run SCRIPT with ARGUMENTS on -n ranks of this machine.

    On a cluster start it as any MPI program instead (mpiexec, srun, an MPIJob), with torchrun, or
    with `gossipgrad rendezvous` and plain processes.
    """
    sys.exit(launch(ranks, script, arguments, launcher, restarts))
