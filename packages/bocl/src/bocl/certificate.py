"""The proof that a task is not forgotten: digests of its weights and of its logits on made inputs.

Logits are compared bit by bit. They were computed by one build of torch on one kind of CPU; on
another, only the weights can be vouched for, and the check says so.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import torch

from bocl import files, seeds
from bocl.errors import CertificateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from bocl.network import Network

PROBES = 64
ROUNDING = 1e-5


def probe_inputs(network: Network, task: int, seed: int) -> Tensor:
    """Returns made inputs (64, *input_shape): no example of the task is stored."""
    shape = (PROBES, *network.trunk.input_shape)
    return torch.randn(shape, generator=seeds.generator("certificate", seed, task))


def certify(network: Network, task: int, seed: int) -> dict[str, Any]:
    """Returns a task's certificate, plain values for JSON."""
    logits = network.logits(task, probe_inputs(network, task, seed))
    return {
        "format": 1,
        "task": task,
        "seed": seed,
        "torch": torch.__version__,
        "machine": _machine(),
        "weights": weight_digests(network, task),
        "logits": files.digest(logits),
    }


def check_equal(network: Network, other: Network, task: int, seed: int) -> None:
    """Raises CertificateError where another network's logits of a task differ beyond rounding."""
    inputs = probe_inputs(network, task, seed)
    wanted, found = network.logits(task, inputs), other.logits(task, inputs)
    moved = float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-12))
    if not moved <= ROUNDING:
        raise CertificateError(
            f"a logit of task {task} would move by {moved:.1e} of the largest; "
            f"{ROUNDING} is allowed"
        )


def weight_digests(network: Network, task: int) -> dict[str, str]:
    """Returns digests of all that a task's output depends on: its own tensors and earlier ones'."""
    return {
        f"{source}.{name}": files.digest(tensor)
        for source, depth in enumerate([*network.depths(task), 1])
        if depth or network.lends(source, task)
        for name, tensor in sorted(network.blocks[source].tensors().items())
    }


def verify(network: Network, task: int, certificate: Mapping[str, Any]) -> str:
    """Returns `exact`, or `weights only` where this machine cannot repeat the logits bit by bit.

    Raises:
        CertificateError: a weight or the logits differ from the certified ones.
    """
    try:
        seed, weights, logits = certificate["seed"], certificate["weights"], certificate["logits"]
        origin = (certificate["torch"], certificate["machine"])
        if certificate["task"] != task:
            raise CertificateError(f"certificate of task {task} is for task {certificate['task']}")
    except KeyError as error:
        raise CertificateError(f"certificate of task {task} lacks {error}") from error
    found = weight_digests(network, task)
    differing = sorted(
        name for name in found.keys() | weights if found.get(name) != weights.get(name)
    )
    if differing:
        raise CertificateError(
            f"task {task} has changed: {', '.join(differing[:3])} differ from the certificate"
        )
    if files.digest(network.logits(task, probe_inputs(network, task, seed))) == logits:
        return "exact"
    if origin == (torch.__version__, _machine()):
        raise CertificateError(f"task {task} has changed: its logits differ from the certificate")
    return "weights only"


def _machine() -> str:
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
