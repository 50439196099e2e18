"""Keeping one rank's model near the others': snapshot, exchange, settle.

Two ways, one interface. `PairedAveraging` meets its partners step by step (modes sync, overlap and
paper) and is repeatable bit by bit; `FreeAveraging` takes what has come (mode async).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from gossipgrad.assembly import Standing
from gossipgrad.exchange import FreeExchange, Outcome, PairedExchange
from gossipgrad.progress import Nap
from gossipgrad.returning import Returns
from gossipgrad.rule import Portion, average_late, sampled_distance, settle
from gossipgrad.schedules import Schedule
from gossipgrad.snapshots import Snapshots
from gossipgrad.transports import Transport
from gossipgrad.vigil import Vigil


@dataclass(frozen=True, slots=True)
class Network:
    """What an averaging needs of the outside.

    Attributes:
        transport: the network.
        schedule: who with whom.
        vigil: who is alive, and how that is found out.
        lock: held by whoever touches the network.
        returns: how dropped ranks come back.
    """

    transport: Transport
    schedule: Schedule
    vigil: Vigil
    lock: threading.RLock
    returns: Returns


class PairedAveraging:
    """Averages with the schedule's partners of each step.

    Args:
        snapshots: the model and its codec.
        network: the outside.
        paper: whether to average as the authors' delayed solvers do.
    """

    def __init__(self, snapshots: Snapshots, network: Network, *, paper: bool = False) -> None:
        self.mass = 1.0
        self._snapshots = snapshots
        self._network = network
        self._paper = paper
        self._finished_at = time.monotonic()
        self.begun = 0
        self.exchange = PairedExchange(
            network.transport,
            network.schedule,
            network.vigil,
            snapshots.make_frames,
        )
        self.open = False

    def begin(self) -> None:
        """Takes a snapshot and starts to exchange it."""
        with self._network.lock:
            self._wait_for_sponsor()
            where = f"on rank {self._network.transport.rank} before exchange {self.begun}"
            packed = self._snapshots.pack(self.exchange.outgoing, where)
            self.exchange.post(self.begun, self.mass, packed)
            self.begun += 1
            self.open = True

    def _wait_for_sponsor(self) -> None:
        began, nap = time.monotonic(), self._make_nap()
        while (sponsor := self._network.returns.holds(self.begun)) is not None:
            self.exchange.poll()
            self._network.vigil.watch([sponsor], began)
            nap()

    def _make_nap(self) -> Callable[[], None]:
        lock, nap = self._network.lock, Nap()

        def release_and_nap() -> None:
            lock.release()
            try:
                nap()
            finally:
                lock.acquire()

        return release_and_nap

    def finish(self, staleness: int) -> Outcome:
        """Waits for the exchange and settles it with the present weights.

        Args:
            staleness: local steps since `begin`.
        """
        exchange, network = self.exchange, self._network
        with network.lock:
            exposed_s = exchange.wait(self._make_nap())
            outcome = self._settle(exposed_s, staleness)
        now = time.monotonic()
        network.vigil.patience.observe(exposed_s, now - self._finished_at)
        self._finished_at = now
        return outcome

    def _settle(self, exposed_s: float, staleness: int) -> Outcome:
        exchange = self.exchange
        turn, arrived = exchange.turn, exchange.arrived
        taken = [Portion(arrived.mass, exchange.incoming.payloads)] if arrived else []
        given_mass = self.mass * turn.share
        given = [Portion(given_mass, exchange.outgoing.payloads)] if exchange.delivered else []
        snapshots = self._snapshots
        distance = None
        if taken:
            distance = sampled_distance(
                snapshots.buckets,
                snapshots.codec,
                exchange.outgoing.payloads,
                exchange.incoming.payloads,
            )
        if not self._paper:
            self.mass = settle(snapshots.buckets, snapshots.codec, self.mass, given, taken)
        elif taken:
            average_late(snapshots.buckets, snapshots.codec, taken[0])
        exchange.close()
        self.open = False
        return Outcome(
            step=exchange.step,
            destination=turn.destination if exchange.delivered else None,
            source=arrived.sender if arrived else None,
            sent_bytes=exchange.outgoing.nbytes if exchange.delivered else 0,
            exposed_s=exposed_s,
            staleness=staleness,
            distance=distance,
            lost=exchange.was_lost,
        )

    def poll(self) -> bool:
        """Drives the network; returns whether nothing is under way."""
        return self.exchange.poll()

    def standing(self) -> Standing:
        """Returns how far this rank is."""
        return Standing(self.begun)

    def serve(self) -> None:
        """Goes on exchanging, without training, as long as late ranks ask for it."""
        with self._network.lock:
            settled = self.exchange.poll()
            asked = self.exchange.is_asked_for(self.begun)
        if settled and self.open:
            self.finish(0)
        if not self.open and asked:
            self.begin()

    def catch_up(self, steps: int) -> None:
        """Exchanges until `steps` exchanges have been begun, and finishes the last."""
        if self.open:
            self.finish(0)
        while self.begun < steps:
            self.begin()
            self.finish(0)

    def equalise(self) -> None:
        """Starts afresh from equal weights, as after a consensus."""
        self.mass = 1.0
        for residual in self._snapshots.residuals or ():
            residual.zero_()

    @property
    def portion(self) -> float:
        """The mass that a returning rank takes over with a copy of the weights."""
        return 0.0 if self._paper else 0.5 * self.mass

    def suspend(self) -> None:
        """Gives up the exchange under way until `restart`."""
        self.abandon()

    def restart(self, step: int, mass: float) -> None:
        """Begins anew at `step` with another rank's weights and this mass of it."""
        self.equalise()
        self.exchange.forget()
        self.begun, self.mass = step, mass or 1.0
        self._finished_at = time.monotonic()

    def abandon(self) -> None:
        """Gives up what is under way."""
        self.exchange.abandon()
        self.open = False


