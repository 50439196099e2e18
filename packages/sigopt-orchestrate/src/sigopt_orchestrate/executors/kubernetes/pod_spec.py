"""What a node of an attempt runs: the Pod's specification, in Kubernetes' words."""

import json
import math
from pathlib import Path
from typing import Any

from sigopt_orchestrate.artifacts.answering import courier_code
from sigopt_orchestrate.executors.executor import Work
from sigopt_orchestrate.executors.kubernetes import pod as pod_code
from sigopt_orchestrate.executors.kubernetes import training_runs
from sigopt_orchestrate.executors.kubernetes.placement import affinity, tolerations
from sigopt_orchestrate.executors.kubernetes.pod import places
from sigopt_orchestrate.spec import Experiment, Kubernetes, Volume

Json = dict[str, Any]

_SAVING_S = 90  # for a last checkpoint on its way to the bucket
_PATIENCE_S = 3600  # for a bucket that is out of reach when the command has ended
_PACKAGE = "sigopt_orchestrate/executors/kubernetes/pod"
_COURIER_KEY = "courier-"
BY_NAME = "name"
"""The rank of a pod that finds it in its own name."""
_COURIER = "sigopt_orchestrate/artifacts/courier"
_START = (
    f"import sys; sys.path.insert(0, {places.CODE!r}); "
    "from sigopt_orchestrate.executors.kubernetes.pod.main import main; sys.exit(main())"
)


def pod_spec(root: str, name: str, spec: Experiment, work: Work, rank: int | str | None) -> Json:
    """Returns what a node of an attempt runs.

    Args:
        root: The experiment's ConfigMap, which holds the code.
        name: The attempt's Secret.
        spec: The experiment.
        work: What to execute.
        rank: The node's number; None where the Job controller gives it, or `BY_NAME`.
    """
    backend, timeouts = _backend(spec), work.timeouts
    found: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": math.ceil(timeouts.grace_s)
        + (_SAVING_S if spec.artifacts else 2),
        "securityContext": _pod_security(backend.user),
        "containers": [_container(root, name, spec, work, rank)],
        "volumes": [*_own_volumes(root, name, spec), *(_volume(v) for v in backend.volumes)],
        "tolerations": tolerations(spec),
    }
    if timeouts.trial_s is not None:  # the pod ends itself in time; this is for one that cannot
        slack = timeouts.pending_s + timeouts.grace_s + (_PATIENCE_S if spec.artifacts else 30)
        found["activeDeadlineSeconds"] = math.ceil(timeouts.trial_s + slack)
    if backend.node_selector:
        found["nodeSelector"] = backend.node_selector
    if backend.pull_secrets:
        found["imagePullSecrets"] = [{"name": secret} for secret in backend.pull_secrets]
    if backend.priority_class:
        found["priorityClassName"] = backend.priority_class
    if wanted := affinity(spec):
        found["affinity"] = wanted
    return found


