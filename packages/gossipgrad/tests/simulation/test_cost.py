"""The costs against all-reduces carried out message by message, and against published ratios."""

import numpy as np
import pytest

from gossipgrad.errors import ConfigurationError
from gossipgrad.simulation import cost
from gossipgrad.simulation.network import NETWORKS, Network

LENET, RESNET = 1.7e6, 102e6


class Counted:
    """Ranks that exchange pieces of vectors; counts rounds and what the busiest rank sends."""

    def __init__(self, ranks: int, length: int) -> None:
        self.vectors = np.random.default_rng(0).integers(0, 9, (ranks, length)).astype(float)
        self.total = self.vectors.sum(axis=0)
        self.rounds = 0
        self.sent = np.zeros(ranks)

    def round(self, messages: list[tuple[int, int, np.ndarray]], *, add: bool) -> None:
        """Delivers (source, destination, places) all at once, adding or overwriting."""
        before = self.vectors.copy()
        for source, destination, places in messages:
            self.sent[source] += len(places) / self.vectors.shape[1]
            if add:
                self.vectors[destination, places] += before[source, places]
            else:
                self.vectors[destination, places] = before[source, places]
        self.rounds += 1


def ring_by_hand(ranks: int) -> Counted:
    job = Counted(ranks, 60 * ranks)
    pieces = np.split(np.arange(60 * ranks), ranks)
    for phase in range(2):
        for step in range(ranks - 1):
            moved = [(r, (r + 1) % ranks, pieces[(r - step + phase) % ranks]) for r in range(ranks)]
            job.round(moved, add=phase == 0)
    return job


def doubling_by_hand(ranks: int) -> Counted:
    job = Counted(ranks, 64)
    whole = np.arange(64)
    for k in range(ranks.bit_length() - 1):
        job.round([(r, r ^ (1 << k), whole) for r in range(ranks)], add=True)
    return job


def rabenseifner_by_hand(ranks: int) -> Counted:
    length = 8 * ranks
    job = Counted(ranks, length)
    held = [np.arange(length) for _ in range(ranks)]
    bits = ranks.bit_length() - 1
    for k in range(bits):  # halve, each keeping the half that its bit names
        moved, kept = [], []
        for r in range(ranks):
            halves = np.split(held[r], 2)
            mine = r >> k & 1
            moved.append((r, r ^ (1 << k), halves[1 - mine]))
            kept.append(halves[mine])
        job.round(moved, add=True)
        held = kept
    for k in reversed(range(bits)):
        job.round([(r, r ^ (1 << k), held[r]) for r in range(ranks)], add=False)
        held = [np.union1d(held[r], held[r ^ (1 << k)]) for r in range(ranks)]
    return job


@pytest.mark.parametrize(
    ("by_hand", "modelled", "sizes"),
    [
        (ring_by_hand, cost.ring, (2, 3, 4, 7)),
        (doubling_by_hand, cost.recursive_doubling, (2, 4, 8, 16)),
        (rabenseifner_by_hand, cost.rabenseifner, (2, 4, 8, 16)),
    ],
)
def test_model_counts_what_the_algorithm_does(by_hand, modelled, sizes) -> None:
    for ranks in sizes:
        job = by_hand(ranks)
        np.testing.assert_array_equal(job.vectors, np.tile(job.total, (ranks, 1)))
        expected = modelled(ranks)
        assert job.rounds == expected.rounds
        assert job.sent.max() == pytest.approx(expected.models_sent)


def published(figure: float) -> dict[str, float]:
    """Returns how near a figure must come to one that was printed with two digits."""
    return {"rel": 0.02, "abs": 0.5 if figure >= 10 else 0.05}


@pytest.mark.parametrize(
    ("network", "size", "ranks", "ring", "rabenseifner"),
    [
        ("infiniband", LENET, 8, 1.9, 1.8),
        ("infiniband", LENET, 128, 5.6, 2.2),
        ("infiniband", LENET, 1024, 32, 2.3),
        ("infiniband", RESNET, 8, 1.75, 1.75),
        ("infiniband", RESNET, 1024, 2.5, 2.0),
        ("ethernet-1g", LENET, 128, 18, 2.8),
        ("ethernet-1g", RESNET, 1024, 4.4, 2.0),
        ("wan", RESNET, 8, 1.8, 1.8),
        ("wan", RESNET, 1024, 14, 2.1),
    ],
)
def test_all_reduce_over_gossip_as_published(network, size, ranks, ring, rabenseifner) -> None:
    link = NETWORKS[network]
    gossip = cost.gossip(ranks).seconds(link, size)
    assert cost.ring(ranks).seconds(link, size) / gossip == pytest.approx(ring, **published(ring))
    ratio = cost.rabenseifner(ranks).seconds(link, size) / gossip
    assert ratio == pytest.approx(rabenseifner, **published(rabenseifner))


@pytest.mark.parametrize(("ranks", "ratio"), [(8, 3), (128, 7), (1024, 10), (1 << 20, 20)])
def test_log_p_to_one_holds_against_recursive_doubling(ranks: int, ratio: float) -> None:
    link = NETWORKS["infiniband"]
    doubling = cost.recursive_doubling(ranks).seconds(link, RESNET)
    assert doubling / cost.gossip(ranks).seconds(link, RESNET) == pytest.approx(ratio)


def test_unbucketed_tensors_pay_their_latencies() -> None:
    link = NETWORKS["ethernet-1g"]
    for ranks, published in ((8, 4.4), (128, 50), (1024, 386)):
        each = cost.ring(ranks).seconds(link, RESNET, messages=161)
        assert each / cost.gossip(ranks).seconds(link, RESNET) == pytest.approx(published, rel=0.03)


@pytest.mark.parametrize("ranks", [3, 5, 6, 7, 12, 1000])
def test_other_sizes_cost_no_less_than_the_power_below(ranks: int) -> None:
    below = 1 << ranks.bit_length() - 1
    for of in cost.ALL_REDUCE.values():
        assert of(ranks).models_in_turn >= of(below).models_in_turn
        assert of(ranks).rounds >= of(below).rounds


def test_one_rank_sends_nothing() -> None:
    for of in (cost.gossip, *cost.ALL_REDUCE.values()):
        assert of(1).bytes_sent(RESNET) == 0


@pytest.mark.parametrize(("alpha", "beta"), [(-1, 1e-9), (float("nan"), 1e-9), (0, 0), (0, -1)])
def test_impossible_networks_are_refused(alpha: float, beta: float) -> None:
    with pytest.raises(ConfigurationError, match="allowed"):
        Network("odd", alpha, beta)
