"""The repository's examples on hosts that stand for instances: as written, but for the budget."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hosting import Experiment, ended_at_last
from namespace_hosts import Hosts
from pretend_aws import Answer, Aws, Call

EXAMPLES = Path(__file__).parents[4] / "examples"


def _keys(name: str) -> dict[str, Any]:
    """What ec2.yml says, over what it extends; the backend's keys as `ec2`."""
    folder = EXAMPLES / name
    above = yaml.safe_load((folder / "ec2.yml").read_text())
    keys = yaml.safe_load((folder / above.pop("extends")).read_text()) | above
    ec2 = keys.pop("backend")["ec2"] | {"lease": "5m"}
    return {**keys, "ec2": ec2}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_gossipgrad_is_tuned_on_gangs_of_four_instances(
    aws: Aws, hosts: Hosts, tmp_path: Path
) -> None:
    data = os.environ.get("GOSSIPGRAD_DATA")
    if data is None or not (Path(data) / "mnist").is_dir():
        pytest.skip("$GOSSIPGRAD_DATA/mnist is not there")
    if not (Path(sys.executable).parent / "gossipgrad").exists():
        pytest.skip("the package gossipgrad is not installed beside this one")

    def placement(call: Call) -> Answer | None:  # moto has none
        if call.action not in {"CreatePlacementGroup", "DeletePlacementGroup"}:
            return None
        return Answer(200, body=f"<{call.action}Response/>".encode())

    aws.rule = placement
    keys = _keys("gossipgrad")
    # All hosts have this machine's name, which leads gloo to the loopback.
    keys["env"] |= {"GOSSIPGRAD_DATA": data, "GLOO_SOCKET_IFNAME": "eth0"}
    program = {"train.py": (EXAMPLES / "gossipgrad/train.py").read_text()}
    experiment = Experiment(tmp_path, aws, hosts.address, files=program, **{**keys, "budget": 1})
    with ended_at_last(experiment):
        experiment.lead()
        experiment.finish()
    (trial,) = experiment.trials()
    assert trial.values is not None
    assert trial.values["accuracy"] > 0.8
    assert trial.values["step_us"] > 0
    assert len(hosts.hosts) == 4
    assert not aws.instances("running", "pending")
