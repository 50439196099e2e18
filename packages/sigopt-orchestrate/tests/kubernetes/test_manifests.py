"""Every object that we send passes the schemas of old and new servers, strictly."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from custom_kinds import JOBSET_SPEC, MPIJOB_SPEC, complaints
from pydantic import ValidationError

from sigopt_orchestrate.executors import Work
from sigopt_orchestrate.executors.kubernetes import manifests
from sigopt_orchestrate.executors.kubernetes.forms import JOB, JOBSET, MPIJOB, Form
from sigopt_orchestrate.executors.kubernetes.installation import installation
from sigopt_orchestrate.executors.kubernetes.manifests import AttemptObjects, Names
from sigopt_orchestrate.executors.kubernetes.plugins import nvidia_device_plugin
from sigopt_orchestrate.spec import Experiment, Timeouts

VERSIONS = ["1.30", kubernetes_validate.latest_version()]
FULL: dict[str, Any] = {
    "image": "registry.example/team/train@sha256:" + "0" * 64,
    "nodes": {"count": 4, "mpi": {"slots": 2}},
    "resources": {
        "cpu": "500m",
        "cpu_limit": 2,
        "memory": "1Gi",
        "gpu": 1,
        "disk": "2Gi",
        "spot": "require",
    },
    "timeouts": {"trial": "1h"},
    "env": {"PRICE": "$(HOME) costs $5"},
    "backend": {
        "kubernetes": {
            "node_selector": {"pool": "training"},
            "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {
                                "matchExpressions": [
                                    {"key": "zone", "operator": "In", "values": ["a"]}
                                ]
                            }
                        ]
                    }
                }
            },
            "pull_secrets": ["registry"],
            "volumes": [
                {"name": "claim", "mount": "/a", "claim": "data"},
                {"name": "host", "mount": "/b", "host_path": "/mnt", "read_only": True},
                {"name": "empty", "mount": "/c", "empty_dir": {"medium": "Memory"}},
                {"name": "files", "mount": "/d", "config_map": "files"},
                {"name": "hidden", "mount": "/e", "secret": "hidden"},
                {"name": "nfs", "mount": "/f", "nfs": {"server": "nfs", "path": "/"}},
            ],
            "output": "claim",
            "workdir": "/work",
            "priority_class": "low",
            "queue": "team",
            "server": {"url": "http://orchestrate:8700", "project": "demo"},
        }
    },
}
PLAIN: dict[str, Any] = {"image": "localhost/trial:1", "backend": "kubernetes"}


def objects_of(spec: Experiment, form: Form = JOB) -> list[dict[str, Any]]:
    """Returns one of each kind that an experiment may have, the last of this form."""
    names = Names("orc-1-abcde")
    env = {"ORCHESTRATE_EXPERIMENT": "1", "ORCHESTRATE_TRIAL": "1", **spec.env}
    work = Work(["true"], env, Path("/"), spec.timeouts, spec.memory(0), ("TOKEN",))
    made = AttemptObjects(names, names.attempt(1, 1), "token", spec, work)
    root = manifests.root(names, spec)
    owner = manifests.owner({**root, "metadata": {**root["metadata"], "uid": "1"}})
    return [
        root,
        made.pod(0, owner),
        made.secret(owner, {"key": "k", "TOKEN": "hidden"}),
        made.holder(form, owner),
    ]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("keys", [PLAIN, FULL], ids=["plain", "full"])
def test_a_trials_objects_are_valid(
    make_spec: Callable[..., Experiment], keys: dict[str, Any], version: str
) -> None:
    for manifest in objects_of(make_spec(**keys)):
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("keys", [PLAIN, FULL], ids=["plain", "full"])
def test_a_trials_objects_are_taken_by_the_real_server(
    kube: Any, namespace: str, make_spec: Callable[..., Experiment], keys: dict[str, Any]
) -> None:
    known = {k: v for k, v in keys.items() if k != "backend"}
    backend = keys["backend"]
    if backend is not PLAIN["backend"]:  # the class is the cluster's, which has none of this name
        backend = {"kubernetes": backend["kubernetes"] | {"priority_class": None}}
    objects = objects_of(make_spec(**known, backend=backend))
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects[:3]})
    kube.kubectl("apply", "--dry-run=server", "-n", namespace, "-f", "-", given=listed)
    # kubectl 1.20 knows nothing of what a Job has learnt since; its server passes over it.
    job = json.dumps(objects[3])
    kube.kubectl(
        "apply", "--dry-run=server", "--validate=false", "-n", namespace, "-f", "-", given=job
    )
    assert kube.ours(namespace) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("keys", [PLAIN, FULL], ids=["plain", "full"])
def test_a_jobset_and_an_mpijob_are_valid_down_to_their_templates(
    make_spec: Callable[..., Experiment], keys: dict[str, Any], version: str
) -> None:
    spec = make_spec(**keys | {"nodes": {"count": 4}})
    jobset, mpijob = (objects_of(spec, form)[3] for form in (JOBSET, MPIJOB))
    assert complaints(jobset["spec"], JOBSET_SPEC) == []
    assert complaints(mpijob["spec"], MPIJOB_SPEC) == []
    (replicated,) = jobset["spec"]["replicatedJobs"]
    name = {"metadata": {"name": "made-of-it"}}
    job = {"apiVersion": "batch/v1", "kind": "Job", **name, "spec": replicated["template"]["spec"]}
    kubernetes_validate.validate(job, version, strict=True)
    replicas = mpijob["spec"]["mpiReplicaSpecs"]
    assert [replicas[role]["replicas"] for role in ("Launcher", "Worker")] == [1, 3]
    for role in replicas.values():
        pod = {"apiVersion": "v1", "kind": "Pod", **name, "spec": role["template"]["spec"]}
        kubernetes_validate.validate(pod, version, strict=True)


@pytest.mark.parametrize("form", [JOBSET, MPIJOB], ids=lambda form: form.kind)
def test_a_gangs_object_is_taken_whole_and_one_of_an_old_definition_is_noticed(
    kube: Any, namespace: str, make_spec: Callable[..., Experiment], form: Form
) -> None:
    wanted = objects_of(make_spec(**FULL), form)[3]
    flags = ("--dry-run=server", "-n", namespace, "-o", "json", "-f", "-")
    made = json.loads(kube.kubectl("create", *flags, given=json.dumps(wanted)))
    assert manifests.unheard_of(wanted, made) is None
    newer = wanted | {"spec": wanted["spec"] | {"afterOurTime": True}}
    said = manifests.unheard_of(newer, made)
    assert said == f"the cluster's {form.kind} is too old: it does not know afterOurTime"


def test_what_holds_a_gang_never_starts_it_again(make_spec: Callable[..., Experiment]) -> None:
    jobset, mpijob = (objects_of(make_spec(**FULL), form)[3] for form in (JOBSET, MPIJOB))
    assert jobset["spec"]["failurePolicy"] == {"maxRestarts": 0}
    (job,) = (one["template"]["spec"] for one in jobset["spec"]["replicatedJobs"])
    assert (job["backoffLimit"], job["podReplacementPolicy"]) == (0, "Failed")
    assert mpijob["spec"]["runPolicy"]["backoffLimit"] == 0
    for role in mpijob["spec"]["mpiReplicaSpecs"].values():
        assert role["restartPolicy"] == "Never"


def test_a_gang_has_a_topology_to_itself_by_the_jobsets_annotation(
    make_spec: Callable[..., Experiment],
) -> None:
    backend = {"gangs": "jobset", "exclusive_topology": "example.com/rack"}
    spec = make_spec(**PLAIN | {"backend": {"kubernetes": backend}, "nodes": {"count": 2}})
    annotations = objects_of(spec, JOBSET)[3]["metadata"]["annotations"]
    assert annotations == {"alpha.jobset.sigs.k8s.io/exclusive-topology": "example.com/rack"}
    with pytest.raises(ValidationError, match="needs `gangs: jobset`"):
        make_spec(**PLAIN | {"backend": {"kubernetes": backend | {"gangs": "job"}}})


@pytest.mark.parametrize("version", VERSIONS)
def test_the_installation_is_valid(version: str) -> None:
    found = installation("ml", "image", storage="1Gi", store_secret="database")  # noqa: S106 - its name
    for manifest in (*found, nvidia_device_plugin()):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_what_the_schema_cannot_say_is_seen_to_matter() -> None:
    wrong = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"image": "b"}}
    with pytest.raises(Exception, match="image"):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_trials_get_no_rights_and_no_privileges(make_spec: Callable[..., Experiment]) -> None:
    pod = objects_of(make_spec(**FULL))[1]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_secrets_are_nowhere_but_in_the_secret(make_spec: Callable[..., Experiment]) -> None:
    _, pod, secret, _ = objects_of(make_spec(**FULL))
    assert secret["stringData"] == {"key": "k", "TOKEN": "hidden"}
    (env,) = [e for e in pod["spec"]["containers"][0]["env"] if e["name"] == "TOKEN"]
    assert env == {
        "name": "TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "orc-1-abcde-1-1", "key": "TOKEN"}},
    }


def test_a_job_waits_for_kueue_exactly_if_a_queue_is_named(
    make_spec: Callable[..., Experiment],
) -> None:
    for form in (JOB, JOBSET, MPIJOB):
        plain, queued = (objects_of(make_spec(**keys), form)[3] for keys in (PLAIN, FULL))
        key = (
            (lambda one: one["spec"]["runPolicy"]) if form == MPIJOB else (lambda one: one["spec"])
        )
        assert key(plain)["suspend"] is False
        assert key(queued)["suspend"] is True
        assert queued["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
        assert "kueue.x-k8s.io" not in json.dumps(queued["spec"])


def test_a_dollar_in_a_value_stays_a_dollar(make_spec: Callable[..., Experiment]) -> None:
    pod = objects_of(make_spec(**FULL))[1]
    (env,) = [e for e in pod["spec"]["containers"][0]["env"] if e["name"] == "PRICE"]
    assert env["value"] == "$$(HOME) costs $$5"


def test_names_differ_between_stores_and_not_between_leaders(
    make_spec: Callable[..., Experiment], store: Any, tmp_path: Path
) -> None:
    first, second = (store.create_experiment(make_spec(), tmp_path) for _ in range(2))
    assert Names.of(first) == Names.of(store.experiment(first.id))
    assert Names.of(first).root.rpartition("-")[2] != Names.of(second).root.rpartition("-")[2]


def test_spot_is_asked_for_on_top_of_the_users_own_affinity(
    make_spec: Callable[..., Experiment],
) -> None:
    pod = objects_of(make_spec(**FULL))[1]["spec"]
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = pod["affinity"]["nodeAffinity"][key]["nodeSelectorTerms"]
    assert len(terms) > 1
    for term in terms:
        assert term["matchExpressions"][0]["key"] == "zone"
        assert len(term["matchExpressions"]) == 2


def test_a_deadline_stands_behind_the_trials_own(make_spec: Callable[..., Experiment]) -> None:
    spec = make_spec(**FULL)
    assert spec.timeouts == Timeouts.model_validate({"trial": "1h"})
    assert objects_of(spec)[1]["spec"]["activeDeadlineSeconds"] > 3600
