"""`orchestrate kubectl`: kubectl with the cluster and namespace that trials use."""

import os
import shutil

import click

from sigopt_orchestrate.errors import ClusterError
from sigopt_orchestrate.executors.kubernetes.cluster import open_cluster
from sigopt_orchestrate.spec import Kubernetes


@click.command(
    "kubectl", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.option("--cluster", help="A connected cluster [default: the kubeconfig's current context].")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def kubectl_command(cluster: str | None, arguments: tuple[str, ...]) -> None:
    """Call kubectl with ARGUMENTS in a connected cluster's context and namespace."""
    program = shutil.which("kubectl")
    if program is None:
        raise ClusterError("kubectl is not on the path")
    chosen = open_cluster(Kubernetes(cluster=cluster))
    line = [program, "--namespace", chosen.namespace]
    if chosen.kubeconfig is not None:
        line += ["--context", chosen.name]
        os.environ["KUBECONFIG"] = chosen.kubeconfig
    os.execv(program, [*line, *arguments])  # noqa: S606 - the user's own kubectl
