"""The repository's examples on hosts that stand for instances; cmn's is like the package's own."""

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
SMALL = (
    "bocl run --stream split-cifar100 --tasks 1 --epochs 1 --threads 1 --judge held-out"
    ' --no-routing-test --out "$ORCHESTRATE_OUTPUT/run" --metrics-out "$ORCHESTRATE_METRICS"'
)
DATA = {"bocl": "cifar-100-python", "gossipgrad": "mnist"}


def _keys(name: str) -> dict[str, Any]:
    """What ec2.yml says, over what it extends; the backend's keys as `ec2`."""
    folder = EXAMPLES / name
    above = yaml.safe_load((folder / "ec2.yml").read_text())
    keys = yaml.safe_load((folder / above.pop("extends")).read_text()) | above
    ec2 = keys.pop("backend")["ec2"] | {"lease": "5m"}
    return {**keys, "ec2": ec2}


def _needs(name: str) -> str:
    """Where an example's data are; skips where they are not, or the program is not."""
    data = os.environ.get(f"{name.upper()}_DATA") or os.environ.get("CMN_DATA", "")
    if not (Path(data) / DATA[name]).is_dir():
        pytest.skip(f"$CMN_DATA is no folder that holds {DATA[name]}")
    if not (Path(sys.executable).parent / name).exists():
        pytest.skip(f"the package {name} is not installed beside this one")
    return data


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_bocl_is_tuned_in_small_on_an_instance(aws: Aws, hosts: Hosts, tmp_path: Path) -> None:
    keys = _keys("bocl")
    keys["env"]["BOCL_DATA"] = _needs("bocl")
    small = {"command": SMALL, "budget": 1}
    experiment = Experiment(tmp_path, aws, hosts.address, **{**keys, **small})
    with ended_at_last(experiment):
        experiment.lead()
        experiment.finish()
    (trial,) = experiment.trials()
    assert trial.values is not None
    assert all(trial.values[metric["name"]] > 0 for metric in keys["metrics"])
    assert not aws.instances("running", "pending")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_gossipgrad_is_tuned_on_gangs_of_four_instances(
    aws: Aws, hosts: Hosts, tmp_path: Path
) -> None:
    data = _needs("gossipgrad")

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
