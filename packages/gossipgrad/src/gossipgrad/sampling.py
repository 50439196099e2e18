"""Which samples a rank trains on: seeded shards that travel round a ring of ranks.

Daily et al. let every rank pass the batch it has just used to its neighbour while it computes, so
that in p epochs each rank sees all samples and no shard is over-fitted. Where all ranks can read
all data, passing indices is enough and needs no message: `GossipSampler`. Where each holds only
its own part in memory, the samples themselves travel: `GossipDataLoader`.
"""

from collections.abc import Callable, Iterator, Sized
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler

from gossipgrad.errors import ConfigurationError, PeerLostError
from gossipgrad.progress import Nap
from gossipgrad.transports import Channel, Pending, Transport, connect

_SAMPLES_TAG = 1


class GossipSampler(Sampler[int]):
    """Yields one rank's indices; in epoch e rank r has shard (r + e) mod p, in a new order.

    All ranks get equally many, so that none waits for another at the end: up to p - 1 indices of a
    freshly shuffled tail are left out in each pass.

    Args:
        data: the data set, or anything with its length.
        rank: this rank; None asks the transport.
        world_size: number of ranks; None asks the transport.
        seed: the same on all ranks.
        ring_shuffle: whether shards travel; without, a rank keeps its shard for good.
    """

    def __init__(
        self,
        data: Sized,
        rank: int | None = None,
        world_size: int | None = None,
        seed: int = 0,
        *,
        ring_shuffle: bool = True,
    ) -> None:
        transport = connect() if rank is None or world_size is None else None
        self.rank = transport.rank if transport and rank is None else int(rank or 0)
        self.world_size = (
            transport.size if transport and world_size is None else int(world_size or 1)
        )
        if not 0 <= self.rank < self.world_size:
            raise ConfigurationError(
                f"rank is {self.rank}; allowed with {self.world_size} ranks: "
                f"0 to {self.world_size - 1}"
            )
        if len(data) < self.world_size:
            raise ConfigurationError(
                f"data has {len(data)} samples, fewer than the {self.world_size} ranks"
            )
        self.seed = seed
        self.epoch = 0
        self._ring = ring_shuffle
        order = torch.randperm(len(data), generator=_generator(seed))
        count = len(data) // self.world_size
        self._shards = order[: count * self.world_size].view(self.world_size, count)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch; without it each pass is the next one."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._shards.shape[1]

    def __iter__(self) -> Iterator[int]:
        shard = (self.rank + self.epoch) % self.world_size if self._ring else self.rank
        mixed = _generator((self.seed * 1_000_003 + self.epoch) * 65_537 + shard)
        self.epoch += 1
        order = torch.randperm(len(self), generator=mixed)
        return iter(self._shards[shard][order].tolist())


class GossipDataLoader:
    """Batches of in-memory samples, each passed on to the next rank while it is trained on.

    A batch's rows are sent to rank r - 1 as soon as they have been copied out, and what arrives
    from r + 1 takes their place before the next batch. The whole data set thereby drifts round the
    ring, one batch a step, beside the computing. If a rank dies, the ring stands still: everybody
    keeps what it has, also who is started anew.

    Args:
        samples: this rank's samples, ``(n, ...)``; the same n, shape and dtype on all ranks.
        targets: their targets, ``(n, ...)``.
        batch_size: samples a batch; a last, smaller one is left out.
        transform: called with each batch's samples, e.g. to scale bytes to floats or augment.
        seed: of this rank's orders.
        ring_shuffle: whether samples travel.
        transport: as for `GossipDataParallel`.

    Raises:
        ConfigurationError: a batch is larger than the shard, or lengths differ.
    """

    def __init__(
        self,
        samples: Tensor,
        targets: Tensor,
        batch_size: int,
        *,
        transform: Callable[[Tensor], Tensor] | None = None,
        seed: int = 0,
        ring_shuffle: bool = True,
        transport: str | Transport = "auto",
    ) -> None:
        if len(samples) != len(targets):
            raise ConfigurationError(f"samples has {len(samples)} rows and targets {len(targets)}")
        if not 1 <= batch_size <= len(samples):
            raise ConfigurationError(
                f"batch_size is {batch_size}; allowed: 1 to {len(samples)}, the shard's size"
            )
        self._channel = Channel(connect(transport))
        self.samples = samples.contiguous().clone()
        self.targets = targets.contiguous().clone()
        self.batch_size = batch_size
        self._transform = transform
        self._generator = _generator(seed * 65_537 + self._channel.rank)
        self._travels = ring_shuffle and self._channel.size > 1 and not self._channel.joins
        cut = batch_size * _row_bytes(samples)
        total = cut + batch_size * _row_bytes(targets)
        self._outgoing = torch.empty(total, dtype=torch.uint8)
        self._incoming = torch.empty(total, dtype=torch.uint8)
        self._cut = cut
        self._under_way: tuple[Tensor, list[Pending]] | None = None

    def __len__(self) -> int:
        return len(self.samples) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.samples), generator=self._generator)
        for rows in order[: len(self) * self.batch_size].split(self.batch_size):  # type: ignore[no-untyped-call]
            self._take_in()
            samples, targets = self.samples[rows], self.targets[rows]
            self._pass_on(rows, samples, targets)
            yield (self._transform(samples) if self._transform else samples), targets

    def finish(self) -> None:
        """Waits for the batch under way; collective, before the end of the program."""
        self._take_in()

    def _pass_on(self, rows: Tensor, samples: Tensor, targets: Tensor) -> None:
        if not self._travels:
            return
        self._outgoing[: self._cut] = samples.view(-1).view(torch.uint8)
        self._outgoing[self._cut :] = targets.view(-1).view(torch.uint8)
        channel = self._channel
        before, after = (channel.rank - 1) % channel.size, (channel.rank + 1) % channel.size
        try:
            with channel.lock:
                self._under_way = (
                    rows,
                    [
                        channel.receive(self._incoming, after, _SAMPLES_TAG),
                        channel.send(self._outgoing, before, _SAMPLES_TAG),
                    ],
                )
        except PeerLostError:
            self._travels = False

    def _take_in(self) -> None:
        if self._under_way is None:
            return
        rows, pendings = self._under_way
        self._under_way = None
        nap = Nap()
        try:
            while True:
                with self._channel.lock:
                    if self._channel.lost():
                        break
                    if all(pending.done() for pending in pendings):
                        self._store(rows)
                        return
                nap()
        except PeerLostError:
            pass
        self._travels = False

    def _store(self, rows: Tensor) -> None:
        samples = self._incoming[: self._cut].view(self.samples.dtype)
        targets = self._incoming[self._cut :].clone().view(self.targets.dtype)
        self.samples[rows] = samples.view(len(rows), *self.samples.shape[1:])
        self.targets[rows] = targets.view(len(rows), *self.targets.shape[1:])


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed % 2**63)  # torch takes 64 bits, with a sign


def _row_bytes(rows: Any) -> int:
    return int(rows[0].numel() * rows.element_size())
