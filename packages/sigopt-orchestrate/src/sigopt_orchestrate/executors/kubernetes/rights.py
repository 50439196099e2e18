"""What orchestrate needs to be allowed in a namespace, and nothing beyond it."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sigopt_orchestrate.executors.kubernetes.cluster import Cluster
from sigopt_orchestrate.executors.kubernetes.forms import FORMS, JOB, Form

Right = tuple[str, str, tuple[str, ...]]
"""API group, resource and verbs."""

RIGHTS: tuple[Right, ...] = (
    ("", "configmaps", ("create", "get", "patch", "delete")),
    ("", "secrets", ("create", "get")),
    ("", "pods", ("create", "get", "list", "watch", "patch", "delete", "deletecollection")),
    ("", "pods/log", ("get",)),
)

WISHED: tuple[Right, ...] = (
    ("", "resourcequotas", ("list",)),
    ("", "persistentvolumeclaims", ("get",)),
    ("", "events", ("list",)),
)
"""Only for what `doctor` can say."""


def rights_to(form: Form) -> Right:
    """Returns what is needed in addition where attempts are objects of this kind."""
    return form.group, form.plural, ("create", "get", "list", "watch", "deletecollection")


def missing_rights(cluster: Cluster, rights: Iterable[Right]) -> list[str]:
    """Returns which of these the cluster does not grant us in the namespace, as `VERB RESOURCE`.

    Raises:
        ApiError: If the cluster does not say.
    """

    def allowed(right: tuple[str, str, str]) -> bool:
        group, resource, verb = right
        plain, _, sub = resource.partition("/")
        attributes = {
            "namespace": cluster.namespace,
            "group": group,
            "resource": plain,
            "verb": verb,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes | ({"subresource": sub} if sub else {})},
        }
        address = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(cluster.call("POST", address, review)["status"]["allowed"])

    wanted = [(group, resource, verb) for group, resource, verbs in rights for verb in verbs]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(allowed, wanted))
    return [
        f"{verb} {resource}"
        for (_, resource, verb), ok in zip(wanted, answers, strict=True)
        if not ok
    ]


def _owned_by(form: Form) -> Right:
    """Returns the right that owners need where the cluster protects them."""
    return form.group, f"{form.plural}/finalizers", ("update",)


def grantable(cluster: Cluster) -> tuple[Form, ...]:
    """Returns the forms of which we hold the rights: nobody may grant what he has not.

    Raises:
        ApiError: If the cluster does not say.
    """
    others = [form for form in FORMS.values() if form != JOB]
    held = [f for f in others if not missing_rights(cluster, (rights_to(f), _owned_by(f)))]
    return JOB, *held


def role_rules(forms: Sequence[Form] = tuple(FORMS.values())) -> list[dict[str, Any]]:
    """Returns the rules of a Role that is enough; a kind that is not installed does no harm.

    Args:
        forms: As what attempts are to be allowed.
    """
    owners: tuple[Right, ...] = (("", "configmaps/finalizers", ("update",)),)
    owners += (("", "pods/finalizers", ("update",)), *map(_owned_by, forms))
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for group, resource, verbs in (*RIGHTS, *map(rights_to, forms), *WISHED, *owners)
    ]
