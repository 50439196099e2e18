from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eks_interruptions import SMALL, Interrupted, inventory, run, undo
from pretend_aws import Answer, Aws

from sigopt_orchestrate.aws.session import client
from sigopt_orchestrate.eks.journal import Journal
from sigopt_orchestrate.spec.cluster import ClusterFile

pytestmark = pytest.mark.timeout(900)  # however busy the machine is


@pytest.fixture
def file(aws: Aws, tmp_path: Path) -> Iterator[ClusterFile]:
    made = ClusterFile.model_validate(SMALL)
    yield made
    aws.rule = None
    undo(made, tmp_path)


def test_a_cluster_is_made_once_and_destroyed_whole(file: ClusterFile, tmp_path: Path) -> None:
    before = inventory()
    run(file, tmp_path)
    made = inventory()
    assert made != before
    run(file, tmp_path)
    assert inventory() == made
    eks = client("eks")
    group = eks.call("describe_nodegroup", clusterName=file.name, nodegroupName="gpu")["nodegroup"]
    assert group["scalingConfig"]["minSize"] == 0
    assert group["taints"][0]["key"] == "nvidia.com/gpu"
    assert group["capacityType"] == "SPOT"
    assert undo(file, tmp_path) == {}
    assert inventory() == before
    assert Journal.read(tmp_path, file.name) is None


def test_an_update_scales_groups_and_removes_those_that_are_no_more(
    file: ClusterFile, tmp_path: Path
) -> None:
    run(file, tmp_path)
    cpu = {**SMALL["nodes"]["cpu"], "min": 1, "max": 7}
    changed = ClusterFile.model_validate({**SMALL, "nodes": {"cpu": cpu}})
    run(changed, tmp_path)
    eks = client("eks")
    assert eks.call("list_nodegroups", clusterName=file.name)["nodegroups"] == ["cpu"]
    group = eks.call("describe_nodegroup", clusterName=file.name, nodegroupName="cpu")["nodegroup"]
    assert group["scalingConfig"] == {"minSize": 1, "maxSize": 7, "desiredSize": 1}
    assert undo(changed, tmp_path) == {}


@pytest.mark.parametrize("nth", [5, 24, 36])
def test_a_creation_that_is_interrupted_is_gone_on_from(
    file: ClusterFile, tmp_path: Path, nth: int
) -> None:
    before = inventory()
    with pytest.raises(Interrupted):
        run(file, tmp_path, interrupt_after=nth)
    run(file, tmp_path)
    assert undo(file, tmp_path) == {}
    assert inventory() == before


@pytest.mark.parametrize("lost", [False, True])
def test_calls_that_fail_once_or_whose_answers_are_lost_make_nothing_twice(
    file: ClusterFile, tmp_path: Path, aws: Aws, lost: bool
) -> None:
    before = inventory()
    failed: set[str] = set()

    def once(call: Any) -> Answer | None:
        key = call.action
        if key in failed:
            return None
        failed.add(key)
        return Answer(lost=lost)

    aws.rule = once
    run(file, tmp_path)
    assert len(failed) > 15
    aws.rule = None
    counted = inventory()
    assert len(counted["vpcs"]) == len(before["vpcs"]) + 1
    assert undo(file, tmp_path) == {}
    assert inventory() == before


def test_what_cannot_be_removed_is_said_and_removed_by_the_next_try(
    file: ClusterFile, tmp_path: Path, aws: Aws
) -> None:
    before = inventory()
    run(file, tmp_path)
    aws.rule = lambda call: (
        Answer(400, "DependencyViolation") if call.action == "DeleteSubnet" else None
    )
    left = undo(file, tmp_path)
    assert {name for name in left if name.startswith("subnet")} == {"subnet 0", "subnet 1"}
    assert all("DependencyViolation" in said for name, said in left.items() if "subnet" in name)
    aws.rule = None
    assert undo(file, tmp_path) == {}
    assert inventory() == before


@pytest.mark.usefixtures("file")
def test_an_administrator_gets_an_access_entry(tmp_path: Path, aws: Aws) -> None:
    arn = "arn:aws:iam::123456789012:role/people"
    held: set[str] = set()

    def entries(call: Any) -> Answer | None:  # moto has none
        if "/access-entries" not in call.action:
            return None
        if call.action.startswith("GET") and not held:
            return Answer(404, "ResourceNotFoundException")
        if call.action.startswith("POST"):
            held.add(call.body.decode())
        return Answer(200, body=b"{}")

    aws.rule = entries
    run(ClusterFile.model_validate({**SMALL, "admins": [arn]}), tmp_path)
    assert any(arn in body for body in held)
    assert any("AmazonEKSClusterAdminPolicy" in body for body in held)
