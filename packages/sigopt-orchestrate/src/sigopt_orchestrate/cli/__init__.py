"""The command `orchestrate`: parse, call, print."""

import errno
import importlib
import sys

import click

from sigopt_orchestrate import __version__
from sigopt_orchestrate.errors import OrchestrateError

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}  # full, or not ours to write
_ROOM = "sigopt_orchestrate.cli"
_COMMANDS = {
    "init": (f"{_ROOM}.init", "Write an experiment file, by flags or by asking."),
    "validate": (f"{_ROOM}.validate", "Check experiment files, and run nothing."),
    "run": (f"{_ROOM}.run", "Run an experiment file to its end, or one command once."),
    "optimize": (f"{_ROOM}.optimize", "Run a command with an experiment file's parameters."),
    "resume": (f"{_ROOM}.run", "Go on with an experiment after a pause, a stop or a crash."),
    "stop": (f"{_ROOM}.steer", "End an experiment's trials; resume goes on with it."),
    "pause": (f"{_ROOM}.steer", "Start no further trials; those that run go on."),
    "retry": (f"{_ROOM}.steer", "Run failed trials once more."),
    "status": (f"{_ROOM}.show", "Show one experiment and its trials."),
    "list": (f"{_ROOM}.show", "Show all experiments."),
    "top": (f"{_ROOM}.top", "Show what runs now, and what it uses."),
    "best": (f"{_ROOM}.show", "Show the best trial, or the Pareto front of two objectives."),
    "confirm": (f"{_ROOM}.confirm", "Run the best trial and the defaults again, and compare."),
    "compare": (f"{_ROOM}.compare", "Show experiments side by side."),
    "logs": (f"{_ROOM}.logs", "Print what trials wrote, and follow it."),
    "artifacts": (f"{_ROOM}.artifacts", "List and fetch what trials have left in S3."),
    "export": (f"{_ROOM}.export", "Write the trials as csv, json or parquet, or to other tools."),
    "report": (f"{_ROOM}.report", "Write one self-contained HTML page."),
    "server": (f"{_ROOM}.server", "Serve the dashboard and SigOpt's API v1."),
    "token": (f"{_ROOM}.token", "Make, list and revoke the server's tokens."),
    "cluster": (
        f"{_ROOM}.cluster",
        "Connect Kubernetes clusters, test them, and make them on EKS.",
    ),
    "policy": (f"{_ROOM}.aws", "Print the least IAM policy for EC2 or a cluster.yml."),
    "reap": (f"{_ROOM}.aws", "End instances on EC2 that nobody vouches for."),
    "kubectl": (f"{_ROOM}.kubectl", "Call kubectl in a connected cluster."),
    "migrate": (f"{_ROOM}.migrate", "Turn the old tools' files into an experiment file."),
    "import": (f"{_ROOM}.imports", "Take over an Optuna study or a SigOpt experiment."),
    "doctor": (f"{_ROOM}.doctor", "Check this machine, the store and the optimiser."),
}


class _Commands(click.Group):
    """Imports a command's module when it is called: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="orchestrate")
def orchestrate() -> None:
    """Parallel training and hyperparameter optimisation: parameters in, metrics out.

    Exit status: 0 done; 1 every trial failed, or doctor found something bad; 2 something to mend
    in what you gave; 3 stopped before the budget was used.
    """


def main() -> None:
    """Runs the command line; what the user can mend becomes one line and exit status 2."""
    try:
        orchestrate()
    except OrchestrateError as error:
        click.echo(f"orchestrate: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.errno not in _DISK:
            raise
        click.echo(f"orchestrate: {error.filename or 'the disk'}: {error.strerror}", err=True)
        sys.exit(2)
