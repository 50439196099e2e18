"""Doubles of controllers that the server is too old for: they make real pods, as theirs would.

What they copy of the Job controller (indices), of JobSet 0.13 and of the MPI operator 0.7 was read
in those projects' sources: names, labels, owners, environment, what is mounted.
"""

import copy
from typing import Any

Json = dict[str, Any]

_JOBSET = "jobset.sigs.k8s.io"
_TRAINING = "training.kubeflow.org"


def controlled_by(owner: Json) -> list[Json]:
    """Returns the reference that a controller leaves in what it makes."""
    metadata = owner["metadata"]
    told = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"]}
    return [told | {"uid": metadata["uid"], "controller": True, "blockOwnerDeletion": True}]


def indexed_pods(job: Json) -> list[Json]:
    """Returns the pods of an Indexed Job, as the server has it; a list's do not say their kind."""
    owners = controlled_by({"apiVersion": "batch/v1", "kind": "Job", **job})
    name, template = job["metadata"]["name"], job["spec"]["template"]
    labels = {k: v for k, v in template["metadata"]["labels"].items() if k != "controller-uid"}
    pods = []
    for index in range(job["spec"]["completions"]):
        spec = copy.deepcopy(template["spec"])
        variable = {"name": "JOB_COMPLETION_INDEX", "value": str(index)}
        spec["containers"][0]["env"].append(variable)
        metadata = {
            "name": f"{name}-{index}-x7k2p",
            "labels": labels | {"batch.kubernetes.io/job-completion-index": str(index)},
            "ownerReferences": owners,
        }
        pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    return pods


def child_job(jobset: Json) -> Json:
    """Returns the first Job of a JobSet's first replicated Job; the old controller leaves it be."""
    (replicated,) = jobset["spec"]["replicatedJobs"]
    own, template = jobset["metadata"]["name"], copy.deepcopy(replicated["template"])
    labels = {
        f"{_JOBSET}/jobset-name": own,
        f"{_JOBSET}/replicatedjob-name": replicated["name"],
        f"{_JOBSET}/job-index": "0",
        f"{_JOBSET}/restart-attempt": "0",
    }
    spec = template["spec"] | {"suspend": jobset["spec"]["suspend"], "parallelism": 0}
    spec["template"]["metadata"]["labels"] |= labels
    metadata = {
        "name": f"{own}-{replicated['name']}-0",
        "labels": template["metadata"]["labels"] | labels,
        "ownerReferences": controlled_by(jobset),
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def mpi_objects(mpijob: Json) -> list[Json]:
    """Returns the hosts, the keys and the pods of an MPIJob; the launcher's Job is left out."""
    name, spec = mpijob["metadata"]["name"], mpijob["spec"]
    replicas = spec["mpiReplicaSpecs"]
    metadata = {"ownerReferences": controlled_by(mpijob)}
    hosts = [f"{name}-launcher.{name}", f"{name}-worker-0.{name}"]
    files = {"hostfile": "".join(f"{host}:1\n" for host in hosts)}
    found: list[Json] = [
        {"kind": "ConfigMap", "metadata": metadata | {"name": f"{name}-config"}, "data": files},
        {
            "kind": "Secret",
            "metadata": metadata | {"name": f"{name}-ssh"},
            "stringData": {"ssh-privatekey": "none", "ssh-publickey": "none"},
        },
        _mpi_pod(mpijob, "launcher", f"{name}-launcher-9xk4d", f"{name}-launcher"),
    ]
    for index in range(replicas["Worker"]["replicas"]):
        worker = f"{name}-worker-{index}"
        found.append(_mpi_pod(mpijob, "worker", worker, worker, index))
    return [{"apiVersion": "v1", **one} for one in found]


def _mpi_pod(mpijob: Json, role: str, name: str, host: str, index: int | None = None) -> Json:
    own = mpijob["metadata"]["name"]
    replica = copy.deepcopy(mpijob["spec"]["mpiReplicaSpecs"][role.capitalize()])
    labels, spec = replica["template"]["metadata"]["labels"], replica["template"]["spec"]
    labels |= {f"{_TRAINING}/job-name": own, f"{_TRAINING}/job-role": role}
    if index is not None:
        labels[f"{_TRAINING}/replica-index"] = str(index)
    spec |= {"hostname": host, "subdomain": own, "restartPolicy": replica["restartPolicy"]}
    container = spec["containers"][0]
    container["env"].append({"name": "K_MPI_JOB_ROLE", "value": role})
    spec["volumes"].append({"name": "ssh-auth", "secret": {"secretName": f"{own}-ssh"}})
    mount = {"name": "ssh-auth", "mountPath": mpijob["spec"]["sshAuthMountPath"]}
    container["volumeMounts"].append(mount)
    if role == "launcher":
        container["env"] += [
            {"name": "HYDRA_HOST_FILE", "value": "/etc/mpi/hostfile"},
            {"name": "HYDRA_LAUNCH_EXTRA_ARGS", "value": "-o ConnectionAttempts=10"},
            {"name": "OMPI_MCA_plm_rsh_args", "value": "-o ConnectionAttempts=10"},
        ]
        spec["volumes"].append({"name": "mpi-job-config", "configMap": {"name": f"{own}-config"}})
        container["volumeMounts"].append({"name": "mpi-job-config", "mountPath": "/etc/mpi"})
    metadata = {"name": name, "labels": labels, "ownerReferences": controlled_by(mpijob)}
    return {"kind": "Pod", "metadata": metadata, "spec": spec}
