"""One rank's part in the training: its exchanges, what all do together, going and coming back."""

from typing import Any

import torch
from torch import Tensor, nn

from gossipgrad.agreement import agree, compare
from gossipgrad.assembly import Assembly
from gossipgrad.averaging import Averaging, FreeAveraging, Network, PairedAveraging
from gossipgrad.belongings import pack, unpack
from gossipgrad.buckets import check_home, check_model, counters, exchanged_tensors, re_home, shapes
from gossipgrad.collectives import Collectives
from gossipgrad.consensus import Consensus, attempt, share
from gossipgrad.errors import ConfigurationError, DroppedError, PeerLostError
from gossipgrad.exchange import Outcome
from gossipgrad.membership import Membership, Patience
from gossipgrad.optimizer_state import exchanged_state
from gossipgrad.progress import Progress
from gossipgrad.returning import Returns
from gossipgrad.schedules import make_schedule
from gossipgrad.settings import Settings
from gossipgrad.signalling import Signalling
from gossipgrad.snapshots import Snapshots
from gossipgrad.transports import Channel, Transport
from gossipgrad.vigil import Vigil
from gossipgrad.wire import make_codec

_SILENCE_S = {"thread": 2.0, "none": 2.0, "hooks": 30.0}  # hooks cannot answer between two layers


