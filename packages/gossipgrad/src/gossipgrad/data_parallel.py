"""`GossipDataParallel`: wrap a model, keep the optimizer, train."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from gossipgrad.agreement import agree
from gossipgrad.assembly import Assembly
from gossipgrad.averaging import FreeAveraging, Network, PairedAveraging
from gossipgrad.belongings import pack, unpack
from gossipgrad.buckets import Bucket, exchanged_tensors, re_home, still_at_home
from gossipgrad.collectives import Collectives
from gossipgrad.consensus import Consensus, average
from gossipgrad.errors import ConfigurationError, DroppedError, PeerLostError
from gossipgrad.exchange import Outcome
from gossipgrad.membership import Membership, Patience
from gossipgrad.optimizer_state import exchanged_state
from gossipgrad.optimizer_steps import unwatch_steps, watch_steps
from gossipgrad.progress import Progress
from gossipgrad.returning import Returns
from gossipgrad.schedules import make_schedule
from gossipgrad.settings import check
from gossipgrad.signalling import Signalling
from gossipgrad.snapshots import Snapshots
from gossipgrad.transports import Channel, Transport, connect
from gossipgrad.vigil import Vigil
from gossipgrad.wire import make_codec

_SILENCE_S = {"thread": 2.0, "none": 2.0, "hooks": 30.0}  # hooks cannot answer between two layers


class GossipDataParallel(nn.Module):
    """Trains `module` on all ranks; each step averages it with one partner instead of with all.

    Wrap the model on every rank, make any optimizer of its parameters before or after, and train as
    on one device. An exchange takes place after each step of the optimizer. In evaluation mode and
    in `state_dict()` all ranks have the same, averaged model; these, `consensus()` and
    `load_state_dict()` are collective: call them on every rank.

    Args:
        module: any module; its parameters become views into flat buckets.
        topology: "auto" (dissemination), "dissemination", "hypercube", "ring", "random", "exact".
        mode: "overlap" (each exchange runs during the next step), "sync" (the step waits for it),
            "async" (nobody waits for anybody), or "paper" (the authors' delayed rule, which moves
            the mean by half of each update; for comparison).
        wire: "bf16", "fp32" or "int8" (with error feedback).
        transport: "auto", "mpi", "torch", or a `Transport`.
        seed: chooses the partners' rotation; the same on all ranks.
        rotate: whether partners rotate; None leaves it to the topology.
        max_delay: async mode: steps after which given mass is settled without anything in return.
        exchange_momentum: whether the optimizer's per-parameter state is averaged, too.
        average_every: every so many steps a consensus of all ranks (Gossip-PGA); 0 for never.
        bucket_mb: a message's size, in MB of the model.
        driver: who drives MPI: "auto", "thread", "hooks" or "none".
        silence_s: the shortest silence, in seconds, for which a rank may be counted as dead.
        broadcast: whether to begin with rank 0's weights everywhere.

    Raises:
        ConfigurationError: an argument is not allowed.
        MismatchError: model, settings, seed or package version differ between ranks.

    Example:
        >>> model = GossipDataParallel(nn.Linear(4, 2))
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> for _ in range(3):
        ...     optimizer.zero_grad()
        ...     model(torch.ones(8, 4)).sum().backward()
        ...     _ = optimizer.step()
        >>> model.steps
        3
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        topology: str = "auto",
        mode: str = "overlap",
        wire: str = "bf16",
        transport: str | Transport = "auto",
        seed: int = 0,
        rotate: bool | None = None,
        max_delay: int = 4,
        exchange_momentum: bool = False,
        average_every: int = 0,
        bucket_mb: float = 8.0,
        driver: str = "auto",
        silence_s: float | None = None,
        broadcast: bool = True,
    ) -> None:
        super().__init__()
        check(mode, max_delay, average_every, bucket_mb, driver)
        self.module = module
        self.mode = mode
        self.steps = 0
        self.last_outcome: Outcome | None = None
        self._codec = make_codec(wire)
        channel = Channel(connect(transport))
        self._transport: Transport = channel
        self._schedule = make_schedule(topology, self._transport.size, seed, rotate=rotate)
        self._max_delay = max_delay
        self._with_momentum = exchange_momentum
        self._average_every = average_every
        self._bucket_bytes = int(bucket_mb * 1e6)
        self._suspended = False
        self._equal = False
        self._closed = False
        self._listeners: list[Callable[[Outcome], None]] = []
        self._buckets: list[Bucket] = re_home(exchanged_tensors(module), self._bucket_bytes)
        self._model_buckets = len(self._buckets)
        if not self._buckets:
            raise ConfigurationError("module has no parameters; there is nothing to average")
        kind = self._transport.driver if driver == "auto" else driver
        self._lock = channel.lock
        self._membership = Membership(self._transport.rank, self._transport.size)
        vigil = Vigil(
            self._transport,
            self._membership,
            Signalling(self._transport),
            Patience(_SILENCE_S[kind] if silence_s is None else silence_s),
        )
        returns = Returns(self._transport, vigil, self._lock)
        self._network = Network(self._transport, self._schedule, vigil, self._lock, returns)
        self._assembly = Assembly(self._transport, vigil)
        self._averaging: PairedAveraging | FreeAveraging | None = None
        self._progress = Progress(self._poll, self._lock, kind)
        self._start(
            {"gossipgrad": version("gossipgrad"), "topology": topology, "mode": mode, "wire": wire,
             "seed": seed, "rotate": rotate, "bucket_mb": bucket_mb,
             "exchange_momentum": exchange_momentum, "average_every": average_every},
            broadcast=broadcast,
        )  # fmt: skip

    @property
    def rank(self) -> int:
        """This rank."""
        return self._transport.rank

    @property
    def world_size(self) -> int:
        """Number of ranks at the start."""
        return self._transport.size

    @property
    def transport_name(self) -> str:
        """What carries the exchanges: "mpi", "gloo", "nccl" or "simulated"."""
        return self._transport.name

    @property
    def living(self) -> list[int]:
        """The ranks that are alive as far as this one knows."""
        with self._lock:
            return self._membership.living(self._begun)

    @property
    def mass(self) -> float:
        """This rank's weight in the mean; 1 unless faults or async exchanges have moved some."""
        return self._averaging.mass if self._averaging else 1.0

    @property
    def wire_bytes(self) -> int:
        """Bytes that one exchange sends."""
        return sum(64 + self._codec.nbytes(bucket.flat.numel()) for bucket in self._buckets)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the wrapped module."""
        return self.module(*args, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Optimizer steps within do not exchange.

        Gradient accumulation needs no such care, since only the optimizer's step exchanges; this is
        here because DDP has it, and for phases of purely local steps.
        """
        before, self._suspended = self._suspended, True
        try:
            yield
        finally:
            self._suspended = before

    def on_exchange(self, listener: Callable[[Outcome], None]) -> None:
        """Calls `listener` with the outcome of every exchange, once it is settled."""
        self._listeners.append(listener)

    def consensus(self) -> Consensus:
        """Makes all living ranks' models equal to the bit; collective.

        Returns:
            How many exchanges it took: at most ceil(log2 p).
        """
        if self._equal or self.world_size == 1:
            return Consensus(0, 0)
        while True:
            together = self._meet()
            try:
                report = average(self._flats(), self.mass, together)
                for buffer in self._counters():
                    together.broadcast(buffer)
            except PeerLostError:
                continue  # nothing was changed; meet again without the dead
            break
        if self._averaging is not None:
            self._averaging.equalise()
        self._equal = True
        return report

    def train(self, mode: bool = True) -> "GossipDataParallel":
        """Switches between training and evaluation; evaluation begins with a consensus."""
        if not mode and self.training and hasattr(self, "_assembly"):
            self.consensus()
        super().train(mode)
        return self

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Returns the averaged model's state, under the names of the wrapped module; collective."""
        self.consensus()
        state: dict[str, Any] = self.module.state_dict(*args, **kwargs)
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Loads the wrapped module's state, after exchanges under way have ended; collective."""
        self.barrier()
        if self._averaging is not None:
            self._averaging.equalise()
            if self._with_momentum:
                # The optimizer's state is about to be replaced; the next step finds it again.
                self._averaging.abandon()
                self._averaging = None
                self._buckets = self._buckets[: self._model_buckets]
        return self.module.load_state_dict(state_dict, *args, **kwargs)

    def rejoin(self, optimizer: torch.optim.Optimizer, *, timeout_s: float = 600.0) -> int:
        """Comes back after a DroppedError; not collective: the others just train on.

        The lowest living rank hands over its weights, its optimizer's state and half of its mass,
        which leaves the weighted mean of the living as it was; all take this rank in at an agreed
        exchange. Only for a process that was silent, such as one that was stopped: a freshly
        started one cannot enter an MPI or torch.distributed job.

        Args:
            optimizer: of this model's parameters; its state is replaced.
            timeout_s: seconds after which it gives up. A rank is taken in between two steps, so
                nobody answers while the others evaluate or have ended.

        Returns:
            The exchanged steps that the sponsor had made, now also this model's `steps`.

        Raises:
            ConfigurationError: this rank has not been dropped.
            DroppedError: no rank took it back in time.
        """
        vigil, averaging = self._network.vigil, self._averaging
        if not vigil.dropped or averaging is None:
            raise ConfigurationError(f"rank {self.rank} has not been dropped; it cannot rejoin")
        with self._lock:
            averaging.suspend()
        content = self._network.returns.come_back(timeout_s)
        if content is None:
            raise DroppedError(f"no rank took rank {self.rank} back within {timeout_s:g} s")
        books = unpack(content, self.module, optimizer)
        with self._lock:
            self._membership.restore(books["membership"], books["step"], books["incarnation"])
            averaging.restart(books["step"], books["mass"])
            self._assembly.generation = books["generation"]
            vigil.readmit(books["step"])
        self.steps, self._equal = books["steps"], False
        return self.steps

    def barrier(self) -> None:
        """Waits for all living ranks; collective. Exchanges under way are finished."""
        if self.world_size > 1:
            self._meet()

    def close(self) -> None:
        """Ends the exchanges; collective. The model keeps this rank's own, un-averaged weights."""
        if self._closed:
            return
        self._closed = True
        self.barrier()
        unwatch_steps(self._after_step)
        self._progress.stop()
        if self._averaging is not None:
            self._averaging.abandon()

    @property
    def _begun(self) -> int:
        return self._averaging.begun if self._averaging else 0

    def _start(self, settings: dict[str, Any], *, broadcast: bool) -> None:
        if self.world_size > 1:
            together = Collectives(self._transport, range(self.world_size))
            shapes = [
                f"{resident.name}: {resident.tensor.dtype} {list(resident.tensor.shape)}"
                for bucket in self._buckets
                for resident in bucket.residents
            ]
            agree({**settings, "model": shapes}, together)
            if broadcast:
                for flat in self._flats():
                    host = flat.cpu()
                    together.broadcast(host)
                    flat.copy_(host)
        else:
            self._equal = True
        watch_steps(self.module.parameters(), self._after_step)
        if not self._with_momentum:
            self._build()

    def _build(self) -> None:
        if self.world_size == 1:
            return
        snapshots = Snapshots(self._buckets, self._codec, self._transport)
        if self.mode == "async":
            self._averaging = FreeAveraging(snapshots, self._network, self._max_delay)
        else:
            self._averaging = PairedAveraging(snapshots, self._network, paper=self.mode == "paper")
        self._progress.start(self.module)

    def _after_step(self, optimizer: torch.optim.Optimizer) -> None:
        if self._suspended or self._closed:
            return
        self.steps += 1
        if self.world_size == 1:
            return
        self._equal = False
        if self._averaging is None:
            self._buckets += re_home(exchanged_state(optimizer, self.module), self._bucket_bytes)
            self._build()
        if self._progress.error is not None:
            raise self._progress.error
        if not still_at_home(self._buckets):
            raise ConfigurationError(
                "the model's parameters were moved after wrapping (.to(), .half(), a new .data); "
                "move the model first, then wrap it"
            )
        self._network.vigil.check_dropped()
        outcome = self._turn(optimizer)
        if outcome is not None:
            self.last_outcome = outcome
            for listener in self._listeners:
                listener(outcome)
        if self._average_every and self.steps % self._average_every == 0:
            self.consensus()

    def _turn(self, optimizer: torch.optim.Optimizer) -> Outcome | None:
        averaging = self._averaging
        assert averaging is not None  # noqa: S101 - built by the caller
        if isinstance(averaging, FreeAveraging):
            self._sponsor(averaging, optimizer)
            return averaging.turn()
        outcome = averaging.finish(1) if averaging.open else None
        self._sponsor(averaging, optimizer)
        averaging.begin()
        return averaging.finish(0) if self.mode == "sync" else outcome

    def _sponsor(
        self, averaging: PairedAveraging | FreeAveraging, optimizer: torch.optim.Optimizer
    ) -> None:
        returns = self._network.returns
        while returns.asked:
            portion = averaging.portion

            def state(step: int, incarnation: int, portion: float = portion) -> bytes:
                return pack(
                    self.module,
                    optimizer,
                    {"step": step, "incarnation": incarnation, "mass": portion,
                     # This step may yet end with a periodic average, which all go to.
                     "steps": self.steps - 1, "generation": self._assembly.generation,
                     "membership": self._membership.state()},
                )  # fmt: skip

            if returns.sponsor(averaging.begun + self._schedule.sweep + 1, state) is not None:
                averaging.mass -= portion

    def _meet(self) -> Collectives:
        averaging = self._averaging
        if averaging is None:
            together = Collectives(self._transport, range(self.world_size), 1)
            together.largest(0.0)  # a barrier: nobody has exchanged anything yet
            return together
        meeting = self._assembly.meet(averaging.standing, averaging.serve)
        averaging.catch_up(meeting.steps)
        with self._lock:
            version_before = self._membership.version

        def watch() -> None:
            with self._lock:
                averaging.poll()
                if self._membership.version != version_before:
                    raise PeerLostError(-1)

        return Collectives(self._transport, meeting.ranks, meeting.generation, watch)

    def _poll(self) -> None:
        if self._averaging is not None:
            self._averaging.poll()

    def _flats(self) -> list[Tensor]:
        return [bucket.flat for bucket in self._buckets]

    def _counters(self) -> list[Tensor]:
        return [
            buffer
            for buffer in self.module.buffers()
            if not buffer.is_floating_point() and not buffer.is_complex() and buffer.numel()
            and buffer.is_contiguous() and buffer.device.type == "cpu"
        ]  # fmt: skip