def _container(root: str, name: str, spec: Experiment, work: Work, rank: int | str | None) -> Json:
    backend = _backend(spec)
    output, checkpoint = _folders(root, spec, work)
    order = {
        "argv": work.argv,
        "trial_s": work.timeouts.trial_s,
        "grace_s": work.timeouts.grace_s,
        "count": spec.nodes.count,
        "mpi": spec.nodes.mpi and {"slots": spec.nodes.mpi.slots},
        "output": output,
        "checkpoint": checkpoint,
        "artifacts": spec.artifacts and {"every_s": spec.artifacts.checkpoint_every_s},
    }
    env = {
        **work.env,
        "HOME": places.RUN,
        "ORCHESTRATE_METRICS": places.METRICS,
        "ORCHESTRATE_STOP": places.STOP,
        "ORCHESTRATE_OUTPUT": output,
        "ORCHESTRATE_CHECKPOINT": checkpoint,
        places.ORDER: json.dumps(order),
        **({places.RANK: str(rank)} if isinstance(rank, int) else {}),
    }
    hidden = work.secrets
    if backend.server is not None:
        env |= {
            training_runs.URL: backend.server.url,
            training_runs.PROJECT: backend.server.project,
        }
        hidden += training_runs.SECRET
    secrets = [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}} for key in hidden
    ]
    named = {"name": places.RANK, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    mounts = [
        {"name": "orc-code", "mountPath": places.CODE, "readOnly": True},
        {"name": "orc-key", "mountPath": str(Path(places.KEY).parent), "readOnly": True},
        {"name": "orc-pod", "mountPath": places.POD, "readOnly": True},
        {"name": "orc-run", "mountPath": places.RUN},
        *({"name": v.name, "mountPath": v.mount, "readOnly": v.read_only} for v in backend.volumes),
    ]
    found: Json = {
        "name": places.CONTAINER,
        "image": spec.image_name,
        "imagePullPolicy": backend.pull_policy,
        "command": ["python3", "-I", "-S", "-B", "-c", _START],
        # `$(NAME)` stands for a variable in Kubernetes' eyes, and a doubled $ for itself.
        "env": [
            *({"name": k, "value": str(v).replace("$", "$$")} for k, v in env.items()),
            *secrets,
            *([named] if rank == BY_NAME else ()),
        ],
        "resources": _resources(spec, work),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": places.TERMINATION,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    if backend.workdir:
        found["workingDir"] = backend.workdir
    return found


def _folders(root: str, spec: Experiment, work: Work) -> tuple[str, str]:
    """Returns the folders for output and checkpoint; on a volume they are the trial's for good.

    A checkpoint that is kept in a bucket is fetched from there by each node for itself.
    """
    backend = _backend(spec)
    for volume in backend.volumes:
        if volume.name == backend.output:
            own = f"{volume.mount.rstrip('/')}/{root}/{work.env['ORCHESTRATE_TRIAL']}"
            return own, places.CHECKPOINT if spec.artifacts else f"{own}.checkpoint"
    return places.OUTPUT, places.CHECKPOINT


def pod_files(spec: Experiment) -> dict[str, str]:
    """Returns the pods' code by the keys that it has in the experiment's ConfigMap."""
    folder = Path(pod_code.__file__).parent
    found = {path.name: path.read_text() for path in sorted(folder.glob("*.py"))}
    if spec.artifacts is not None:
        found |= {f"{_COURIER_KEY}{name}": text for name, text in courier_code().items()}
    return found


def _path_of(key: str) -> str:
    """Returns where a key of the ConfigMap belongs, below the folder of the code."""
    if key.startswith(_COURIER_KEY):
        return f"{_COURIER}/{key.removeprefix(_COURIER_KEY)}"
    return f"{_PACKAGE}/{key}"


def _own_volumes(root: str, name: str, spec: Experiment) -> list[Json]:
    files = [{"key": key, "path": _path_of(key)} for key in pod_files(spec)]
    annotations = {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}}
    return [
        {"name": "orc-code", "configMap": {"name": root, "items": files}},
        {
            "name": "orc-key",
            "secret": {"secretName": name, "items": [{"key": "key", "path": "key"}]},
        },
        {"name": "orc-pod", "downwardAPI": {"items": [annotations]}},
        {"name": "orc-run", "emptyDir": {}},
    ]


def _volume(volume: Volume) -> Json:
    """Returns the user's volume in Kubernetes' words."""
    source: Json = {}
    if volume.claim is not None:
        source = {
            "persistentVolumeClaim": {"claimName": volume.claim, "readOnly": volume.read_only}
        }
    elif volume.host_path is not None:
        source = {"hostPath": {"path": volume.host_path}}
    elif volume.config_map is not None:
        source = {"configMap": {"name": volume.config_map}}
    elif volume.secret is not None:
        source = {"secret": {"secretName": volume.secret}}
    elif volume.nfs is not None:
        source = {"nfs": {**volume.nfs.model_dump(), "readOnly": volume.read_only}}
    else:
        source = {"emptyDir": volume.empty_dir or {}}
    return {"name": volume.name, **source}


def _resources(spec: Experiment, work: Work) -> Json:
    """Returns requests and limits; memory is both, so that what was promised is what there is."""
    asked, requests, limits = spec.resources, {}, {}
    if asked.cpu is not None:
        requests["cpu"] = _milli(asked.cpu)
    if asked.cpu_limit is not None:
        limits["cpu"] = _milli(asked.cpu_limit)
    if work.memory is not None:
        requests["memory"] = limits["memory"] = str(work.memory)
    if asked.disk is not None:
        requests["ephemeral-storage"] = limits["ephemeral-storage"] = str(asked.disk)
    if asked.gpu:
        limits[asked.gpu_type] = str(asked.gpu)
    return {"requests": requests, "limits": limits}


def _milli(cores: float) -> str:
    return f"{round(cores * 1000)}m"


def _pod_security(user: int) -> Json:
    if user == 0:
        return {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _backend(spec: Experiment) -> Kubernetes:
    assert spec.backend is not None  # noqa: S101 - whoever chose this executor has looked
    return spec.backend.kubernetes