class Participant:
    """A module, and the network it is averaged over.

    Args:
        module: its parameters become views into flat buckets.
        settings: what was asked for.
        transport: the network; the participant takes a channel of its own on it.

    Raises:
        ConfigurationError: a setting is not allowed, or the module has no parameters.

    Attributes:
        averaging: None until it is known what is averaged, and for good where one rank is alone.
        equal: whether all ranks' models are equal to the bit.
    """

    def __init__(self, module: nn.Module, settings: Settings, transport: Transport) -> None:
        self.module = module
        self.averaging: Averaging | None = None
        self.equal = False
        self._settings = settings
        self._codec = make_codec(settings.wire)
        channel = Channel(transport)
        self.transport: Transport = channel
        self.lock = channel.lock
        self._schedule = make_schedule(
            settings.topology, channel.size, settings.seed, rotate=settings.rotate
        )
        self._bucket_bytes = int(settings.bucket_mb * 1e6)
        self.buckets = re_home(exchanged_tensors(module), self._bucket_bytes)
        self._model_buckets = len(self.buckets)
        if not self.buckets:
            raise ConfigurationError("module has no parameters; there is nothing to average")
        kind = channel.driver if settings.driver == "auto" else settings.driver
        self.membership = Membership(channel.rank, channel.size)
        silence_s = _SILENCE_S[kind] if settings.silence_s is None else settings.silence_s
        vigil = Vigil(channel, self.membership, Signalling(channel), Patience(silence_s))
        returns = Returns(channel, vigil, self.lock)
        self.network = Network(channel, self._schedule, vigil, self.lock, returns)
        self._assembly = Assembly(channel, vigil)
        self._progress = Progress(self.poll, self.lock, kind)

    @property
    def begun(self) -> int:
        """Exchanges that this rank has begun."""
        return self.averaging.begun if self.averaging else 0

    @property
    def wire_bytes(self) -> int:
        """Bytes that one exchange sends."""
        return sum(64 + self._codec.nbytes(bucket.flat.numel()) for bucket in self.buckets)

    def begin(self, *, broadcast: bool) -> None:
        """Compares settings and models with the other ranks and takes rank 0's weights.

        Raises:
            MismatchError: the ranks were started differently.
        """
        if self.transport.size == 1:
            self.equal = True
            return
        if self.transport.joins:
            self.network.vigil.dropped = True
        else:
            together = Collectives(self.transport, range(self.transport.size))
            agree(self._says(), together)
            if broadcast:
                share(self._flats(), together)
        if not self._settings.exchange_momentum:
            self._build()

    def step(self, optimizer: torch.optim.Optimizer, steps: int) -> Outcome | None:
        """Settles the exchange under way and begins the next one, after a step of `optimizer`.

        Args:
            optimizer: has just changed the module's parameters.
            steps: exchanged steps so far, this one included.

        Returns:
            What became of the exchange that was settled, if one was.

        Raises:
            DroppedError: the others go on without this rank.
            ConfigurationError: the module has been moved since it was wrapped.
        """
        if self.transport.size == 1:
            return None
        self.equal = False
        averaging = self._prepared(optimizer)
        self.network.vigil.check_dropped()
        if isinstance(averaging, FreeAveraging):
            self._sponsor(averaging, optimizer, steps)
            return averaging.turn()
        outcome = averaging.finish(1) if averaging.open else None
        self._sponsor(averaging, optimizer, steps)
        averaging.begin()
        self._progress.wake()
        return averaging.finish(0) if self._settings.mode == "sync" else outcome

    def consensus(self, *, training: bool = False) -> Consensus:
        """Makes all living ranks' models equal to the bit; collective.

        Args:
            training: whether this rank trains on afterwards. Ranks that do not are averaged again
                as often as it comes back, until none trains: then all end with the same model.

        Raises:
            DroppedError: the others go on without this rank.
            ConfigurationError: the module's tensors are not those that were wrapped.
            NonFiniteError: one holds NaN or infinite values.
        """
        if self.equal or self.transport.size == 1:
            return Consensus(0, 0)
        check_model(self.buckets, self.module)
        for bucket in self.buckets:
            bucket.check_finite(f"on rank {self.transport.rank} before a consensus")
        while (found := self._mean_of_all(training)) is None:
            pass
        self.equal = not training
        return found

    def _mean_of_all(self, training: bool) -> Consensus | None:
        """Takes the mean; returns None if this rank is to take part in another one."""
        together = self.meet()
        mass = self.averaging.mass if self.averaging else 1.0
        found = attempt(self._flats(), counters(self.module), mass, together, training=training)
        if not self._all_still_here(together) or found is None:
            return None
        means, report, some_train_on = found
        for flat, mean in zip(self._flats(), means, strict=True):
            flat.copy_(mean)
        if self.averaging is not None:
            self.averaging.equalise()
        return report if training or not some_train_on else None

    def _all_still_here(self, together: Collectives) -> bool:
        """Says whether nobody died; who was through before a death hears of it only here."""
        averaging = self.averaging
        if averaging is None:
            return True

        def wait() -> None:  # a fast rank's next exchange is answered once the mean is in place
            with self.lock:
                averaging.poll()

        return self._assembly.meet(averaging.standing, wait).ranks == together.ranks

    def meet(self) -> Collectives:
        """Brings all living ranks to one point, exchanges under way finished; collective.

        Raises:
            DroppedError: the others go on without this rank.
        """
        self.network.vigil.check_dropped()
        averaging = self.averaging
        if averaging is None:
            together = Collectives(self.transport, range(self.transport.size), 1)
            together.largest(0.0)  # a barrier: nobody has exchanged anything yet
            return together
        meeting = self._assembly.meet(averaging.standing, averaging.serve)
        averaging.catch_up(meeting.steps)
        with self.lock:
            version_before = self.membership.version

        def watch() -> None:
            with self.lock:
                averaging.poll()
                if self.membership.version != version_before:
                    raise PeerLostError(-1)

        return Collectives(self.transport, meeting.ranks, meeting.generation, watch)

    def start_afresh(self) -> None:
        """Prepares for a state that is about to be loaded on all ranks alike; collective."""
        if self.transport.size > 1:
            self.meet()
        if self.averaging is None:
            return
        self.averaging.equalise()
        if self._settings.exchange_momentum:
            # The optimizer's state is about to be replaced; the next step finds it again.
            self.averaging.abandon()
            self.averaging = None
            self.buckets = self.buckets[: self._model_buckets]

    def rejoin(self, optimizer: torch.optim.Optimizer, timeout_s: float) -> int:
        """Takes over a living rank's state and part of its mass; returns its exchanged steps.

        Raises:
            ConfigurationError: this rank has not been dropped.
            DroppedError: no rank took it back in time.
            MismatchError: the others were started differently.
        """
        vigil, averaging, rank = self.network.vigil, self.averaging, self.transport.rank
        if not vigil.dropped or averaging is None:
            raise ConfigurationError(f"rank {rank} has not been dropped; it cannot rejoin")
        with self.lock:
            averaging.suspend()
        content = self.network.returns.come_back(timeout_s)
        if content is None:
            raise DroppedError(f"no rank took rank {rank} back within {timeout_s:g} s")
        books = unpack(content, self.module, optimizer, lambda says: compare(self._says(), says))
        with self.lock:
            self.membership.restore(books["membership"], books["step"], books["incarnation"])
            for other in self.network.returns.welcomed_meanwhile():
                self.membership.welcome(*other)
            averaging.restart(books["step"], books["mass"])
            self._assembly.generation = books["generation"]
            vigil.readmit(books["step"])
        self.equal = False
        steps: int = books["steps"]
        return steps

    def close(self) -> None:
        """Ends the exchanges; collective."""
        if self.transport.size > 1:
            self.meet()
        self._progress.stop()
        if self.averaging is not None:
            self.averaging.abandon()

    def poll(self) -> bool:
        """Drives the network; returns whether nothing is under way."""
        return self.averaging is None or self.averaging.poll()

    def _says(self) -> dict[str, Any]:
        model = shapes(self.buckets[: self._model_buckets])
        return {"rank": self.transport.rank, "about": {**self._settings.shared(), "model": model}}

    def _prepared(self, optimizer: torch.optim.Optimizer) -> Averaging:
        if self.averaging is None:
            self.buckets += re_home(exchanged_state(optimizer, self.module), self._bucket_bytes)
            self._build()
        if self._progress.error is not None:
            raise self._progress.error
        check_home(self.buckets)
        assert self.averaging is not None  # noqa: S101 - just built
        return self.averaging

    def _build(self) -> None:
        snapshots = Snapshots(self.buckets, self._codec, self.transport)
        mode = self._settings.mode
        if mode == "async":
            self.averaging = FreeAveraging(snapshots, self.network, self._settings.max_delay)
        else:
            self.averaging = PairedAveraging(snapshots, self.network, paper=mode == "paper")
        self._progress.start(self.module)

    def _sponsor(self, averaging: Averaging, optimizer: torch.optim.Optimizer, steps: int) -> None:
        returns = self.network.returns
        while returns.asked:
            portion = averaging.portion

            def state(step: int, incarnation: int, portion: float = portion) -> bytes:
                return pack(
                    self.module,
                    optimizer,
                    self._says(),
                    {"step": step, "incarnation": incarnation, "mass": portion,
                     # This step may yet end with a periodic average, which all go to.
                     "steps": steps - 1, "generation": self._assembly.generation,
                     "membership": self.membership.state()},
                )  # fmt: skip

            if returns.sponsor(averaging.begun + self._schedule.sweep + 1, state) is not None:
                averaging.mass -= portion

    def _flats(self) -> list[Tensor]:
        return [bucket.flat for bucket in self.buckets]
