"""`cluster.yml`: an EKS cluster as a file describes it."""

import re
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.spec.ec2 import InstanceType
from sigopt_orchestrate.spec.section import Section, Whole, refusal

ClusterName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][-a-zA-Z0-9]{0,39}$")]
GroupName = Annotated[str, StringConstraints(pattern=r"^[a-z][-a-z0-9]{0,19}$")]
_GPU = re.compile(r"^(p|g)\d|^gr\d")


class Group(Section):
    """Machines of one kind, between `min` and `max` of them, as trials need them.

    Attributes:
        types: Instance types that will do.
        min: How many are always there.
        disk_gb: Of each machine, in GB.
        spot: Whether they may be taken away; such a group costs less.
    """

    types: Annotated[tuple[InstanceType, ...], Field(min_length=1, max_length=20)]
    min: Annotated[Whole, Field(ge=0)] = 0
    max: Annotated[Whole, Field(ge=1, le=450)]
    disk_gb: Annotated[Whole, Field(ge=20, le=16384)] = 100
    spot: bool = False

    @property
    def gpu(self) -> bool:
        """Whether its machines have NVIDIA's GPUs."""
        return all(_GPU.match(name) for name in self.types)

    @property
    def arm(self) -> bool:
        """Whether its machines have AWS's ARM processors."""
        return all(re.match(r"^[a-z]+\d+g", name) for name in self.types)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min > self.max:
            raise refusal(f"must be at most max ({self.max})", "min")
        return self


class ClusterFile(Section):
    """What a cluster is to be.

    Attributes:
        region: The AWS configuration's by default.
        kubernetes_version: EKS's own choice by default.
        nodes: The machines by the names of their groups.
        policies: ARNs of further IAM policies of the machines.
        admins: ARNs of IAM roles and users that may do anything in the cluster, beside whoever
            creates it.
        zones: In how many availability zones it is; EKS wants two.
        repository: Whether it gets an image registry of its own in ECR.
    """

    name: ClusterName
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    kubernetes_version: Annotated[str, StringConstraints(pattern=r"^1\.\d{2}$")] | None = None
    nodes: Annotated[dict[GroupName, Group], Field(min_length=1)]
    policies: tuple[Annotated[str, StringConstraints(pattern=r"^arn:")], ...] = ()
    admins: tuple[Annotated[str, StringConstraints(pattern=r"^arn:")], ...] = ()
    zones: Annotated[Whole, Field(ge=2, le=6)] = 2
    repository: bool = True


def read_yaml(path: Path) -> dict[str, Any]:
    """Returns what a YAML file holds.

    Raises:
        SpecError: If it cannot be read or is no mapping.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict):
        raise SpecError(f"{path}: must be a mapping of keys to values")
    return data


def parse_cluster(data: dict[str, Any], where: str) -> ClusterFile:
    """Returns the cluster that `data` describes.

    Raises:
        SpecError: If it breaks a rule; the message begins with `where` and names the key.
    """
    try:
        return ClusterFile.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        at = [*first["loc"], *first.get("ctx", {}).get("key", ())]
        key = ".".join(str(part) for part in at if part != "[key]") or "the file"
        raise SpecError(f"{where}: {key}: {first['msg']}") from None
