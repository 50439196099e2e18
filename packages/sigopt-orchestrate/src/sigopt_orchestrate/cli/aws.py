"""`orchestrate policy` and `orchestrate reap`: what AWS needs to be told, and what to end there."""

import json
from pathlib import Path

import click

from sigopt_orchestrate.cli.eks import load_cluster
from sigopt_orchestrate.cli.options import json_option
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.spec import load_experiment
from sigopt_orchestrate.spec.cluster import read_yaml


@click.command("policy")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def policy_command(file: Path) -> None:
    """Print the least IAM policy for an experiment on EC2 or with artifacts, or a cluster.yml.

    It is for whoever runs orchestrate; trials get their permissions from `backend.ec2.profile`.
    """
    from sigopt_orchestrate.aws.policy import cluster_policy, experiment_policy  # noqa: PLC0415

    if {"nodes", "cluster_name"} & read_yaml(file).keys() and "command" not in read_yaml(file):
        document = cluster_policy(load_cluster(file))
    else:
        spec = load_experiment(file)
        on_ec2 = spec.backend is not None and spec.backend.ec2 is not None
        if not on_ec2 and spec.artifacts is None:
            raise SpecError(
                f"{file}: backend: only `backend: ec2` and `artifacts` need permissions of AWS"
            )
        document = experiment_policy(spec)
    click.echo(json.dumps(document, indent=2))


@click.command("reap")
@click.option("--region", help="Of AWS [default: the AWS configuration's].")
@click.option("--experiment", metavar="NAME", help="All of one, by its name at AWS (orc-...).")
@json_option
def reap_command(*, region: str | None, experiment: str | None, as_json: bool) -> None:
    """End the instances of experiments on EC2 that no orchestrate vouches for any more.

    Found by their tags alone: an orchestrate that is alive renews the lease in the tag
    orchestrate:lease of its instances. With --experiment all of that one's, whatever its lease.
    """
    from sigopt_orchestrate.aws.session import client  # noqa: PLC0415
    from sigopt_orchestrate.executors.ec2.reaper import reap  # noqa: PLC0415

    ended = reap(client("ec2", region), experiment=experiment)
    if as_json:
        print_json({"ended": ended})
    else:
        click.echo("\n".join(ended) if ended else "there is nothing to end")
