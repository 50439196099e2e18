"""torch's DistributedDataParallel on gloo, as it is and with gradients sent as bfloat16."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from gossipgrad.baselines.replica import Replica
from gossipgrad.transports.mpi import import_mpi


class Ddp(Replica):
    """DistributedDataParallel; starts gloo if no process group is there yet.

    Args:
        model: The model.
        compress: Whether gradients travel as bfloat16.
    """

    def __init__(self, model: nn.Module, *, compress: bool = False) -> None:
        join_gloo()
        ddp = DistributedDataParallel(model)
        super().__init__(ddp)
        self._unsent = ddp.no_sync
        if compress:
            ddp.register_comm_hook(None, _as_bfloat16)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Lets gradients accumulate without sending them."""
        with self._unsent():
            yield


def join_gloo() -> None:
    """Joins the gloo group of all ranks, told of it by torchrun's variables or else by MPI."""
    if dist.is_initialized():
        return
    if "WORLD_SIZE" not in os.environ:
        world = import_mpi().COMM_WORLD
        address = (socket.gethostname(), _free_port()) if world.rank == 0 else None
        host, port = world.bcast(address)
        os.environ.update(
            RANK=str(world.rank),
            WORLD_SIZE=str(world.size),
            MASTER_ADDR=host,
            MASTER_PORT=str(port),
        )
    dist.init_process_group("gloo")


def _as_bfloat16(
    group: dist.ProcessGroup | None,
    bucket: dist.GradBucket,  # type: ignore[name-defined]  # DDP demands this very annotation
) -> Future[torch.Tensor]:
    """DDP's own bf16 hook refuses the processor; this does what that does, on gloo."""
    gradients: Any = bucket.buffer()
    size = dist.get_world_size(group)
    small = gradients.to(torch.bfloat16).div_(size)
    work: Any = dist.all_reduce(small, group=group, async_op=True)
    return work.get_future().then(lambda done: gradients.copy_(done.value()[0]))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
