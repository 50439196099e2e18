"""Networks that gossip runs on, behind one small protocol."""

import logging
import os
from typing import Any

from gossipgrad.errors import ConfigurationError
from gossipgrad.transports.channel import TAGS, Channel
from gossipgrad.transports.launched import check_alone, launched_for
from gossipgrad.transports.protocol import SIGNAL_BYTES, Pending, Transport
from gossipgrad.transports.simulated import SimulatedNetwork, SimulatedTransport

TRANSPORTS = ("auto", "mpi", "torch", "tcp")
__all__ = [
    "SIGNAL_BYTES",
    "TAGS",
    "TRANSPORTS",
    "Channel",
    "Pending",
    "SimulatedNetwork",
    "SimulatedTransport",
    "Transport",
    "connect",
]

_log = logging.getLogger(__name__)
_shared: dict[str, Any] = {}


def connect(transport: str | Transport = "auto") -> Transport:
    """Returns this process's transport, the same one at every call.

    Args:
        transport: "mpi"; "torch" for the default group of torch.distributed; "tcp"; "auto" for
            torch.distributed where it is initialised, else TCP where $GOSSIPGRAD_RENDEZVOUS is set,
            else MPI where an MPI launcher started this process, else torch.distributed where
            torchrun did, else a single rank; or a transport.

    Raises:
        ConfigurationError: unknown name, or a rank that was meant to have others finds none.
        MissingDependencyError: MPI is asked for and mpi4py is not there.
    """
    if not isinstance(transport, str):
        return transport
    if transport not in TRANSPORTS:
        raise ConfigurationError(f"transport is {transport!r}; allowed: {', '.join(TRANSPORTS)}")
    kind = _found() if transport == "auto" else transport
    if kind not in _shared:
        _shared[kind] = _tell_the_lonely(kind, _make(kind))
    made: Transport = _shared[kind]
    return made


def _tell_the_lonely(kind: str, transport: Transport) -> Transport:
    if transport.size == 1:
        check_alone(kind)
        _log.warning(
            "gossipgrad: one rank alone trains as without the wrapper; "
            "`gossipgrad run -n 4 SCRIPT` starts four"
        )
    return transport


def _found() -> str:
    import torch.distributed as dist  # noqa: PLC0415 - slow, and not needed to name transports

    if dist.is_available() and dist.is_initialized():
        return "torch"
    return launched_for()


def _make(kind: str) -> Transport:
    if kind == "single":
        return SimulatedTransport(SimulatedNetwork(1), 0)
    if kind == "mpi":
        from gossipgrad.transports.device_memory import mpi_takes_device_memory  # noqa: PLC0415
        from gossipgrad.transports.mpi import MpiTransport  # noqa: PLC0415 - starts MPI

        return MpiTransport(device_memory=mpi_takes_device_memory().usable)
    if kind == "tcp":
        from gossipgrad.transports.tcp import TcpTransport  # noqa: PLC0415

        return TcpTransport()
    import torch  # noqa: PLC0415
    import torch.distributed as dist  # noqa: PLC0415

    from gossipgrad.transports.torch_distributed import TorchTransport  # noqa: PLC0415

    if not dist.is_initialized() and "WORLD_SIZE" in os.environ:
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return TorchTransport()
