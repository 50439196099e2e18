"""Whether MPI may be handed GPU memory: asked of the library, then tried.

A library that says yes and copies garbage, or no and would crash the process, is a known pain
(pytorch#38642, mpi4py#164). So the answer counts only if the library, asked through its own query,
says yes *and* a kilobyte sent to oneself from GPU memory comes back whole.
"""

import ctypes
import os
from dataclasses import dataclass

import torch

from gossipgrad.transports.mpi import import_mpi

_PROBE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """What is known about MPI and GPU memory.

    Attributes:
        usable: whether to hand GPU buffers to MPI.
        reason: how that is known.
    """

    usable: bool
    reason: str


def mpi_takes_device_memory() -> DeviceMemory:
    """Asks the MPI library about CUDA and tests its answer.

    Returns:
        The verdict; never usable where there is no GPU or the library does not claim it.
    """
    if not torch.cuda.is_available():
        return DeviceMemory(usable=False, reason="no CUDA device in this process")
    claim = _claim()
    if not claim.usable:
        return claim
    if not _survives_a_round_trip():
        return DeviceMemory(
            usable=False, reason=f"{claim.reason}, but the self-test came back wrong"
        )
    return DeviceMemory(usable=True, reason=f"{claim.reason}, and the self-test passed")


def _claim() -> DeviceMemory:
    if os.environ.get("MPICH_GPU_SUPPORT_ENABLED") == "1":
        return DeviceMemory(usable=True, reason="MPICH_GPU_SUPPORT_ENABLED=1")
    import_mpi()  # loads the library whose symbols are looked up
    loaded = ctypes.CDLL(None)
    for library in (loaded, *_mpi_libraries()):
        if hasattr(library, "MPIX_Query_cuda_support"):
            yes = bool(library.MPIX_Query_cuda_support())
            return DeviceMemory(usable=yes, reason=f"MPIX_Query_cuda_support() = {int(yes)}")
    return DeviceMemory(usable=False, reason="the MPI library has no query for CUDA support")


def _mpi_libraries() -> list[ctypes.CDLL]:
    with open("/proc/self/maps", encoding="utf-8") as maps:  # noqa: PTH123 - no real file
        paths = {line.split()[-1] for line in maps if "libmpi" in line}
    return [ctypes.CDLL(path) for path in sorted(paths) if path.startswith("/")]


def _survives_a_round_trip() -> bool:
    mpi = import_mpi()
    sent = torch.arange(_PROBE_BYTES, device="cuda").to(torch.uint8)
    back = torch.zeros_like(sent)
    torch.cuda.synchronize()
    try:
        mpi.COMM_SELF.Sendrecv(
            [mpi.memory.fromaddress(sent.data_ptr(), _PROBE_BYTES), mpi.BYTE],
            dest=0,
            recvbuf=[mpi.memory.fromaddress(back.data_ptr(), _PROBE_BYTES), mpi.BYTE],
            source=0,
        )
    except mpi.Exception:
        return False
    torch.cuda.synchronize()
    return bool(torch.equal(sent, back))
