"""The cluster's control plane, and its groups of nodes."""

from typing import Any

from sigopt_orchestrate.aws.session import AwsError
from sigopt_orchestrate.eks.network import subnets
from sigopt_orchestrate.eks.steps import EXISTS, GONE, Context, Step, tolerant, wait_until
from sigopt_orchestrate.spec.cluster import ClusterFile, Group

_CLUSTER_S = 45 * 60.0
_GROUP_S = 30 * 60.0
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}


def control_plane(file: ClusterFile) -> Step:
    """Returns the step that makes the EKS cluster itself."""
    version = {"version": file.kubernetes_version} if file.kubernetes_version else {}

    def find(context: Context) -> list[str]:
        return [context.file.name] if _described(context) else []

    def make(context: Context) -> str:
        eks = context.client("eks")
        tolerant(
            lambda: eks.call(
                "create_cluster",
                name=context.file.name,
                **version,
                roleArn=context.made["cluster-role"],
                resourcesVpcConfig={"subnetIds": subnets(context), "endpointPublicAccess": True},
                accessConfig={
                    "authenticationMode": "API",
                    "bootstrapClusterCreatorAdminPermissions": True,
                },
                tags=context.tags,
            ),
            EXISTS,
        )
        return context.file.name

    def settle(context: Context, _name: str) -> None:
        wait_until(context, "the control plane", lambda: _active(_described(context)), _CLUSTER_S)

    def undo(context: Context, name: str) -> None:
        eks = context.client("eks")
        tolerant(lambda: eks.call("delete_cluster", name=name), GONE | EXISTS)
        wait_until(
            context, "the control plane's end", lambda: _described(context) is None, _CLUSTER_S
        )

    said = f"EKS control plane, Kubernetes {file.kubernetes_version or 'as EKS chooses'}"
    return Step("control plane", said, find, make, undo, settle)


def node_group(name: str, group: Group | None) -> Step:
    """Returns the step that makes a group of nodes.

    Args:
        name: The group's.
        group: What it is to be; None for one that is only to be removed.
    """

    def find(context: Context) -> list[str]:
        return [name] if _described_group(context, name) else []

    def make(context: Context) -> str:
        assert group is not None  # noqa: S101 - only undone otherwise
        eks = context.client("eks")
        given = _group_request(context, name, group)
        tolerant(lambda: eks.call("create_nodegroup", **given), EXISTS)
        return name

    def settle(context: Context, _name: str) -> None:
        assert group is not None  # noqa: S101
        wait_until(
            context, f"nodes {name}", lambda: _active(_described_group(context, name)), _GROUP_S
        )
        held = (_described_group(context, name) or {}).get("scalingConfig", {})
        wanted = {"minSize": group.min, "maxSize": group.max}
        if {key: held.get(key) for key in wanted} != wanted:
            desired = min(max(held.get("desiredSize", group.min), group.min), group.max)
            context.client("eks").call(
                "update_nodegroup_config",
                clusterName=context.file.name,
                nodegroupName=name,
                scalingConfig={**wanted, "desiredSize": desired},
            )

    def undo(context: Context, _name: str) -> None:
        eks, given = context.client("eks"), {"clusterName": context.file.name}
        tolerant(lambda: eks.call("delete_nodegroup", **given, nodegroupName=name), GONE | EXISTS)
        wait_until(
            context,
            f"the end of nodes {name}",
            lambda: _described_group(context, name) is None,
            _GROUP_S,
        )

    said = "" if group is None else _said(group)
    return Step(f"nodes {name}", f"nodes {name}: {said}", find, make, undo, settle)


def existing_groups(context: Context) -> list[str]:
    """Returns the names of the node groups that the cluster has."""
    eks, given = context.client("eks"), {"clusterName": context.file.name}
    if _described(context) is None:
        return []
    return tolerant(lambda: eks.pages("list_nodegroups", "nodegroups", **given), GONE) or []


def _group_request(context: Context, name: str, group: Group) -> dict[str, Any]:
    kind = "NVIDIA" if group.gpu else "STANDARD"
    machine = "AL2023_ARM_64_STANDARD" if group.arm and not group.gpu else f"AL2023_x86_64_{kind}"
    request: dict[str, Any] = {
        "clusterName": context.file.name,
        "nodegroupName": name,
        "scalingConfig": {"minSize": group.min, "maxSize": group.max, "desiredSize": group.min},
        "subnets": subnets(context),
        "instanceTypes": list(group.types),
        "amiType": machine,
        "capacityType": "SPOT" if group.spot else "ON_DEMAND",
        "diskSize": group.disk_gb,
        "nodeRole": context.made["node-role"],
        "labels": {"orchestrate/group": name},
        "tags": context.tags,
    }
    if group.gpu:
        request["taints"] = [GPU_TAINT]
    return request


def _said(group: Group) -> str:
    market = "spot" if group.spot else "on demand"
    return f"{group.min} to {group.max} of {', '.join(group.types)}, {market}, {group.disk_gb} GB"


def _described(context: Context) -> dict[str, Any] | None:
    eks = context.client("eks")
    found = tolerant(lambda: eks.call("describe_cluster", name=context.file.name), GONE)
    return None if found is None else dict(found["cluster"])


def _described_group(context: Context, name: str) -> dict[str, Any] | None:
    eks = context.client("eks")
    given = {"clusterName": context.file.name, "nodegroupName": name}
    found = tolerant(lambda: eks.call("describe_nodegroup", **given), GONE)
    return None if found is None else dict(found["nodegroup"])


def _active(described: dict[str, Any] | None) -> bool:
    state = (described or {}).get("status", "")
    if state in ("FAILED", "CREATE_FAILED", "DELETING", "DEGRADED"):
        issues = (described or {}).get("health", {}).get("issues", [])
        said = "; ".join(str(one.get("message", "")) for one in issues) or state
        raise AwsError("eks", state, said, may_pass=False)
    return state == "ACTIVE"
