"""What the namespace's quotas leave to an experiment's trials."""

import re
from collections.abc import Iterator

from sigopt_orchestrate.executors.checks import Check
from sigopt_orchestrate.executors.kubernetes.cluster import ApiError, Cluster
from sigopt_orchestrate.spec import Experiment

_UNITS = {
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "Pi": 2**50,
}
_QUANTITY = re.compile(r"([0-9.]+)([a-zA-Z]*)")
_KEYS = {
    "requests.cpu": "cpu",
    "limits.cpu": "cpu_limit",
    "memory": "memory",
    "ephemeral-storage": "disk",
}
_UNSAID = re.compile(r"failed quota: (.*?): must specify (.*)")
_USED_UP = re.compile(r"exceeded quota: .*?, requested: (.*?), used: .*?, limited: (.*)")


def quotas(cluster: Cluster, spec: Experiment) -> Iterator[Check]:
    """Whether one trial could ever fit into what the namespace may use."""
    try:
        found = cluster.call("GET", cluster.path("resourcequotas"))["items"]
    except ApiError as error:
        yield Check("quotas", "note", f"cannot be read: {error.message}")
        return
    asked = _asked(spec)
    for quota in found:
        for key, limit in quota.get("status", {}).get("hard", {}).items():
            hard, one = amount_of(limit), asked.get(key, 0.0)
            name = f"quota {quota['metadata']['name']!r} allows {key} {limit}"
            if one > hard:
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
        "requests.ephemeral-storage": count * (wanted.disk or 0),
        "limits.ephemeral-storage": count * (wanted.disk or 0),
    } | ({f"requests.{wanted.gpu_type}": count * wanted.gpu} if wanted.gpu else {})


def unsaid(error: ApiError) -> str | None:
    """Returns what the experiment must say because of a quota, if that is what the refusal means.

    Where the namespace has default requests (a LimitRange), the experiment need not say them.
    """
    said = _UNSAID.search(error.message)
    if said is None:
        return None
    names = dict.fromkeys(key for word, key in _KEYS.items() if word in said[2])
    keys = ", ".join(f"{name}: ..." for name in names) or said[2]
    return f"because of quota {said[1]!r} every trial must say its `resources: {{{keys}}}`"


def is_used_up(error: ApiError) -> bool:
    """Whether a quota has room for a trial, and others use it at present."""
    said = _USED_UP.search(error.message)
    if said is None:
        return False
    asked, limits = ({k: amount_of(v) for k, _, v in _parts_of(part)} for part in said.groups())
    return all(amount <= limits.get(key, 0.0) for key, amount in asked.items())


def _parts_of(listed: str) -> list[tuple[str, str, str]]:
    return [one.strip().partition("=") for one in listed.split(",")]


def amount_of(quantity: str) -> float:
    """Returns the number that one of Kubernetes' quantities stands for."""
    match = _QUANTITY.fullmatch(str(quantity))
    return float(match[1]) * _UNITS.get(match[2], 1.0) if match else 0.0
