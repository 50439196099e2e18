"""What doctor says of an experiment, asked of the real API server; nothing is created there."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cluster import IMAGE, Kube
from hypothesis import given
from hypothesis import strategies as st

from sigopt_orchestrate.executors.kubernetes import cluster as cluster_room
from sigopt_orchestrate.executors.kubernetes.cluster import ApiError
from sigopt_orchestrate.executors.kubernetes.preflight import registry_of
from sigopt_orchestrate.executors.kubernetes.quotas import is_used_up, unsaid
from sigopt_orchestrate.executors.preflight import preflight
from sigopt_orchestrate.spec import Experiment

Look = Callable[..., dict[str, list[str]]]


@pytest.fixture
def look(
    kube: Kube,
    namespace: str,
    make_spec: Callable[..., Experiment],
    monkeypatch: pytest.MonkeyPatch,
) -> Look:
    """Returns what is said of an experiment, by verdict; keywords replace its keys."""
    monkeypatch.setenv("KUBECONFIG", str(kube.kubeconfig))

    def said(backend: dict[str, Any] | None = None, **keys: Any) -> dict[str, list[str]]:
        told = {"kubernetes": {"namespace": namespace, **(backend or {})}}
        found: dict[str, list[str]] = {"ok": [], "note": [], "bad": []}
        for one in preflight(make_spec(**{"image": IMAGE, "backend": told, **keys})):
            found[one.verdict].append(one.said)
        return found

    return said


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"backend": {"context": "nowhere"}}, "context 'nowhere' is not in"),
        ({"backend": {"namespace": "missing"}}, "there is no namespace 'missing'"),
        ({"backend": {"pull_secrets": ["no-such"]}}, "there is no secret 'no-such'"),
        ({"backend": {"cluster": "prod", "namespace": None}}, "cluster 'prod' is not connected"),
        ({"backend": {"queue": "team"}}, "has no Kueue, or is older than 1.29"),
        ({"resources": {"gpu": 1}}, "no node offers nvidia.com/gpu"),
        ({"backend": {"priority_class": "none-such"}}, "none-such"),
        (
            {"backend": {"server": {"url": "http://127.0.0.1:9", "project": "p"}}},
            "$SIGOPT_API_TOKEN is not set",
        ),
    ],
)
def test_what_cannot_work_is_one_sentence(
    look: Look, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], complaint: str
) -> None:
    monkeypatch.delenv("SIGOPT_API_TOKEN", raising=False)
    (bad,) = look(**keys)["bad"]
    assert complaint in bad
    assert "\n" not in bad


def make_quota(kube: Kube, namespace: str, name: str, hard: str, used: str | None = None) -> None:
    """Makes a quota, and waits until its controller has counted what there is."""
    deadline = time.monotonic() + 90
    while True:
        kube.kubectl("create", "quota", name, f"--hard={hard}", "-n", namespace)
        counted = None
        while counted is None:
            found = kube.listed(namespace, "resourcequotas")
            (quota,) = (one for one in found if one["metadata"]["name"] == name)
            counted = quota.get("status", {}).get("used", {}).get(hard.partition("=")[0])
            assert time.monotonic() < deadline, quota
        if used in {None, counted}:
            return
        # It had not seen everything yet, and would count again in minutes only.
        kube.kubectl("delete", "quota", name, "-n", namespace)


def test_a_quota_that_others_have_used_up_is_waited_for_and_one_too_small_is_refused(
    look: Look, kube: Kube, namespace: str
) -> None:
    make_quota(kube, namespace, "full", "secrets=1", used="1")  # by the default account's token
    said = look()
    assert said["bad"] == []
    assert any(one.startswith("trials wait for room: ") for one in said["note"])
    make_quota(kube, namespace, "none", "configmaps=0")
    assert any("exceeded quota: none" in one for one in look()["bad"])


def test_a_quota_asks_for_resources_unless_the_namespace_has_defaults(
    look: Look, kube: Kube, namespace: str
) -> None:
    make_quota(kube, namespace, "small", "requests.memory=64Mi")
    assert look()["bad"] == [
        "because of quota 'small' every trial must say its `resources: {memory: ...}`"
    ]
    (large,) = look(resources={"memory": "1Gi"})["bad"]
    assert "quota 'small' allows requests.memory 64Mi" in large
    limits = {"type": "Container", "defaultRequest": {"memory": "16Mi"}}
    defaults = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "defaults", "namespace": namespace},
        "spec": {"limits": [limits]},
    }
    kube.kubectl("create", "-f", "-", given=json.dumps(defaults))
    assert look()["bad"] == []


def test_a_pull_secret_of_the_wrong_kind_or_for_another_registry_is_named(
    look: Look, kube: Kube, namespace: str
) -> None:
    kube.kubectl("create", "secret", "generic", "plain", "-n", namespace)
    login = ("--docker-username=me", "--docker-password=none", "-n", namespace)
    registry = "--docker-server=https://registry.example/v2/"
    kube.kubectl("create", "secret", "docker-registry", "login", registry, *login)
    (bad,) = look({"pull_secrets": ["plain"]})["bad"]
    assert "is of type Opaque, not kubernetes.io/dockerconfigjson" in bad
    other = look({"pull_secrets": ["login"]}, image="other.example/team/train:1")
    assert "no pull secret is for other.example, where the image is" in " ".join(other["note"])
    right = look({"pull_secrets": ["login"]}, image="registry.example/team/train:1")
    assert not any("pull secret" in one for one in right["note"] + right["bad"])


def test_a_queue_that_is_not_there_is_named(
    look: Look, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_room, "JOBS_FROM", (1, 20))  # it counts as new, and has the kind
    (bad,) = look({"queue": "team"})["bad"]
    assert f"there is no LocalQueue 'team' in {namespace}" in bad
    queue = {"apiVersion": "kueue.x-k8s.io/v1beta1", "kind": "LocalQueue"}
    queue |= {"metadata": {"name": "team", "namespace": namespace}}
    kube.kubectl("create", "-f", "-", given=json.dumps(queue))
    assert look({"queue": "team"})["bad"] == []


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("train", "docker.io"),
        ("team/train:1", "docker.io"),
        ("registry.example/team/train@sha256:00", "registry.example"),
        ("localhost/train", "localhost"),
        ("registry:5000/train", "registry:5000"),
    ],
)
def test_an_images_registry_is_found(image: str, registry: str) -> None:
    assert registry_of(image) == registry


@given(st.integers(1, 9), st.integers(1, 9))
def test_a_quota_is_used_up_exactly_if_it_could_hold_what_is_asked(asked: int, limit: int) -> None:
    message = (
        f"exceeded quota: q, requested: pods={asked},cpu=1, used: pods=9,cpu=0, "
        f"limited: pods={limit},cpu=2"
    )
    assert is_used_up(ApiError(403, "Forbidden", message)) == (asked <= limit)


@pytest.mark.parametrize("form", ["limits.cpu,memory", "limits.cpu for: trial; memory for: trial"])
def test_what_a_quota_wants_said_is_read_in_its_old_and_new_words(form: str) -> None:
    said = unsaid(
        ApiError(403, "Forbidden", f"pods x is forbidden: failed quota: q: must specify {form}")
    )
    assert said is not None
    assert said.endswith("must say its `resources: {cpu_limit: ..., memory: ...}`")
