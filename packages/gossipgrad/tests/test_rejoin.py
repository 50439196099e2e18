"""A dropped rank comes back, and the weighted mean of the living does not notice."""

import threading
import time
from collections import deque

import pytest
import torch
from fleet import run_ranks
from torch import nn

from gossipgrad import GossipDataParallel
from gossipgrad.errors import ConfigurationError, DroppedError, MismatchError
from gossipgrad.transports import SimulatedNetwork

BEFORE, TOTAL = 5, 30
COUNT = 40


class Job:
    """Ranks of which one drops out after step `BEFORE` and comes back while the others train.

    It was either silent for a while, or (`fresh`) it has died and another process takes its place.
    """

    def __init__(self, size, victim, *, fresh=False, **settings):
        self.size, self.victim, self.fresh, self.settings = size, victim, fresh, settings
        self.network = SimulatedNetwork(size)
        self.quiet = threading.Barrier(size)
        self.silenced = threading.Barrier(size)
        self.asked = threading.Event()

    def run(self):
        return run_ranks(self.size, self.body, self.network)

    def wrap(self, transport):
        inner = nn.Linear(COUNT, 1, bias=False).double()
        nn.init.constant_(inner.weight, transport.rank)
        model = GossipDataParallel(
            inner, transport=transport, silence_s=0.4, broadcast=False, **self.settings
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
        return inner, model, optimizer

    def body(self, transport):
        rank = transport.rank
        inner, model, optimizer = self.wrap(transport)
        draws = torch.Generator().manual_seed(rank)
        moved = torch.zeros(COUNT, dtype=torch.float64)

        def step():
            inputs = torch.randn(1, COUNT, generator=draws, dtype=torch.float64)
            optimizer.zero_grad()
            model(inputs).sum().backward()
            momentum = optimizer.state.get(inner.weight, {}).get("momentum_buffer")
            update = inner.weight.grad + (0.5 * momentum if momentum is not None else 0.0)
            mass = model.mass
            optimizer.step()
            return -0.01 * mass * update[0]

        for _ in range(BEFORE):
            step()
        if model._participant.averaging.open:
            model._participant.averaging.finish(0)
        self.quiet.wait()
        before = model.mass * inner.weight.detach()[0].clone()
        if rank == self.victim:
            before = None
            if self.fresh:
                self.network.kill(rank)
                self.silenced.wait()
                inner, model, optimizer = self.wrap(self.network.restart(rank))
            else:
                self.network.silent.add(rank)
                self.silenced.wait()
                self.network.silent.discard(rank)
                # It was stopped, so it asks who still knows it.
                model._participant.network.vigil._looked_at -= 60
            with pytest.raises(DroppedError, match=r"model\.rejoin"):
                deque(iter(step, None), maxlen=0)
            assert model.rejoin(optimizer, timeout_s=30) >= BEFORE
        else:
            with model._participant.lock:
                model._participant.network.vigil.note([self.victim])
            self.silenced.wait()
            while not self.asked.wait(1e-3):  # answers the victim, who asks for its frames
                with model._participant.lock:
                    model._participant.poll()
                if model._participant.network.returns.asked:
                    self.asked.set()
        while model._participant.averaging.begun < TOTAL:
            moved += step()
        if model._participant.averaging.open:
            model._participant.averaging.finish(0)
        after = model.mass * inner.weight.detach()[0]
        mass = model.mass
        model.consensus()
        model.close()
        return before, moved, after, mass, inner.weight.detach().clone(), model.living


@pytest.mark.parametrize(
    ("size", "victim", "topology"),
    [(3, 1, "auto"), (4, 0, "auto"), (5, 4, "exact"), (4, 2, "random"), (2, 1, "ring")],
)
@pytest.mark.parametrize(("wire", "fresh"), [("fp32", False), ("int8", False), ("bf16", True)])
def test_the_weighted_mean_is_conserved_and_all_end_equal(size, victim, topology, wire, fresh):
    job = Job(size, victim, fresh=fresh, mode="sync", topology=topology, wire=wire)
    before, moved, after, mass, end, living = zip(*job.run(), strict=True)
    expected = sum(one for one in before if one is not None) + sum(moved)
    assert (sum(after) - expected).abs().max() < 1e-12 * size
    assert sum(mass) == pytest.approx(size - 1, abs=1e-12)
    assert all(ranks == list(range(size)) for ranks in living)
    assert all(torch.equal(one, end[0]) for one in end)


@pytest.mark.parametrize(("mode", "fresh"), [("sync", False), ("overlap", False), ("sync", True)])
def test_same_seed_same_bits_over_drop_and_return(mode, fresh):
    first, second = (Job(4, 2, fresh=fresh, mode=mode).run() for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one[2], two[2])
        assert one[3] == two[3]


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(
    "settings", [{"mode": "async"}, {"exchange_momentum": True}, {"average_every": 6}]
)
def test_every_kind_of_exchange_takes_a_rank_back(settings, fresh):
    rows = Job(4, 3, fresh=fresh, **settings).run()
    assert all(row[5] == [0, 1, 2, 3] for row in rows)
    assert all(torch.equal(row[4], rows[0][4]) for row in rows)


def test_who_was_not_dropped_cannot_rejoin():
    model = GossipDataParallel(nn.Linear(2, 2), transport=SimulatedNetwork(1).transport(0))
    with pytest.raises(ConfigurationError, match="rank 0 has not been dropped"):
        model.rejoin(torch.optim.SGD(model.parameters(), lr=0.1))
    model.close()


def test_a_rank_that_nobody_takes_back_is_told_so():
    network = SimulatedNetwork(2)
    gone = threading.Event()

    def body(transport):
        model = GossipDataParallel(nn.Linear(2, 2), transport=transport, mode="sync")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        if transport.rank == 0:
            gone.set()
            return
        gone.wait()
        model._participant.network.vigil.dropped = True
        began = time.monotonic()
        with pytest.raises(DroppedError, match=r"no rank took rank 1 back within 0\.2 s"):
            model.rejoin(optimizer, timeout_s=0.2)
        assert time.monotonic() - began >= 0.2

    run_ranks(2, body, network)


class DeathError(Exception):
    """Ends a virtual rank's thread."""


class DoomedSponsor:
    """Rank 3 dies and is started anew; rank 0, its sponsor, dies at some moment of that."""

    def __init__(self, moment):
        self.moment = moment
        self.network = SimulatedNetwork(4)
        self.dead = threading.Event()
        self.finished = threading.Barrier(3)

    def die(self, *_):
        self.network.kill(0)
        raise DeathError

    def doom(self, returns):
        send, signal = returns._send_state, returns._signalling.send

        def send_and_die(rank, content):
            send(rank, content)
            self.die()

        def signal_and_die(peer, kind, **content):
            signal(peer, kind, **content)
            if kind == "admit":  # rank 1 hears it, rank 2 and the newcomer do not
                self.die()

        if self.moment == "asked":
            returns.sponsor = self.die
        elif self.moment == "agreed":
            returns._send_state = self.die
        elif self.moment == "sent":
            returns._send_state = send_and_die
        else:
            returns._signalling.send = signal_and_die

    def wrap(self, transport):
        model = GossipDataParallel(
            nn.Linear(COUNT, 1), transport=transport, silence_s=1.0, mode="sync"
        )
        model._participant.network.vigil.patience.observe(0.0, 0.01)
        return model, torch.optim.SGD(model.parameters(), lr=0.01)

    def body(self, transport):
        model, optimizer = self.wrap(transport)
        if transport.rank == 0:
            self.doom(model._participant.network.returns)
        steps = 0
        while steps < 6:
            if transport.rank == 3 and not transport.joins and model.steps == BEFORE:
                self.network.kill(3)
                transport = self.network.restart(3)
                model, optimizer = self.wrap(transport)
            optimizer.zero_grad()
            model(torch.ones(1, COUNT)).sum().backward()
            try:
                optimizer.step()
            except DroppedError:
                model.rejoin(optimizer, timeout_s=30)
            except DeathError:
                self.dead.set()
                return None
            steps += self.dead.is_set() and model.living == [1, 2, 3]
        model.consensus()
        weights = model.module.weight.detach().clone()
        self.finished.wait()
        model.close()
        return weights, model.living


@pytest.mark.parametrize("moment", ["asked", "agreed", "sent", "admitting"])
def test_a_sponsor_that_dies_while_it_admits_is_replaced(moment):
    job = DoomedSponsor(moment)
    rows = run_ranks(4, job.body, job.network)
    assert rows[0] is None
    assert all(living == [1, 2, 3] for _, living in rows[1:])
    assert all(torch.equal(weights, rows[1][0]) for weights, _ in rows[2:])


@pytest.mark.parametrize("mode", ["sync", "overlap", "async"])
def test_two_that_died_together_come_in_together(mode):
    network = SimulatedNetwork(5)
    both_dead = threading.Barrier(2)
    victims = (1, 4)

    def wrap(transport):
        model = GossipDataParallel(nn.Linear(COUNT, 1), transport=transport, mode=mode)
        return model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def body(transport):
        model, optimizer = wrap(transport)
        missed, whole = False, 0
        while whole < 10:
            if transport.rank in victims and not transport.joins and model.steps == BEFORE:
                network.kill(transport.rank)
                both_dead.wait()
                transport = network.restart(transport.rank)
                model, optimizer = wrap(transport)
                missed = True
            optimizer.zero_grad()
            model(torch.ones(1, COUNT)).sum().backward()
            try:
                optimizer.step()
            except DroppedError:
                model.rejoin(optimizer, timeout_s=30)
            missed = missed or not set(victims) <= set(model.living)
            whole += missed and model.living == [0, 1, 2, 3, 4]
            time.sleep(1e-3)
        model.consensus()
        weights = model.module.weight.detach().clone()
        model.close()
        return weights, model.living

    rows = run_ranks(5, body, network)
    assert all(living == [0, 1, 2, 3, 4] for _, living in rows)
    assert all(torch.equal(weights, rows[0][0]) for weights, _ in rows)


def test_a_newcomer_with_other_settings_is_told():
    network = SimulatedNetwork(2)
    done = threading.Event()

    def body(transport):
        model = GossipDataParallel(nn.Linear(2, 2), transport=transport, mode="sync")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def step():
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()

        step()
        if transport.rank == 0:
            while not done.is_set():
                step()
            return
        network.kill(1)
        model = GossipDataParallel(
            nn.Linear(2, 2), transport=network.restart(1), mode="sync", wire="fp32"
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        try:
            with pytest.raises(MismatchError, match="wire is 'fp32' on rank 1 and 'bf16' on rank"):
                model.rejoin(optimizer, timeout_s=30)
        finally:
            network.kill(1)
            done.set()

    run_ranks(2, body, network)
