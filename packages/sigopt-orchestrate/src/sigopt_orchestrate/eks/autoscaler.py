"""The cluster autoscaler, which adds nodes for pods that wait and takes away those that idle."""

from typing import Any

Json = dict[str, Any]

IMAGE = "registry.k8s.io/autoscaling/cluster-autoscaler"
_NAME = "cluster-autoscaler"
_META = {"name": _NAME, "namespace": "kube-system", "labels": {"app.kubernetes.io/name": _NAME}}
_LOOK, _WATCH = ["get", "list"], ["get", "list", "watch"]
_RULES: tuple[tuple[str, list[str], list[str]], ...] = (
    ("", ["events", "endpoints"], ["create", "patch"]),
    ("", ["pods/eviction"], ["create"]),
    ("", ["pods/status"], ["update"]),
    ("", ["nodes"], [*_WATCH, "update", "patch", "delete"]),
    ("", ["pods", "services", "replicationcontrollers", "persistentvolumes"], _WATCH),
    ("", ["persistentvolumeclaims", "namespaces"], _WATCH),
    ("apps", ["daemonsets", "replicasets", "statefulsets"], _WATCH),
    ("batch", ["jobs", "cronjobs"], [*_WATCH, "patch"]),
    ("policy", ["poddisruptionbudgets"], ["watch", "list"]),
    ("storage.k8s.io", ["storageclasses", "csinodes", "csidrivers"], _WATCH),
    ("storage.k8s.io", ["csistoragecapacities", "volumeattachments"], _WATCH),
    ("resource.k8s.io", ["deviceclasses", "resourceslices", "resourceclaims"], _WATCH),
    ("coordination.k8s.io", ["leases"], [*_LOOK, "create", "update", "watch"]),
    ("", ["configmaps"], [*_WATCH, "create", "update", "delete"]),
)


def manifests(cluster: str, region: str, role: str, version: str) -> list[Json]:
    """Returns the autoscaler's objects.

    Args:
        cluster: The EKS cluster's name, by which its node groups are found.
        region: The cluster's.
        role: The ARN of the IAM role that it takes.
        version: The cluster's Kubernetes, such as `1.33`, whose autoscaler it must be.
    """
    rules = [{"apiGroups": [g], "resources": r, "verbs": v} for g, r, v in _RULES]
    account = {"kind": "ServiceAccount", "name": _NAME, "namespace": "kube-system"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _NAME}
    rbac, plain = "rbac.authorization.k8s.io/v1", {"name": _NAME, "labels": _META["labels"]}
    annotated = {**_META, "annotations": {"eks.amazonaws.com/role-arn": role}}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": annotated},
        {"apiVersion": rbac, "kind": "ClusterRole", "metadata": plain, "rules": rules},
        {
            "apiVersion": rbac,
            "kind": "ClusterRoleBinding",
            "metadata": plain,
            "roleRef": reference,
            "subjects": [account],
        },
        _deployment(cluster, region, version),
    ]


def _deployment(cluster: str, region: str, version: str) -> Json:
    tags = f"k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/{cluster}"
    container = {
        "name": "autoscaler",
        "image": f"{IMAGE}:v{version}.0",
        "command": [
            "./cluster-autoscaler",
            "--cloud-provider=aws",
            f"--node-group-auto-discovery=asg:tag={tags}",
            "--expander=least-waste",
            "--skip-nodes-with-local-storage=false",
            "--balance-similar-node-groups",
        ],
        "env": [{"name": "AWS_REGION", "value": region}],
        "resources": {"requests": {"cpu": "100m", "memory": "300Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 65534,
        },
    }
    labels = _META["labels"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _META,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": _NAME,
                    "priorityClassName": "system-cluster-critical",
                    "containers": [container],
                },
            },
        },
    }
