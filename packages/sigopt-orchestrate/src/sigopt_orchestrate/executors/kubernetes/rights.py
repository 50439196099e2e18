"""What orchestrate needs to be allowed in a namespace, and nothing beyond it."""

from typing import Any

RIGHTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "configmaps", ("create", "get", "patch", "delete")),
    ("", "secrets", ("create", "get")),
    ("", "pods", ("create", "get", "list", "watch", "patch", "delete", "deletecollection")),
    ("", "pods/log", ("get",)),
)
"""API group, resource and verbs."""

JOB_RIGHTS = (("batch", "jobs", ("create", "get", "list", "watch", "deletecollection")),)
"""Needed in addition where the server is new enough for Jobs to be used."""

WISHED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "resourcequotas", ("list",)),
    ("", "persistentvolumeclaims", ("get",)),
    ("", "events", ("list",)),
)
"""Only for what `doctor` can say."""


def role_rules() -> list[dict[str, Any]]:
    """Returns the rules of a Role that is enough; finalizers matter where owners are protected."""
    owners = [
        {
            "apiGroups": [""],
            "resources": ["configmaps/finalizers", "pods/finalizers"],
            "verbs": ["update"],
        },
        {"apiGroups": ["batch"], "resources": ["jobs/finalizers"], "verbs": ["update"]},
    ]
    listed = [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for group, resource, verbs in (*RIGHTS, *JOB_RIGHTS, *WISHED)
    ]
    return listed + owners
