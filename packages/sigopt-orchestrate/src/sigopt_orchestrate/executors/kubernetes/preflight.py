"""What would stop an experiment in its cluster, found before anything is created there."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sigopt_orchestrate.errors import BuildError
from sigopt_orchestrate.executors.checks import Check
from sigopt_orchestrate.executors.executor import Work
from sigopt_orchestrate.executors.kubernetes import manifests
from sigopt_orchestrate.executors.kubernetes.building import find_builder
from sigopt_orchestrate.executors.kubernetes.cluster import ApiError, Cluster
from sigopt_orchestrate.executors.kubernetes.manifests import AttemptObjects, Names
from sigopt_orchestrate.executors.kubernetes.rights import JOB_RIGHTS, RIGHTS
from sigopt_orchestrate.executors.kubernetes.training_runs import runs_of
from sigopt_orchestrate.spec import Experiment

Json = dict[str, Any]

_UNITS = {
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_QUANTITY = re.compile(r"([0-9.]+)([a-zA-Z]*)")
_DIGEST = "@sha256:"
_KUEUE = "kueue.x-k8s.io"


def preflight(cluster: Cluster, spec: Experiment | None) -> Iterator[Check]:
    """Yields what there is to say; nothing is created.

    Args:
        cluster: Where the experiment is to run.
        spec: The experiment; None to look at the namespace alone.
    """
    where = f"namespace {cluster.namespace} of {cluster.name}"
    try:
        version = cluster.version
    except ApiError as error:
        yield Check("cluster", "bad", f"{cluster.name} does not answer: {error.message}")
        return
    yield Check("cluster", "ok", f"{where}, Kubernetes {version[0]}.{version[1]}")
    if not _exists(cluster, f"/api/v1/namespaces/{cluster.namespace}"):
        yield Check(
            "namespace", "bad", f"there is no namespace {cluster.namespace!r} in {cluster.name}"
        )
        return
    rights = (*RIGHTS, *(JOB_RIGHTS if cluster.has_jobs else ()))
    missing = _missing_rights(cluster, rights)
    if missing:
        yield Check("permissions", "bad", f"in {where} you may not: {', '.join(missing)}")
        return
    yield Check("permissions", "ok", "all that trials need, and none of it cluster-wide")
    if spec is None:
        return
    yield from _parts(cluster, spec)
    yield from _server(spec)
    yield from _quotas(cluster, spec)
    yield from _nodes(cluster, spec)
    yield from _rehearsal(cluster, spec)


def _missing_rights(
    cluster: Cluster, rights: tuple[tuple[str, str, tuple[str, ...]], ...]
) -> list[str]:
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


def _parts(cluster: Cluster, spec: Experiment) -> Iterator[Check]:
    """Whether what the file names is there."""
    assert spec.backend is not None  # noqa: S101
    backend = spec.backend.kubernetes
    named = [("pull_secrets", "secrets", name) for name in backend.pull_secrets]
    for volume in backend.volumes:
        named += [("volumes", "persistentvolumeclaims", volume.claim)] if volume.claim else []
        named += [("volumes", "configmaps", volume.config_map)] if volume.config_map else []
        named += [("volumes", "secrets", volume.secret)] if volume.secret else []
    for key, kind, name in named:
        if not _exists(cluster, cluster.path(kind, name)):
            said = (
                f"backend.kubernetes.{key}: there is no {kind[:-1]} {name!r} in {cluster.namespace}"
            )
            yield Check(key, "bad", said)
    if backend.queue is not None and not (cluster.has_jobs and cluster.has_group(_KUEUE)):
        said = f"backend.kubernetes.queue: {cluster.name} has no Kueue, or is older than 1.29"
        yield Check("queue", "bad", said)
    if spec.build is not None:
        try:
            yield Check("build", "ok", f"{find_builder()} builds the image")
        except BuildError as error:
            yield Check("build", "bad", str(error))
    if spec.image is not None and _DIGEST not in spec.image:
        said = (
            f"{spec.image} is a tag, which may come to mean another image; a digest stays the same"
        )
        yield Check("image", "note", said)


def _server(spec: Experiment) -> Iterator[Check]:
    """Whether the server that trials report to would take their runs."""
    runs = runs_of(spec)
    if runs is None:
        return
    try:
        runs.check()
    except ApiError as error:
        yield Check("server", "bad", f"backend.kubernetes.server: {error.message}")
    else:
        yield Check("server", "ok", "takes a training run for each attempt")


def _quotas(cluster: Cluster, spec: Experiment) -> Iterator[Check]:
    """Whether one trial could ever fit into what the namespace may use."""
    try:
        quotas = cluster.call("GET", cluster.path("resourcequotas"))["items"]
    except ApiError as error:
        yield Check("quotas", "note", f"cannot be read: {error.message}")
        return
    asked = _asked(spec)
    for quota in quotas:
        for key, limit in quota.get("status", {}).get("hard", {}).items():
            if key not in asked:
                continue
            hard, one = _amount(limit), asked[key]
            name = f"quota {quota['metadata']['name']!r} allows {key} {limit}"
            if one == 0 and key != "pods":
                yield Check(
                    "quotas", "bad", f"{name}, and so every trial must say its {_key_of(key)}"
                )
            elif one > hard:
                yield Check("quotas", "bad", f"{name}, and one trial asks for {one:g}")
            elif one * spec.parallel > hard:
                said = f"{name}: {int(hard // one)} trials at a time, not {spec.parallel}"
                yield Check("quotas", "note", said)


def _asked(spec: Experiment) -> dict[str, float]:
    """Returns what one trial asks for, by the names that quotas have for it."""
    count, wanted = spec.nodes.count, spec.resources
    cpu, memory = wanted.cpu or 0, wanted.memory or 0
    return {
        "pods": count,
        "count/pods": count,
        "cpu": count * cpu,
        "requests.cpu": count * cpu,
        "limits.cpu": count * (wanted.cpu_limit or 0),
        "memory": count * memory,
        "requests.memory": count * memory,
        "limits.memory": count * memory,
    } | ({f"requests.{wanted.gpu_type}": count * wanted.gpu} if wanted.gpu else {})


def _key_of(resource: str) -> str:
    kind = resource.rpartition(".")[2]
    limit = "_limit" if resource == "limits.cpu" else ""
    return f"`resources: {{{kind}{limit}: ...}}`"


def _nodes(cluster: Cluster, spec: Experiment) -> Iterator[Check]:
    """Whether any node is large enough, where we may look at nodes at all."""
    try:
        nodes = cluster.call("GET", "/api/v1/nodes", query={"limit": 500})["items"]
    except ApiError:
        yield Check(
            "nodes", "note", "cannot be looked at with these permissions; trials do not need it"
        )
        return
    wanted = spec.resources
    offered = [node["status"].get("allocatable", {}) for node in nodes]
    if wanted.gpu and not any(_amount(node.get(wanted.gpu_type, "0")) for node in offered):
        said = (
            f"no node offers {wanted.gpu_type}: is there a GPU, and its device plug-in? "
            "`orchestrate cluster install-plugins` installs NVIDIA's"
        )
        yield Check("plug-ins", "bad", said)
    one = {"cpu": wanted.cpu or 0, "memory": wanted.memory or 0}
    if not any(all(_amount(node.get(k, "0")) >= v for k, v in one.items()) for node in offered):
        yield Check(
            "nodes",
            "note",
            "no present node is large enough for a trial; an autoscaler must add one",
        )


def _rehearsal(cluster: Cluster, spec: Experiment) -> Iterator[Check]:
    """Has the server check the objects by its quotas and admission rules, and make none."""
    names = Names(f"orc-check-{spec.name.encode().hex()[:8] or '0'}")
    work = Work(
        ["true"],
        {"ORCHESTRATE_EXPERIMENT": "0", "ORCHESTRATE_TRIAL": "0"},
        Path("/"),
        spec.timeouts,
        spec.memory(0),
        spec.secrets,
    )
    objects = AttemptObjects(names, f"{names.root}-0-0", "rehearsal", spec, work)
    root = manifests.root(names, spec)
    owner = manifests.owner({**root, "metadata": {**root["metadata"], "uid": "rehearsal"}})
    rehearsed = [
        ("configmaps", root),
        ("secrets", objects.secret(owner, {"key": ""})),
        ("pods", objects.pod(0, owner)),
    ]
    for kind, manifest in rehearsed:
        try:
            cluster.call("POST", cluster.path(kind), manifest, {"dryRun": "All"})
        except ApiError as error:
            yield Check(
                "rehearsal",
                "bad",
                f"the cluster would refuse a trial's {kind[:-1]}: {error.message}",
            )
            return
    yield Check("rehearsal", "ok", "the cluster would take a trial's objects")


def _exists(cluster: Cluster, path: str) -> bool:
    """Whether there is an object; what we may not look at counts as there."""
    try:
        cluster.call("GET", path)
    except ApiError as error:
        return error.status != 404
    return True


def _amount(quantity: str) -> float:
    """Returns the number that one of Kubernetes' quantities stands for."""
    match = _QUANTITY.fullmatch(str(quantity))
    return float(match[1]) * _UNITS.get(match[2], 1.0) if match else 0.0
