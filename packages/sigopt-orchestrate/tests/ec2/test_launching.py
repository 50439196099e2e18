import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pretend_aws import Answer, Aws, Call, without_capacity

from sigopt_orchestrate.aws.session import AwsError, Client, client, tags
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.executors.ec2.journal import Journal
from sigopt_orchestrate.executors.ec2.launching import Launcher
from sigopt_orchestrate.executors.ec2.names import EXPERIMENT, LEASE, Names
from sigopt_orchestrate.executors.ec2.pools import DRY_S, Pools
from sigopt_orchestrate.executors.ec2.reaper import reap
from sigopt_orchestrate.executors.ec2.template import ensure_template
from sigopt_orchestrate.executors.ec2.user_data import LIMIT, Calling, user_data
from sigopt_orchestrate.spec import Experiment

NAMES = Names("orc-1-test")
Made = Callable[..., tuple[Launcher, Journal]]

pytestmark = pytest.mark.timeout(900)  # however busy the machine is


@pytest.fixture
def make_launcher(ec2: Client, tmp_path: Path) -> Made:
    subnets = sorted(s["SubnetId"] for s in ec2.call("describe_subnets")["Subnets"])[:2]

    def make(spot: str | None = "prefer", name: str = "orc-1-test") -> tuple[Launcher, Journal]:
        journal = Journal(tmp_path / "fleet.json")
        pools = Pools(("m5.large", "c5.large"), subnets, spot)
        launcher = Launcher(
            ec2, names=Names(name), journal=journal, pools=pools, zones={}, price=lambda *_: 1.0
        )
        return launcher, journal

    return make


def launch(launcher: Launcher, template: tuple[str, str], count: int = 1) -> int | None:
    return launcher.launch(template, count, together=False, until=2e9)


def test_a_launch_is_journalled_tagged_and_found_again(
    make_launcher: Made, template: tuple[str, str], aws: Aws
) -> None:
    launcher, journal = make_launcher()
    assert launch(launcher, template, 2) == 2
    found = launcher.described()
    assert {one["InstanceId"] for one in found} == set(journal.instances)
    assert {one.market for one in journal.instances.values()} == {"spot"}
    again = make_launcher()[1]
    assert again.instances == journal.instances
    assert len(aws.instances("running")) == 2


def test_a_launch_whose_answer_was_lost_is_not_made_twice(
    make_launcher: Made, template: tuple[str, str], aws: Aws
) -> None:
    aws.rule = lambda call: Answer(lost=True) if call.action == "CreateFleet" else None
    launcher, journal = make_launcher(name="orc-2-lost")
    with pytest.raises(AwsError):
        launch(launcher, template)
    made = len(aws.instances("running"))  # moto does not honour the ClientToken of boto's repeats
    asked = sum(call.action == "CreateFleet" for call in aws.calls)
    assert made == asked
    aws.rule = None
    later, journal = make_launcher(name="orc-2-lost")
    assert later.settle()
    assert len(aws.instances("running")) == made
    assert journal.launches[1].done
    assert not later.settle()


def test_a_launch_that_never_reached_ec2_is_made_once_by_the_next_leader(
    make_launcher: Made, template: tuple[str, str], aws: Aws
) -> None:
    aws.rule = lambda call: Answer() if call.action == "CreateFleet" else None
    launcher, _ = make_launcher(name="orc-3-never")
    with pytest.raises(AwsError):
        launch(launcher, template)
    assert not aws.instances("running")
    aws.rule = None
    later, journal = make_launcher(name="orc-3-never")
    assert later.settle()
    assert len(aws.instances("running")) == len(journal.instances) == 1


def test_a_type_or_zone_without_capacity_is_left_out_at_once(
    make_launcher: Made, template: tuple[str, str], aws: Aws
) -> None:
    launcher, journal = make_launcher()
    first = launcher._pools.best()[0].subnet
    aws.rule = without_capacity(lambda t, s, _m: t == "m5.large" or s == first)
    assert launch(launcher, template) == 1
    (got,) = journal.instances.values()
    assert (got.type, got.market) == ("c5.large", "spot")


def test_on_demand_takes_over_where_spot_is_out(
    make_launcher: Made, template: tuple[str, str], aws: Aws
) -> None:
    launcher, journal = make_launcher()
    aws.rule = without_capacity(lambda _t, _s, market: market == "spot")
    assert launch(launcher, template) == 1
    assert [one.market for one in journal.instances.values()] == ["on-demand"]


def test_spot_that_is_required_waits_where_it_is_out(
    make_launcher: Made, template: tuple[str, str], aws: Aws
) -> None:
    launcher, journal = make_launcher("require")
    aws.rule = without_capacity(lambda *_: True)
    assert launch(launcher, template) is None
    assert not journal.instances


