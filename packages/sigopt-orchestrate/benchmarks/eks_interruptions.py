"""E1: an EKS cluster whose creation is interrupted after each single call to AWS, in moto."""

import contextlib
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from measuring import Row
from pretend_aws import Answer, Aws, Call, pretend_aws

from sigopt_orchestrate.aws import session
from sigopt_orchestrate.aws.session import client
from sigopt_orchestrate.eks import driver
from sigopt_orchestrate.eks.journal import Journal
from sigopt_orchestrate.eks.steps import Context
from sigopt_orchestrate.spec.cluster import ClusterFile

SMALL: dict[str, Any] = {
    "name": "lab",
    "nodes": {
        "cpu": {"types": ["m5.large", "m6i.large"], "max": 4},
        "gpu": {"types": ["g4dn.xlarge"], "max": 2, "spot": True},
    },
}


class Interrupted(BaseException):
    """What Ctrl-C or a crash is to the code that it strikes."""


def context(file: ClusterFile) -> Context:
    """Returns a context that is in no need of waiting."""
    return Context(file, lambda _said: None, lambda _seconds: None)


def run(file: ClusterFile, folder: Path, *, interrupt_after: int | None = None) -> None:
    """Creates the cluster.

    Args:
        file: The cluster.
        folder: Of the journal.
        interrupt_after: The number of the call to AWS, from 0, after which it is interrupted.
    """
    with _interruption(interrupt_after):
        driver.create(context(file), Journal.begin(folder, file), lambda *_: None)


def undo(file: ClusterFile, folder: Path, *, interrupt_after: int | None = None) -> dict[str, str]:
    """Destroys the cluster, and returns what is left of it."""
    with _interruption(interrupt_after):
        journal = Journal.read(folder, file.name) or Journal.begin(folder, file)
        return driver.destroy(context(file), journal, lambda *_: None)


@contextlib.contextmanager
def _interruption(after: int | None) -> Iterator[None]:
    made = 0
    honest = session.Client.guarded

    def counted(self: session.Client, operation: str, work: Callable[[], Any]) -> Any:
        nonlocal made
        answer = honest(self, operation, work)
        made += 1
        if after is not None and made > after:
            raise Interrupted
        return answer

    session.Client.guarded = counted  # type: ignore[method-assign]
    try:
        yield
    finally:
        session.Client.guarded = honest  # type: ignore[method-assign]


def inventory() -> dict[str, list[str]]:
    """Returns all that AWS holds of what a cluster consists of, by its kind."""
    ec2, iam, eks, ecr = (client(name) for name in ("ec2", "iam", "eks", "ecr"))
    described = {
        "vpcs": ("describe_vpcs", "Vpcs", "VpcId"),
        "subnets": ("describe_subnets", "Subnets", "SubnetId"),
        "gateways": ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        "tables": ("describe_route_tables", "RouteTables", "RouteTableId"),
        "groups": ("describe_security_groups", "SecurityGroups", "GroupId"),
    }
    found = {
        kind: sorted(str(one[key]) for one in ec2.call(call)[name])
        for kind, (call, name, key) in described.items()
    }
    found["roles"] = sorted(one["RoleName"] for one in iam.call("list_roles")["Roles"])
    providers = iam.call("list_open_id_connect_providers")["OpenIDConnectProviderList"]
    found["providers"] = sorted(one["Arn"] for one in providers)
    found["clusters"] = sorted(eks.call("list_clusters")["clusters"])
    repositories = ecr.call("describe_repositories")["repositories"]
    found["repositories"] = sorted(one["repositoryName"] for one in repositories)
    return found


def interrupt_everywhere(file: ClusterFile, folder: Path) -> tuple[int, int, int]:
    """Interrupts creating after its nth call, then removing after its nth, for each n.

    Returns:
        The number of interruptions while creating and while removing, and of those after which
        the cluster was not whole, or something was left of it.
    """
    empty, bad, counts = inventory(), 0, [0, 0]
    run(file, folder)
    whole = {kind: len(ids) for kind, ids in inventory().items()}
    undo(file, folder)
    for nth in itertools.count():
        struck = [False, False]
        for place, work in enumerate((run, undo)):
            try:
                work(file, folder, interrupt_after=nth)
            except Interrupted:
                struck[place] = True
                counts[place] += 1
                work(file, folder)
            found = inventory()
            if place == 0:
                bad += {kind: len(ids) for kind, ids in found.items()} != whole
            else:
                bad += found != empty
        if not any(struck):
            return counts[0], counts[1], bad
    raise AssertionError("it counts for ever")


def fail_everywhere(aws: Aws, file: ClusterFile, folder: Path, *, lost: bool) -> tuple[int, int]:
    """Has each kind of call fail once, before or after its effect, one kind after the other.

    Returns:
        How many kinds there are, and after how many of them something was wrong.
    """
    empty, bad = inventory(), 0
    aws.calls.clear()
    run(file, folder)
    whole = {kind: len(ids) for kind, ids in inventory().items()}
    undo(file, folder)
    kinds = sorted({(call.service, call.action) for call in aws.calls if call.service != "?"})
    for kind in kinds:
        failed = False

        def once(call: Call, kind: tuple[str, str] = kind) -> Answer | None:
            nonlocal failed
            if failed or (call.service, call.action) != kind:
                return None
            failed = True
            return Answer(lost=True) if lost else Answer(400, "ThrottlingException")

        aws.rule = once
        run(file, folder)
        bad += {k: len(ids) for k, ids in inventory().items()} != whole
        undo(file, folder)
        aws.rule = None
        bad += inventory() != empty
    return len(kinds), bad


def measure() -> list[Row]:
    """Interrupts and fails everything once, and counts what was wrong afterwards."""
    file = ClusterFile.model_validate(SMALL)
    rows = []
    with pretend_aws() as aws, tempfile.TemporaryDirectory() as folder:
        os.environ.update(aws.environment)
        for lost, what in ((False, "calls throttled once"), (True, "calls whose answer was lost")):
            kinds, bad = fail_everywhere(aws, file, Path(folder), lost=lost)
            rows.append(_row(f"each of {kinds} kinds of {what}", bad))
        creating, removing, bad = interrupt_everywhere(file, Path(folder))
    what = f"interrupted after each of {creating} calls while it was made"
    rows.append(_row(f"{what} and of {removing} while it was removed, and run again", bad))
    return rows


def _row(what: str, bad: int) -> Row:
    row = Row("E1", f"an EKS cluster in moto, {what}", f"{bad} not whole or not gone", "0")
    print(row, file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    for row in measure():
        print(row)
