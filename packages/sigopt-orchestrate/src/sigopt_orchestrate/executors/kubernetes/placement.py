"""Which nodes a trial's pods may, should and must run on."""

from typing import Any

from sigopt_orchestrate.spec import Experiment

Json = dict[str, Any]

# How the managed services mark nodes that may be taken away.
_SPOT_LABELS = (
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("karpenter.sh/capacity-type", "spot"),
    ("cloud.google.com/gke-spot", "true"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
)
_SPOT_TAINTS = ("cloud.google.com/gke-spot", "kubernetes.azure.com/scalesetpriority")
_NODE_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_AWAY_S = 5
"""How long a node may be out of reach before its pods are given up."""


def tolerations(spec: Experiment) -> list[Json]:
    """Returns which of the nodes' taints the pods put up with, and for how long."""
    assert spec.backend is not None  # noqa: S101
    found: list[Json] = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _AWAY_S}
        for key in _NODE_TAINTS
    ]
    if spec.resources.spot in {"prefer", "require"}:
        found += [
            {"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in _SPOT_TAINTS
        ]
    if spec.resources.gpu:
        found.append({"key": spec.resources.gpu_type, "operator": "Exists", "effect": "NoSchedule"})
    return found + list(spec.backend.kubernetes.tolerations)


def affinity(spec: Experiment) -> Json:
    """Returns the user's affinity with what `resources.spot` adds to it."""
    assert spec.backend is not None  # noqa: S101
    found = dict(spec.backend.kubernetes.affinity or {})
    if spec.resources.spot is None:
        return found
    node = dict(found.get("nodeAffinity", {}))
    if spec.resources.spot == "prefer":
        ours = [{"weight": 100, "preference": term} for term in _terms("In")]
        key = "preferredDuringSchedulingIgnoredDuringExecution"
        node[key] = [*node.get(key, []), *ours]
    else:
        key = "requiredDuringSchedulingIgnoredDuringExecution"
        theirs = node.get(key, {}).get("nodeSelectorTerms", [{}])
        node[key] = {"nodeSelectorTerms": _both(theirs, require=spec.resources.spot == "require")}
    return {**found, "nodeAffinity": node}


def _terms(operator: str) -> list[Json]:
    return [
        {"matchExpressions": [{"key": key, "operator": operator, "values": [value]}]}
        for key, value in _SPOT_LABELS
    ]


def _both(theirs: list[Json], *, require: bool) -> list[Json]:
    """Returns terms, any of which is enough, that say both what the user says and spot or not."""
    if require:
        ours = [term["matchExpressions"] for term in _terms("In")]
    else:
        ours = [[term["matchExpressions"][0] for term in _terms("NotIn")]]
    return [
        {**term, "matchExpressions": [*term.get("matchExpressions", []), *more]}
        for term in theirs
        for more in ours
    ]
