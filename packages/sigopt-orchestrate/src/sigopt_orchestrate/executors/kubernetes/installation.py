"""The objects of an orchestrate in the cluster: server, leader, and rights in one namespace."""

from collections.abc import Sequence
from typing import Any

from sigopt_orchestrate.executors.kubernetes.forms import FORMS, Form
from sigopt_orchestrate.executors.kubernetes.rights import role_rules

Json = dict[str, Any]

NAME = "orchestrate"
PORT = 8700
_HOME = "/data"


def installation(
    namespace: str,
    image: str,
    *,
    storage: str,
    store_secret: str | None,
    user: int = 1000,
    forms: Sequence[Form] = tuple(FORMS.values()),
) -> list[Json]:
    """Returns a service account with its Role, a volume, the server and its address.

    Beside the server, a container goes on with whatever experiment is interrupted there. Trials'
    pods do not get the service account; nothing is cluster-wide and nothing privileged.

    Args:
        namespace: Must exist.
        image: One with this package.
        storage: The size of the volume that holds the home folder.
        store_secret: A Secret whose key `url` is a PostgreSQL address; a SQLite file on the volume
            without it.
        user: The numeric user that the server runs as.
        forms: The kinds that its Role names, as which it may run trials.
    """
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": NAME}
    metadata = {"name": NAME, "namespace": namespace, "labels": labels}
    group = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": role_rules(forms),
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata,
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": storage}},
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},  # one writer of the volume at a time
                "selector": {"matchLabels": {"app.kubernetes.io/name": NAME}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": _server(image, store_secret, user),
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                "selector": {"app.kubernetes.io/name": NAME},
                "ports": [{"name": "http", "port": PORT, "targetPort": "http"}],
            },
        },
    ]


def _server(image: str, store_secret: str | None, user: int) -> Json:
    env: list[Json] = [
        {"name": "ORCHESTRATE_HOME", "value": _HOME},
        {"name": "HOME", "value": _HOME},
    ]
    if store_secret is not None:
        reference = {"secretKeyRef": {"name": store_secret, "key": "url"}}
        env.append({"name": "ORCHESTRATE_STORE", "valueFrom": reference})
    probe = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 10}
    common: Json = {
        "image": image,
        "env": env,
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "data", "mountPath": _HOME}],
    }
    server = {
        "name": "server",
        "command": ["orchestrate", "server", "--host", "0.0.0.0", "--port", str(PORT)],  # noqa: S104
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": probe,
        "livenessProbe": probe
        | {"httpGet": {"path": "/health", "port": "http"}, "failureThreshold": 6},
    }
    leader = {"name": "leader", "command": ["orchestrate", "resume", "--all"]}
    return {
        "serviceAccountName": NAME,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [common | server, common | leader],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": NAME}}],
    }


def apply_address(manifest: Json) -> str:
    """Returns where the cluster keeps an object like this one."""
    version, namespace = manifest["apiVersion"], manifest["metadata"]["namespace"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    kind = manifest["kind"].lower() + "s"
    return f"{root}/namespaces/{namespace}/{kind}"
