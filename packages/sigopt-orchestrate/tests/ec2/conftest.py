"""Hosts that run moto's instances."""

import base64
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sigopt_orchestrate.aws import session
from sigopt_orchestrate.spec import Experiment

pytest.importorskip("moto", reason="moto[server] is not installed")
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[2] / "benchmarks")]
from namespace_hosts import Hosts, can_run, namespace_hosts
from pretend_aws import AMI, Aws


@pytest.fixture
def ec2(aws: Aws) -> session.Client:
    """Talks to `aws` through its proxy."""
    assert aws.url
    return session.client("ec2")


@pytest.fixture
def template(ec2: session.Client) -> Iterator[tuple[str, str]]:
    """A launch template whose instances would do nothing."""
    data = {"ImageId": AMI, "UserData": base64.b64encode(b"#!/bin/sh\n").decode()}
    made = ec2.call("create_launch_template", LaunchTemplateName="plain", LaunchTemplateData=data)[
        "LaunchTemplate"
    ]
    yield made["LaunchTemplateId"], "1"
    ec2.call("delete_launch_template", LaunchTemplateName="plain")


@pytest.fixture
def hosts(aws: Aws, tmp_path: Path) -> Iterator[Hosts]:
    why_not = can_run()
    if why_not is not None:
        pytest.skip(why_not)
    with namespace_hosts(aws, tmp_path / "hosts") as running:
        yield running


@pytest.fixture
def make_ec2_spec(make_spec: Callable[..., Experiment]) -> Callable[..., Experiment]:
    """A small experiment on EC2; keywords replace keys of `backend.ec2`."""

    def make(keys: dict[str, Any] | None = None, **ec2: Any) -> Experiment:
        given = {"address": "http://127.0.0.1:8701", "ami": AMI, "source": False, **ec2}
        return make_spec(backend={"ec2": given}, **(keys or {}))

    return make
