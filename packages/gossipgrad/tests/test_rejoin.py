"""A dropped rank comes back, and the weighted mean of the living does not notice."""

import threading
import time
from collections import deque

import pytest
import torch
from fleet import run_ranks
from torch import nn

from gossipgrad import GossipDataParallel
from gossipgrad.errors import ConfigurationError, DroppedError
from gossipgrad.transports import SimulatedNetwork

BEFORE, TOTAL = 5, 30
COUNT = 40


class Job:
    """Ranks of which one is dropped after step `BEFORE` and comes back while the others train."""

    def __init__(self, size, victim, **settings):
        self.size, self.victim, self.settings = size, victim, settings
        self.network = SimulatedNetwork(size)
        self.quiet = threading.Barrier(size)
        self.silenced = threading.Barrier(size)
        self.asked = threading.Event()

    def run(self):
        return run_ranks(self.size, self.body, self.network)

    def body(self, transport):
        rank = transport.rank
        inner = nn.Linear(COUNT, 1, bias=False).double()
        nn.init.constant_(inner.weight, rank)
        model = GossipDataParallel(
            inner, transport=transport, silence_s=0.4, broadcast=False, **self.settings
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
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
            self.network.silent.add(rank)
            self.silenced.wait()
            self.network.silent.discard(rank)
            model._participant.network.vigil._looked_at -= (
                60  # it was stopped, so it asks who still knows it
            )
            with pytest.raises(DroppedError, match=r"model\.rejoin"):
                deque(iter(step, None), maxlen=0)
            assert model.rejoin(optimizer, timeout_s=30) >= BEFORE
            before = None
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
@pytest.mark.parametrize("wire", ["fp32", "int8"])
def test_the_weighted_mean_is_conserved_and_all_end_equal(size, victim, topology, wire):
    job = Job(size, victim, mode="sync", topology=topology, wire=wire)
    before, moved, after, mass, end, living = zip(*job.run(), strict=True)
    expected = sum(one for one in before if one is not None) + sum(moved)
    assert (sum(after) - expected).abs().max() < 1e-12 * size
    assert sum(mass) == pytest.approx(size - 1, abs=1e-12)
    assert all(ranks == list(range(size)) for ranks in living)
    assert all(torch.equal(one, end[0]) for one in end)


@pytest.mark.parametrize("mode", ["sync", "overlap"])
def test_same_seed_same_bits_over_drop_and_return(mode):
    first, second = (Job(4, 2, mode=mode).run() for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one[2], two[2])
        assert one[3] == two[3]


@pytest.mark.parametrize(
    "settings", [{"mode": "async"}, {"exchange_momentum": True}, {"average_every": 6}]
)
def test_every_kind_of_exchange_takes_a_rank_back(settings):
    rows = Job(4, 3, **settings).run()
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
