"""`GossipDataParallel`: wrap a model, keep the optimizer, train."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from gossipgrad.consensus import Consensus
from gossipgrad.errors import ConfigurationError
from gossipgrad.exchange import Outcome
from gossipgrad.optimizer_steps import unwatch_steps, watch_steps
from gossipgrad.participant import Participant
from gossipgrad.settings import Settings
from gossipgrad.transports import Transport, connect


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
        transport: "auto", "mpi", "torch", "tcp", or a `Transport`.
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

    Attributes:
        steps: exchanged steps so far.
        last_outcome: what became of the last exchange that was settled.

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
        settings = Settings(
            topology=topology, mode=mode, wire=wire, seed=seed, rotate=rotate, max_delay=max_delay,
            exchange_momentum=exchange_momentum, average_every=average_every, bucket_mb=bucket_mb,
            driver=driver, silence_s=silence_s,
        )  # fmt: skip
        self.module = module
        self.steps = 0
        self.last_outcome: Outcome | None = None
        self._settings = settings
        self._suspended = False
        self._closed = False
        self._listeners: list[Callable[[Outcome], None]] = []
        self._participant = Participant(module, settings, connect(transport))
        self._participant.begin(broadcast=broadcast)
        watch_steps(module.parameters(), self._after_step)

    @property
    def rank(self) -> int:
        """This rank."""
        return self._participant.transport.rank

    @property
    def world_size(self) -> int:
        """Number of ranks at the start."""
        return self._participant.transport.size

    @property
    def mode(self) -> str:
        """How it exchanges."""
        return self._settings.mode

    @property
    def transport_name(self) -> str:
        """What carries the exchanges: "mpi", "gloo", "nccl", "tcp" or "simulated"."""
        return self._participant.transport.name

    @property
    def living(self) -> list[int]:
        """The ranks that are alive as far as this one knows."""
        with self._participant.lock:
            return self._participant.membership.living(self._participant.begun)

    @property
    def deaths(self) -> list[tuple[float, int]]:
        """When this rank learnt of whose death: seconds of `time.monotonic()`, and the rank."""
        with self._participant.lock:
            return list(self._participant.network.vigil.noticed)

    @property
    def mass(self) -> float:
        """This rank's weight in the mean; 1 unless faults or async exchanges have moved some."""
        averaging = self._participant.averaging
        return averaging.mass if averaging else 1.0

    @property
    def wire_bytes(self) -> int:
        """Bytes that one exchange sends."""
        return self._participant.wire_bytes

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
        return self._participant.consensus()

    def train(self, mode: bool = True) -> "GossipDataParallel":
        """Switches between training and evaluation; evaluation begins with a consensus."""
        if hasattr(self, "_participant"):
            if mode:
                # What follows may be local, or no step at all on some rank: all are to meet again.
                self._participant.equal = False
            elif self.training:
                self.consensus()
        super().train(mode)
        return self

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Returns the averaged model's state, under the names of the wrapped module; collective."""
        self.consensus()
        state: dict[str, Any] = self.module.state_dict(*args, **kwargs)
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Loads the wrapped module's state, after exchanges under way have ended; collective.

        Raises:
            ConfigurationError: `assign` is true; parameters must stay the tensors they are.
        """
        if kwargs.get("assign") or any(args[1:]):
            raise ConfigurationError("assign is True; allowed: False, since the buckets hold them")
        self._participant.start_afresh()
        return self.module.load_state_dict(state_dict, *args, **kwargs)

    def rejoin(self, optimizer: torch.optim.Optimizer, *, timeout_s: float = 600.0) -> int:
        """Comes in after a DroppedError; not collective: the others just train on.

        The lowest living rank hands over its weights, its optimizer's state and half of its mass,
        which leaves the weighted mean of the living as it was; all take this rank in at an agreed
        exchange. For a process that was silent, such as one that was stopped, and on the tcp
        transport for one that was started in place of a dead one.

        Args:
            optimizer: of this model's parameters; its state is replaced.
            timeout_s: seconds after which it gives up. A rank is taken in between two steps, so
                nobody answers while the others evaluate or have ended.

        Returns:
            The exchanged steps that the sponsor had made, now also this model's `steps`.

        Raises:
            ConfigurationError: this rank has not been dropped.
            DroppedError: no rank took it back in time.
            MismatchError: the others were started differently.
        """
        self.steps = self._participant.rejoin(optimizer, timeout_s)
        return self.steps

    def barrier(self) -> None:
        """Waits for all living ranks; collective. Exchanges under way are finished."""
        if self.world_size > 1:
            self._participant.meet()

    def close(self) -> None:
        """Ends the exchanges; collective. The model keeps this rank's own, un-averaged weights."""
        if self._closed:
            return
        self._closed = True
        unwatch_steps(self._after_step)
        self._participant.close()

    def _after_step(self, optimizer: torch.optim.Optimizer) -> None:
        if self._suspended or self._closed:
            return
        self.steps += 1
        outcome = self._participant.step(optimizer, self.steps)
        if outcome is not None:
            self.last_outcome = outcome
            for listener in self._listeners:
                listener(outcome)
        every = self._settings.average_every
        if every and self.steps % every == 0:
            self._participant.consensus(training=True)
