"""`orchestrate cluster create|update|destroy|cost`: EKS clusters."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from sigopt_orchestrate.cli.options import home_option, json_option
from sigopt_orchestrate.cli.tables import open_console
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import CloudError, SpecError
from sigopt_orchestrate.interchange.old_cluster import migrate_cluster
from sigopt_orchestrate.spec.cluster import ClusterFile, parse_cluster, read_yaml

_Command = Callable[..., Any]

_file_option: Callable[[_Command], _Command] = click.option(
    "--file",
    "-f",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A cluster.yml, ours or the old tool's.",
)


def load_cluster(path: Path) -> ClusterFile:
    """Returns the cluster that a file describes; one of the old tool's is taken over.

    Raises:
        SpecError: If it breaks a rule.
    """
    data = read_yaml(path)
    if "cluster_name" not in data:
        return parse_cluster(data, str(path))
    old = migrate_cluster(data, str(path))
    if old.plan.provider != "aws":
        said = "only clusters of the provider aws are made; connect others"
        raise SpecError(f"{path}: provider: {said}")
    for note in old.notes:
        click.echo(f"{path}: {note}", err=True)
    groups = {
        name: {
            "types": [group.instance_type],
            "min": group.min_nodes,
            "max": group.max_nodes,
            **({"disk_gb": max(20, group.node_volume_size)} if group.node_volume_size else {}),
        }
        for name, group in old.plan.nodes.items()
    }
    given = {"name": old.plan.name, "nodes": groups, "policies": old.plan.policies}
    return parse_cluster(given, str(path))


@click.command("create")
@_file_option
@click.option("--dry-run", is_flag=True, help="Print the plan and what it costs; make nothing.")
@click.option("--no-plug-ins", is_flag=True, help="Leave out what runs in the cluster itself.")
@home_option
def create_command(*, file: Path, dry_run: bool, no_plug_ins: bool, home: Path) -> None:
    """Make an EKS cluster, or go on with one that was interrupted.

    It takes some twenty minutes at AWS. What was made is kept in HOME/clusters; `cluster destroy`
    removes it all.
    """
    _bring_about(load_cluster(file), home, dry_run=dry_run, plug_ins=not no_plug_ins)


@click.command("update")
@_file_option
@click.option("--dry-run", is_flag=True, help="Print the plan and what it costs; change nothing.")
@click.option("--no-plug-ins", is_flag=True, help="Leave out what runs in the cluster itself.")
@home_option
def update_command(*, file: Path, dry_run: bool, no_plug_ins: bool, home: Path) -> None:
    """Bring an EKS cluster to what the file says: groups of nodes added, resized, removed."""
    from sigopt_orchestrate.eks.journal import Journal  # noqa: PLC0415

    wanted = load_cluster(file)
    if Journal.read(home / "clusters", wanted.name) is None:
        known = f"{home / 'clusters'} knows no cluster {wanted.name!r}"
        raise CloudError(f"{file}: name: {known}; `orchestrate cluster create` makes it")
    _bring_about(wanted, home, dry_run=dry_run, plug_ins=not no_plug_ins)


@click.command("destroy")
@click.argument("name", required=False)
@click.option("--file", "-f", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def destroy_command(*, name: str | None, file: Path | None, yes: bool, home: Path) -> None:
    """Remove all of an EKS cluster, with the images in its registry.

    Exits 1 and says what is left if something could not be removed; said again, it tries again.
    """
    from sigopt_orchestrate.eks import driver  # noqa: PLC0415
    from sigopt_orchestrate.eks.journal import Journal  # noqa: PLC0415
    from sigopt_orchestrate.executors.kubernetes.contexts import contexts, keep  # noqa: PLC0415

    wanted = load_cluster(file) if file is not None else None
    called = wanted.name if wanted is not None else name
    if called is None:
        raise SpecError("give the NAME of a cluster, or its file with -f")
    journal = Journal.read(home / "clusters", called)
    if journal is None and wanted is not None:
        journal = Journal.begin(home / "clusters", wanted)
    if journal is None:
        raise CloudError(f"{home / 'clusters'} knows no cluster {called!r}; give its file with -f")
    if not yes:
        click.confirm(f"remove cluster {called} and all that belongs to it?", abort=True)
    left = driver.destroy(_context(journal.file), journal, _told)
    if left:
        for step, reason in left.items():
            click.echo(f"left: {step}: {reason}", err=True)
        sys.exit(1)
    if called in contexts():
        keep(called, None)
    _kubeconfig(home, called).unlink(missing_ok=True)
    click.echo(f"nothing is left of {called}")


@click.command("cost")
@_file_option
@json_option
def cost_command(*, file: Path, as_json: bool) -> None:
    """Say what a cluster costs an hour; makes nothing."""
    _print_charges(load_cluster(file), as_json=as_json)


@click.command("eks-token", hidden=True)
@click.argument("name")
@click.option("--region")
def token_command(name: str, region: str | None) -> None:
    """Print a token for an EKS cluster, as kubeconfigs ask for it."""
    from sigopt_orchestrate.eks.access import token  # noqa: PLC0415

    print_json(token(name, region))


COMMANDS = (create_command, update_command, destroy_command, cost_command, token_command)


def _bring_about(file: ClusterFile, home: Path, *, dry_run: bool, plug_ins: bool) -> None:
    from sigopt_orchestrate.aws.session import client  # noqa: PLC0415
    from sigopt_orchestrate.eks import driver, plan  # noqa: PLC0415
    from sigopt_orchestrate.eks.access import write_kubeconfig  # noqa: PLC0415
    from sigopt_orchestrate.eks.journal import Journal  # noqa: PLC0415
    from sigopt_orchestrate.executors.kubernetes.contexts import Context, keep  # noqa: PLC0415

    if dry_run:
        for step in plan.steps(file):
            click.echo(f"{step.name}: {step.what}")
        _print_charges(file, as_json=False)
        return
    client("sts", file.region).call("get_caller_identity")  # nothing is begun without credentials
    journal = Journal.begin(home / "clusters", file)
    context = _context(file)
    driver.create(context, journal, _told)
    kubeconfig = _kubeconfig(home, file.name)
    write_kubeconfig(kubeconfig, file.name, file.region)
    keep(file.name, Context(str(kubeconfig.absolute()), file.name, "default"))
    if plug_ins:
        _install_plug_ins(file, context.made["autoscaler-role"])
    click.echo(f"{file.name} is there; `backend: {{kubernetes: {{cluster: {file.name}}}}}` uses it")


def _install_plug_ins(file: ClusterFile, role: str) -> None:
    from sigopt_orchestrate.aws.session import client  # noqa: PLC0415
    from sigopt_orchestrate.cli.cluster import apply  # noqa: PLC0415 - it imports us
    from sigopt_orchestrate.eks.autoscaler import manifests  # noqa: PLC0415
    from sigopt_orchestrate.executors.kubernetes.cluster import open_cluster  # noqa: PLC0415
    from sigopt_orchestrate.executors.kubernetes.plugins import (  # noqa: PLC0415
        nvidia_device_plugin,
    )
    from sigopt_orchestrate.spec import Kubernetes  # noqa: PLC0415

    eks = client("eks", file.region)
    version = eks.call("describe_cluster", name=file.name)["cluster"]["version"]
    wanted = manifests(file.name, str(eks.raw.meta.region_name), role, version)
    if any(group.gpu for group in file.nodes.values()):
        wanted.append(nvidia_device_plugin())
    apply(open_cluster(Kubernetes(cluster=file.name)), wanted)


def _kubeconfig(home: Path, name: str) -> Path:
    return home / "clusters" / f"{name}.kubeconfig"


def _context(file: ClusterFile) -> Any:
    from sigopt_orchestrate.eks.steps import Context  # noqa: PLC0415

    return Context(file, lambda said: click.echo(f"  {said}", err=True), time.sleep)


def _told(step: str, said: str) -> None:
    click.echo(f"{step}: {said}")


def _print_charges(file: ClusterFile, *, as_json: bool) -> None:
    from sigopt_orchestrate.aws.prices import Prices, table  # noqa: PLC0415
    from sigopt_orchestrate.aws.session import client  # noqa: PLC0415
    from sigopt_orchestrate.eks.charges import charges, total  # noqa: PLC0415

    region = file.region or str(client("eks").raw.meta.region_name)
    lines = charges(file, Prices(region))
    together = total(lines)
    if as_json:
        shown = [asdict(line) for line in lines]
        print_json({"lines": shown, "total": asdict(together), "table": table()["date"]})
        return
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("USD per hour", "at least", "at most"):
        grid.add_column(name, justify="left" if name == "USD per hour" else "right")
    for line in (*lines, together):
        grid.add_row(line.what, _amount(line.least), _amount(line.most))
    open_console().print(grid)
    click.echo(
        f"on demand in {region}; disks, addresses and traffic not counted; table of "
        f"{table()['date']} for {table()['region']}, AWS's price list for the rest"
    )


def _amount(usd: float | None) -> str:
    return "not known" if usd is None else f"{usd:.3f}"