def test_a_refusal_that_is_none_of_capacitys_is_said(
    make_launcher: Made, template: tuple[str, str], aws: Aws
) -> None:
    launcher, _ = make_launcher()
    aws.rule = lambda call: (
        Answer(403, "UnauthorizedOperation") if call.action == "CreateFleet" else None
    )
    with pytest.raises(AwsError, match="ec2:CreateFleet: UnauthorizedOperation"):
        launch(launcher, template)


def test_a_dry_pool_is_asked_again_after_a_while() -> None:
    now = 0.0
    pools = Pools(("a.b",), ("subnet-1",), "require", lambda: now)
    pools.all_dry("spot")
    assert pools.best() == []
    assert pools.wait_s() == DRY_S
    now = DRY_S
    assert len(pools.best()) == 1


def test_the_reaper_ends_strangers_by_tag_and_lease_only(ec2: Client, aws: Aws) -> None:
    def run(given: dict[str, str]) -> str:
        spec: list[Any] = [{"ResourceType": "instance", "Tags": tags(given)}] if given else []
        made = ec2.call(
            "run_instances",
            ImageId="ami-0d27e0fb3bac4d724",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=spec,
        )
        return str(made["Instances"][0]["InstanceId"])

    run({})
    run({"Name": "orc-1-test"})
    run({EXPERIMENT: "orc-7-alive", LEASE: "9999999999"})
    over, never = run({EXPERIMENT: "orc-8", LEASE: "1"}), run({EXPERIMENT: "orc-9"})
    assert set(reap(ec2)) == {over, never}
    assert len(aws.instances("running")) == 3
    assert len(reap(ec2, experiment="orc-7-alive")) == 1
    assert len(aws.instances("running")) == 2


def test_the_template_asks_for_imdsv2_and_for_an_end_with_the_shutdown(
    ec2: Client, make_ec2_spec: Callable[..., Experiment]
) -> None:
    spec = make_ec2_spec(profile="trials", security_groups=["sg-0123"])
    ssm = client("ssm")
    first = ensure_template(ec2, ssm, NAMES, spec, "#!/bin/sh\n")
    assert ensure_template(ec2, ssm, NAMES, spec, "#!/bin/sh\n") == first
    second = ensure_template(ec2, ssm, NAMES, spec, "#!/bin/sh\n# changed\n")
    assert second == (first[0], "2")
    held = ec2.call(
        "describe_launch_template_versions", LaunchTemplateName=NAMES.root, Versions=["2"]
    )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert held["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert held["MetadataOptions"]["HttpTokens"] == "required"
    assert held["IamInstanceProfile"] == {"Name": "trials"}
    assert base64.b64decode(held["UserData"]).endswith(b"changed\n")


def test_a_gang_gets_a_placement_group_and_efa_only_where_all_types_have_it(
    ec2: Client, aws: Aws, make_ec2_spec: Callable[..., Experiment]
) -> None:
    groups: list[Call] = []

    def placement(call: Call) -> Answer | None:
        if call.action != "CreatePlacementGroup":  # moto has none
            return None
        groups.append(call)
        return Answer(200, body=b"<CreatePlacementGroupResponse/>")

    aws.rule = placement
    ssm, nodes = client("ssm"), {"nodes": {"count": 2}}
    for number, (types, efa) in enumerate(
        ((["p4d.24xlarge"], True), (["p4d.24xlarge", "m5.large"], False))
    ):
        names = Names(f"orc-gang-{number}")
        ensure_template(ec2, ssm, names, make_ec2_spec(nodes, types=types), "#!/bin/sh\n")
        held = ec2.call(
            "describe_launch_template_versions", LaunchTemplateName=names.root, Versions=["1"]
        )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        assert held["Placement"]["GroupName"] == names.root
        interfaces = held.get("NetworkInterfaces", [])
        assert [one["InterfaceType"] for one in interfaces] == (["efa"] if efa else [])
    assert [call.given["Strategy"] for call in groups] == ["cluster", "cluster"]


def test_the_user_data_fits_and_too_long_a_setup_is_refused() -> None:
    certificate = "x" * 1500
    terms: dict[str, Any] = {"lease_s": 60, "boot_s": 600, "source": True}
    calling = Calling("https://10.0.0.1:8701", "t" * 64, certificate)
    assert len(user_data(calling, **terms, setup="pip install .")) < LIMIT
    with pytest.raises(SpecError, match=r"backend\.ec2\.setup: is too long"):
        user_data(calling, **terms, setup="x" * 4000)
