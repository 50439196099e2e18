"""The kinds that other projects add to a cluster, as far as we write or read them.

Kueue's LocalQueue, JobSet v1alpha2 and MPIJob v2beta1: our own short definitions, with the fields
that theirs had in 2026 (JobSet 0.13, MPI operator 0.7) and without what lies below a pod's or a
Job's template, which the schemas of Kubernetes itself are for.
"""

from typing import Any

Json = dict[str, Any]

_STRING: Json = {"type": "string"}
_WHOLE: Json = {"type": "integer"}
_FLAG: Json = {"type": "boolean"}
_ANYTHING: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_STRINGS: Json = {"type": "object", "additionalProperties": _STRING}


def _object(*required: str, **properties: Json) -> Json:
    found: Json = {"type": "object", "properties": properties}
    return found | ({"required": list(required)} if required else {})


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


_REPLICATED_JOB = _object(
    "name",
    "template",
    name=_STRING,
    groupName=_STRING,
    replicas=_WHOLE,
    template=_object(metadata=_object(labels=_STRINGS, annotations=_STRINGS), spec=_ANYTHING),
    dependsOn=_list(_ANYTHING),
)
JOBSET_SPEC = _object(
    replicatedJobs=_list(_REPLICATED_JOB),
    network=_object(enableDNSHostnames=_FLAG, subdomain=_STRING, publishNotReadyAddresses=_FLAG),
    successPolicy=_ANYTHING,
    failurePolicy=_object(maxRestarts=_WHOLE, restartStrategy=_STRING, rules=_list(_ANYTHING)),
    startupPolicy=_ANYTHING,
    suspend=_FLAG,
    coordinator=_ANYTHING,
    managedBy=_STRING,
    ttlSecondsAfterFinished=_WHOLE,
)
_REPLICAS = _object(
    replicas=_WHOLE,
    restartPolicy={"type": "string", "enum": ["Always", "OnFailure", "Never", "ExitCode"]},
    template=_ANYTHING,
)
MPIJOB_SPEC = _object(
    "mpiReplicaSpecs",
    slotsPerWorker=_WHOLE,
    runLauncherAsWorker=_FLAG,
    sshAuthMountPath=_STRING,
    launcherCreationPolicy={"type": "string", "enum": ["AtStartup", "WaitForWorkersReady"]},
    mpiImplementation={"type": "string", "enum": ["OpenMPI", "Intel", "MPICH"]},
    mpiReplicaSpecs={"type": "object", "additionalProperties": _REPLICAS},
    runPolicy=_object(
        cleanPodPolicy={"type": "string", "enum": ["All", "Running", "None"]},
        ttlSecondsAfterFinished=_WHOLE,
        activeDeadlineSeconds=_WHOLE,
        backoffLimit=_WHOLE,
        schedulingPolicy=_ANYTHING,
        suspend=_FLAG,
        managedBy=_STRING,
    ),
)


def _definition(group: str, version: str, kind: str, spec: Json) -> Json:
    name = kind.lower()
    schema = {"type": "object", "properties": {"spec": spec, "status": _ANYTHING}}
    served = {"name": version, "served": True, "storage": True, "subresources": {"status": {}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{name}s.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": f"{name}s", "singular": name},
            "scope": "Namespaced",
            "versions": [served | {"schema": {"openAPIV3Schema": schema}}],
        },
    }


DEFINITIONS = [
    _definition("kueue.x-k8s.io", "v1beta1", "LocalQueue", _ANYTHING),
    _definition("jobset.x-k8s.io", "v1alpha2", "JobSet", JOBSET_SPEC),
    _definition("kubeflow.org", "v2beta1", "MPIJob", MPIJOB_SPEC),
]


def complaints(value: Any, schema: Json, where: str = "spec") -> list[str]:
    """Returns where a value has a field that a definition does not know, or lacks one."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return []
    if schema["type"] == "array":
        items = enumerate(value)
        return [s for i, one in items for s in complaints(one, schema["items"], f"{where}[{i}]")]
    if schema["type"] != "object":
        good = {"string": str, "integer": int, "boolean": bool}[schema["type"]]
        wrong = type(value) is not good or value not in schema.get("enum", [value])
        return [f"{where}: {value!r}"] if wrong else []
    known, other = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{where} lacks {name}" for name in schema.get("required", []) if name not in value]
    for name, one in value.items():
        if name not in known and other is None:
            found.append(f"{where} has {name}")
        else:
            found += complaints(one, known.get(name, other), f"{where}.{name}")
    return found
