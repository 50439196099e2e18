"""What would stop an experiment in its cluster, found before anything is created there."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sigopt_orchestrate.errors import BuildError
from sigopt_orchestrate.executors.checks import Check
from sigopt_orchestrate.executors.executor import Work
from sigopt_orchestrate.executors.kubernetes import manifests
from sigopt_orchestrate.executors.kubernetes.building import find_builder
from sigopt_orchestrate.executors.kubernetes.cluster import ApiError, Cluster
from sigopt_orchestrate.executors.kubernetes.discovery import Forms, why_not
from sigopt_orchestrate.executors.kubernetes.forms import FORMS, JOB
from sigopt_orchestrate.executors.kubernetes.manifests import AttemptObjects, Names, unheard_of
from sigopt_orchestrate.executors.kubernetes.quotas import amount_of, is_used_up, quotas, unsaid
from sigopt_orchestrate.executors.kubernetes.rights import RIGHTS, missing_rights, rights_to
from sigopt_orchestrate.executors.kubernetes.training_runs import runs_of
from sigopt_orchestrate.spec import Experiment

Json = dict[str, Any]

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
    missing = missing_rights(cluster, (*RIGHTS, *((rights_to(JOB),) if cluster.has_jobs else ())))
    if missing:
        yield Check("permissions", "bad", f"in {where} you may not: {', '.join(missing)}")
        return
    yield Check("permissions", "ok", "all that trials need, and none of it cluster-wide")
    yield from _gangs(cluster, spec)
    if spec is None:
        return
    yield from _parts(cluster, spec)
    yield from _server(spec)
    allowed = list(quotas(cluster, spec))
    yield from allowed
    yield from _nodes(cluster, spec)
    if not any(one.verdict == "bad" for one in allowed):  # else it would only say so again
        yield from _rehearsal(cluster, spec)


def _gangs(cluster: Cluster, spec: Experiment | None) -> Iterator[Check]:
    """As what gangs are given to the cluster, and why not as the experiment wishes."""
    if spec is None:
        others = [form for form in FORMS.values() if form != JOB] if cluster.has_jobs else []
        found = {form.kind: why_not(cluster, form) for form in others}
        said = [f"{kind}s" if why is None else f"no {kind}s: {why}" for kind, why in found.items()]
        yield Check("gangs", "ok", f"can be {', '.join(['Jobs', *said]) if said else 'pods'}")
        return
    forms = Forms(cluster, spec)
    if forms.asked == JOB:
        return
    if forms.used == forms.asked:
        yield Check("gangs", "ok", f"are {forms.asked.kind}s")
    elif forms.impossible is not None:
        yield Check("gangs", "bad", forms.impossible)
    else:
        instead = f"are {'Jobs' if forms.used else 'pods'} in {cluster.name}"
        why = why_not(cluster, forms.asked)
        yield Check("gangs", "note", f"{instead}, and not {forms.asked.kind}s: {why}")


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
    if backend.queue is not None:
        yield from _queue(cluster, backend.queue)
    if backend.pull_secrets and spec.image_name is not None:
        yield from _passwords(cluster, backend.pull_secrets, spec.image_name)
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


def _queue(cluster: Cluster, name: str) -> Iterator[Check]:
    """Whether Kueue is there to admit the trials, by a LocalQueue of this name."""
    version = cluster.group_version(_KUEUE) if cluster.has_jobs else None
    if version is None:
        said = f"backend.kubernetes.queue: {cluster.name} has no Kueue, or is older than 1.29"
        yield Check("queue", "bad", said)
    elif not _exists(cluster, cluster.path("localqueues", name, group=version)):
        said = f"backend.kubernetes.queue: there is no LocalQueue {name!r} in {cluster.namespace}"
        yield Check("queue", "bad", said)


def _passwords(cluster: Cluster, names: Sequence[str], image: str) -> Iterator[Check]:
    """Whether a pull secret is for the registry that the image is in."""
    known: set[str] = set()
    for name in names:
        try:
            secret = cluster.call("GET", cluster.path("secrets", name))
        except ApiError:
            return  # that it is missing is said elsewhere; what may not be read may be right
        try:
            kept = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]
        except (KeyError, TypeError, ValueError):
            said = f"backend.kubernetes.pull_secrets: secret {name!r} is of type {secret['type']}"
            yield Check("pull_secrets", "bad", f"{said}, not kubernetes.io/dockerconfigjson")
            return
        known |= {urlsplit(k if "//" in k else f"//{k}").netloc for k in kept}
    registry = registry_of(image)
    if registry not in known and not (registry == "docker.io" and "index.docker.io" in known):
        said = f"no pull secret is for {registry}, where the image is, but for {', '.join(known)}"
        yield Check("pull_secrets", "note", said)


def registry_of(image: str) -> str:
    """Returns the host that an image comes from."""
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else "docker.io"


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
    if wanted.gpu and not any(amount_of(node.get(wanted.gpu_type, "0")) for node in offered):
        said = (
            f"no node offers {wanted.gpu_type}: is there a GPU, and its device plug-in? "
            "`orchestrate cluster install-plugins` installs NVIDIA's"
        )
        yield Check("plug-ins", "bad", said)
    one = {"cpu": wanted.cpu or 0, "memory": wanted.memory or 0}
    if not any(all(amount_of(node.get(k, "0")) >= v for k, v in one.items()) for node in offered):
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
        ("configmaps", "", root),
        ("secrets", "", objects.secret(owner, {"key": ""})),
        ("pods", "", objects.pod(0, owner)),
    ]
    form = Forms(cluster, spec).used
    if form is not None:
        rehearsed.append((form.plural, form.api, objects.holder(form, owner)))
    for kind, group, manifest in rehearsed:
        try:
            made = cluster.call(
                "POST", cluster.path(kind, group=group), manifest, {"dryRun": "All"}
            )
        except ApiError as error:
            if is_used_up(error):
                yield Check("quotas", "note", f"trials wait for room: {error.message}")
                continue
            refusal = f"the cluster would refuse a trial's {kind[:-1]}: {error.message}"
            yield Check("rehearsal", "bad", unsaid(error) or refusal)
            return
        if manifest["kind"] in {"JobSet", "MPIJob"} and (said := unheard_of(manifest, made)):
            yield Check("rehearsal", "bad", said)
            return
    yield Check("rehearsal", "ok", "the cluster would take a trial's objects")


def _exists(cluster: Cluster, path: str) -> bool:
    """Whether there is an object; what we may not look at counts as there."""
    try:
        cluster.call("GET", path)
    except ApiError as error:
        return error.status != 404
    return True
