"""`orchestrate cluster`: the Kubernetes clusters that experiments may name."""

from dataclasses import asdict
from pathlib import Path

import click
import yaml

from sigopt_orchestrate.cli import eks
from sigopt_orchestrate.cli.checks import report
from sigopt_orchestrate.cli.options import json_option
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import ClusterError
from sigopt_orchestrate.executors.kubernetes.cluster import ApiError, Cluster, open_cluster
from sigopt_orchestrate.executors.kubernetes.contexts import Context, contexts, keep
from sigopt_orchestrate.executors.kubernetes.forms import FORMS
from sigopt_orchestrate.executors.kubernetes.installation import apply_address, installation
from sigopt_orchestrate.executors.kubernetes.plugins import IMAGE, nvidia_device_plugin
from sigopt_orchestrate.executors.kubernetes.preflight import preflight
from sigopt_orchestrate.executors.kubernetes.rights import grantable
from sigopt_orchestrate.spec import Experiment, Kubernetes, load_experiment

_name = click.argument("name", required=False)


@click.group("cluster")
def cluster_command() -> None:
    """Connect Kubernetes clusters, make them on EKS, and install the server in one."""


for _command in eks.COMMANDS:
    cluster_command.add_command(_command)


@cluster_command.command("connect")
@click.argument("name")
@click.option("--context", help="Of the kubeconfig [default: its current one].")
@click.option("--namespace", help="Where trials go [default: the context's].")
@click.option("--kubeconfig", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def connect(
    name: str, *, context: str | None, namespace: str | None, kubeconfig: Path | None
) -> None:
    """Give a context and a namespace the NAME that `backend: {kubernetes: {cluster: NAME}}` means.

    The cluster is tested first, and nothing is kept if it cannot be used.
    """
    chosen = Context(str(kubeconfig.absolute()) if kubeconfig else None, context, namespace)
    cluster = open_cluster(Kubernetes(context=context, namespace=namespace), kubeconfig)
    bad = next((c for c in preflight(cluster, None) if c.verdict == "bad"), None)
    if bad is not None:
        raise ClusterError(bad.said)
    keep(name, chosen)
    click.echo(f"{name}: namespace {cluster.namespace} of {cluster.name}")


@cluster_command.command("disconnect")
@click.argument("name")
def disconnect(name: str) -> None:
    """Forget a NAME; what runs in the cluster stays."""
    if name not in contexts():
        raise ClusterError(f"cluster {name!r} is not connected")
    keep(name, None)
    click.echo(f"{name} is forgotten")


@cluster_command.command("list")
@json_option
def list_clusters(*, as_json: bool) -> None:
    """Show the connected clusters."""
    known = contexts()
    if as_json:
        print_json([{"name": name, **asdict(one)} for name, one in known.items()])
        return
    for name, one in known.items():
        click.echo(
            f"{name}: context {one.context or 'current'}, namespace {one.namespace or 'its own'}"
        )


@cluster_command.command("test")
@_name
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An experiment: could its trials run there?",
)
@json_option
def test(name: str | None, *, file: Path | None, as_json: bool) -> None:
    """Say whether trials can run in a cluster; nothing is created. Exits 1 if they cannot."""
    spec = load_experiment(file) if file else None
    report(list(preflight(_open(name, spec), spec)), as_json=as_json)


@cluster_command.command("install")
@_name
@click.option("--image", required=True, help="An image with this package, best by digest.")
@click.option("--storage", default="10Gi", show_default=True, help="The home folder's volume.")
@click.option("--store-secret", help="A Secret whose key `url` is a PostgreSQL address.")
@click.option("--print", "only_print", is_flag=True, help="Print the manifests; create nothing.")
def install(
    name: str | None, *, image: str, storage: str, store_secret: str | None, only_print: bool
) -> None:
    """Install the server in a cluster's namespace, with rights in that namespace alone.

    Said again, it changes what is there. Its Role names JobSets and MPIJobs where you may grant
    them; the printed one does in any case.
    """
    cluster = _open(name, None)
    try:
        forms = tuple(FORMS.values()) if only_print else grantable(cluster)
    except ApiError as error:
        raise ClusterError(f"{cluster.name}: {error.message}") from None
    found = installation(
        cluster.namespace, image, storage=storage, store_secret=store_secret, forms=forms
    )
    if only_print:
        click.echo(yaml.safe_dump_all(found, sort_keys=False), nl=False)
        return
    apply(cluster, found)


@cluster_command.command("install-plugins")
@_name
@click.option("--image", default=IMAGE, show_default=True, help="For a registry of your own.")
@click.option("--print", "only_print", is_flag=True, help="Print the manifest; create nothing.")
def install_plugins(name: str | None, *, image: str, only_print: bool) -> None:
    """Install NVIDIA's device plug-in; needs rights in kube-system."""
    found = nvidia_device_plugin(image)
    if only_print:
        click.echo(yaml.safe_dump(found, sort_keys=False), nl=False)
        return
    apply(_open(name, None), [found])


@cluster_command.command("uninstall")
@_name
def uninstall(name: str | None) -> None:
    """Remove the server; its volume, with all experiments, stays."""
    cluster = _open(name, None)
    for manifest in reversed(
        installation(cluster.namespace, "-", storage="1Gi", store_secret=None)
    ):
        if manifest["kind"] == "PersistentVolumeClaim":
            click.echo("persistentvolumeclaim/orchestrate stays: it holds the experiments")
            continue
        address = f"{apply_address(manifest)}/{manifest['metadata']['name']}"
        try:
            cluster.call("DELETE", address, {"propagationPolicy": "Background"})
        except ApiError as error:
            if error.status != 404:
                raise ClusterError(error.message) from None


def apply(cluster: Cluster, manifests: list[dict[str, object]]) -> None:
    """Creates objects, or changes those that are there; first all are tried without effect.

    Raises:
        ClusterError: If the cluster would refuse one: then none is created.
    """
    for rehearsal in (True, False):
        for manifest in manifests:
            query = {"dryRun": "All"} if rehearsal else {}
            try:
                _create_or_patch(cluster, manifest, query)
            except ApiError as error:
                kind = str(manifest["kind"]).lower()
                raise ClusterError(f"the cluster refuses the {kind}: {error.message}") from None
            if not rehearsal:
                click.echo(f"{str(manifest['kind']).lower()}/{_called(manifest)}")


def _create_or_patch(cluster: Cluster, manifest: dict[str, object], query: dict[str, str]) -> None:
    address = apply_address(manifest)
    try:
        cluster.call("POST", address, manifest, query)
    except ApiError as error:
        if error.status != 409:
            raise
        cluster.call("PATCH", f"{address}/{_called(manifest)}", manifest, query)


def _called(manifest: dict[str, object]) -> str:
    metadata = manifest["metadata"]
    assert isinstance(metadata, dict)  # noqa: S101
    return str(metadata["name"])


def _open(name: str | None, spec: Experiment | None) -> Cluster:
    """The named cluster, the experiment's own, or the kubeconfig's current one."""
    if name is not None:
        return open_cluster(Kubernetes(cluster=name))
    if spec is not None:
        if spec.backend is None or spec.backend.ec2 is not None:
            raise ClusterError("the experiment has no `backend: kubernetes`")
        return open_cluster(spec.backend.kubernetes)
    return open_cluster(Kubernetes())
