"""The mean is conserved: under any schedule, delay, share, wire precision and loss of messages."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossipgrad.buckets import Bucket
from gossipgrad.rule import Portion, average_late, settle
from gossipgrad.schedules import live_turn, make_schedule
from gossipgrad.wire import WIRES, make_codec

COUNT = 300


class Replica:
    def __init__(self, rank, codec):
        generator = torch.Generator().manual_seed(rank)
        flat = torch.randn(COUNT, generator=generator, dtype=torch.float64)
        self.buckets = [Bucket(flat, ())]
        self.codec = codec
        self.mass = 1.0

    @property
    def weighted(self):
        return self.mass * self.buckets[0].flat

    def portion(self, share):
        payload = torch.zeros(self.codec.nbytes(COUNT), dtype=torch.uint8)
        self.codec.encode(self.buckets[0].flat, payload, None)
        return Portion(self.mass * share, [payload])

    def settle(self, given, taken):
        self.mass = settle(self.buckets, self.codec, self.mass, given, taken)


def total(replicas):
    return sum(replica.weighted for replica in replicas)


@given(
    size=st.integers(2, 9),
    topology=st.sampled_from(["auto", "ring", "random", "exact"]),
    wire=st.sampled_from(WIRES),
    delay=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_the_mean_moves_exactly_as_the_mean_of_the_updates(size, topology, wire, delay, seed):
    schedule = make_schedule(topology, size, seed)
    replicas = [Replica(rank, make_codec(wire)) for rank in range(size)]
    updates = torch.Generator().manual_seed(seed)
    under_way = []
    expected = total(replicas)
    for step in range(12):
        turns = [schedule.turn(rank, step) for rank in range(size)]
        # A rank with older exchanges under way gives away a share of what it has left.
        given = [
            replica.portion(0.5 ** (delay + 1) if turn.destination != rank else 0.0)
            for rank, (replica, turn) in enumerate(zip(replicas, turns, strict=True))
        ]
        under_way.append((turns, given))
        for replica in replicas:
            update = 0.1 * torch.randn(COUNT, generator=updates, dtype=torch.float64)
            replica.buckets[0].flat.add_(update)
            expected = expected + replica.mass * update
        if len(under_way) > delay:
            turns, given = under_way.pop(0)
            for rank, replica in enumerate(replicas):
                if turns[rank].destination != rank:
                    replica.settle([given[rank]], [given[turns[rank].source]])
        assert (total(replicas) - expected).abs().max() < 1e-12 * size
    assert sum(replica.mass for replica in replicas) == pytest.approx(size, abs=1e-12)


@given(
    size=st.integers(3, 9),
    wire=st.sampled_from(WIRES),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_what_survivors_hold_and_what_died_with_a_rank_add_up(size, wire, seed, data):
    """A rank dies in mid-exchange: messages from and to it carry their mass over, or away."""
    schedule = make_schedule("auto", size, seed)
    replicas = [Replica(rank, make_codec(wire)) for rank in range(size)]
    dead = set()
    for step in range(8):
        turns = {
            rank: live_turn(schedule, rank, step, dead) for rank in range(size) if rank not in dead
        }
        given = {rank: replicas[rank].portion(0.5) for rank in turns}
        dying = data.draw(st.sampled_from([None, *turns])) if len(turns) > 2 else None
        before = sum(replicas[rank].weighted for rank in turns if rank != dying)
        came_out = taken_away = torch.zeros(COUNT, dtype=torch.float64)
        for rank, turn in turns.items():
            if rank in {dying, turn.destination}:
                continue
            delivered = turn.destination != dying or data.draw(st.booleans())
            arrived = turn.source != dying or data.draw(st.booleans())
            value = torch.empty(COUNT, dtype=torch.float64)
            if delivered and turn.destination == dying:
                portion = given[rank]
                decoded = replicas[rank].codec.decode(portion.payloads[0], 0, value)
                taken_away = taken_away + portion.mass * decoded
            if arrived and turn.source == dying:
                portion = given[turn.source]
                decoded = replicas[rank].codec.decode(portion.payloads[0], 0, value)
                came_out = came_out + portion.mass * decoded
            replicas[rank].settle(
                [given[rank]] if delivered else [], [given[turn.source]] if arrived else []
            )
        after = sum(replicas[rank].weighted for rank in turns if rank != dying)
        assert (after - (before - taken_away + came_out)).abs().max() < 1e-12 * size
        if dying is not None:
            dead.add(dying)


def test_a_plain_exchange_is_the_delta_corrected_average():
    one, two = Replica(1, make_codec("fp32")), Replica(2, make_codec("fp32"))
    x, mine, theirs = one.buckets[0].flat.clone(), one.portion(0.5), two.portion(0.5)
    sent = make_codec("fp32").decode(mine.payloads[0], 0, torch.empty_like(x))
    got = make_codec("fp32").decode(theirs.payloads[0], 0, torch.empty_like(x))
    update = torch.ones(COUNT, dtype=torch.float64)
    one.buckets[0].flat.add_(update)
    one.settle([mine], [theirs])
    torch.testing.assert_close(one.buckets[0].flat, x + update + (got - sent) / 2)
    assert one.mass == 1.0


def test_the_authors_delayed_rule_loses_half_of_every_update():
    one, two = Replica(1, make_codec("fp32")), Replica(1, make_codec("fp32"))
    before = one.buckets[0].flat.clone()
    taken = {one: two.portion(0.5), two: one.portion(0.5)}
    for replica, portion in taken.items():
        replica.buckets[0].flat.add_(1.0)
        average_late(replica.buckets, replica.codec, portion)
    torch.testing.assert_close(one.buckets[0].flat, before + 0.5, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_settling_in_low_precision_stays_close_to_the_formula(dtype):
    codec = make_codec("fp32")
    flat = torch.randn(70_000).to(dtype)
    buckets = [Bucket(flat.clone(), ())]
    other = torch.randn(70_000).to(dtype)
    payloads = []
    for values in (flat, other):
        payload = torch.zeros(codec.nbytes(len(values)), dtype=torch.uint8)
        codec.encode(values, payload, None)
        payloads.append([payload])
    settle(buckets, codec, 1.0, [Portion(0.5, payloads[0])], [Portion(0.5, payloads[1])])
    torch.testing.assert_close(buckets[0].flat, ((flat.double() + other.double()) / 2).to(dtype))