class FreeAveraging:
    """Averages with whatever has arrived; never waits.

    Args:
        snapshots: the model and its codec.
        network: the outside.
        max_delay: steps after which given mass is settled alone.
    """

    def __init__(self, snapshots: Snapshots, network: Network, max_delay: int) -> None:
        self.mass = 1.0
        self.begun = 0
        self.open = False
        self._snapshots = snapshots
        self._network = network
        self.exchange = FreeExchange(
            network.transport,
            network.schedule,
            network.vigil,
            max_delay,
            snapshots.make_frames,
        )

    def turn(self) -> Outcome:
        """Settles what has arrived and sends a snapshot if its destination is ready for one."""
        with self._network.lock:
            began = time.monotonic()
            oldest, sources = self._absorb(everything=False)
            destination, sent_bytes = None, 0
            frames = self.exchange.slot(self.begun)
            if frames is not None:
                where = f"on rank {self._network.transport.rank} before exchange {self.begun}"
                if self._snapshots.pack(frames, where) is not None:
                    torch.cuda.synchronize()
                destination = self.exchange.send(frames, 0.5 * (self.mass - self.exchange.debt))
                sent_bytes = frames.memory.numel() if destination is not None else 0
            self.begun += 1
        return Outcome(
            step=self.begun - 1,
            destination=destination,
            source=sources[-1] if sources else None,
            sent_bytes=sent_bytes,
            exposed_s=time.monotonic() - began,
            staleness=oldest,
        )

    def _absorb(self, *, everything: bool) -> tuple[int, list[int]]:
        snapshots = self._snapshots
        harvest = self.exchange.harvest(self.begun, everything=everything)
        self.mass = settle(
            snapshots.buckets, snapshots.codec, self.mass, harvest.given, harvest.taken
        )
        self.exchange.release()
        return harvest.oldest, harvest.sources

    def poll(self) -> bool:
        """Drives the network; returns False, since something may come at any time."""
        self.exchange.poll()
        return False

    def standing(self) -> Standing:
        """Returns how far this rank is; unequal sums of sent and received mean mass in flight."""
        return Standing(self.begun, self.exchange.sent, self.exchange.received)

    def serve(self) -> None:
        """Takes in what still arrives."""
        with self._network.lock:
            self.poll()
            self._absorb(everything=False)

    def catch_up(self, steps: int) -> None:
        """Settles all debts and continues at `steps`."""
        with self._network.lock:
            self._absorb(everything=True)
        self.begun = max(self.begun, steps)

    def equalise(self) -> None:
        """Starts afresh from equal weights, as after a consensus."""
        self.mass = 1.0
        for residual in self._snapshots.residuals or ():
            residual.zero_()

    @property
    def portion(self) -> float:
        """The mass that a returning rank takes over with a copy of the weights."""
        return 0.5 * (self.mass - self.exchange.debt)

    def suspend(self) -> None:
        """Does nothing: what still arrives carries mass that counts."""

    def restart(self, step: int, mass: float) -> None:
        """Begins anew at `step` with another rank's weights and this mass of it."""
        self.equalise()
        self.exchange.forgive()
        self.begun, self.mass = step, mass

    def abandon(self) -> None:
        """Gives up what is under way."""
        self.exchange.abandon()


Averaging = PairedAveraging | FreeAveraging
