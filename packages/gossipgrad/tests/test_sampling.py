from itertools import chain

import pytest
import torch
from fleet import run_ranks
from hypothesis import given
from hypothesis import strategies as st

from gossipgrad.errors import ConfigurationError
from gossipgrad.sampling import GossipDataLoader, GossipSampler


@given(st.integers(1, 8), st.integers(8, 100), st.integers(0, 99), st.integers(0, 20))
def test_shards_are_disjoint_equal_and_each_rank_sees_all_in_p_epochs(ranks, count, seed, epoch):
    samplers = [GossipSampler(range(count), rank, ranks, seed) for rank in range(ranks)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    passes = [list(sampler) for sampler in samplers]
    used = [index for one in passes for index in one]
    assert len(set(used)) == len(used) == count // ranks * ranks
    assert {len(one) for one in passes} == {count // ranks}
    everything = {index for _ in range(ranks) for index in samplers[0]}
    assert everything == set(used)


def test_same_seed_same_order_and_another_epoch_another():
    one, two = GossipSampler(range(40), 1, 2, 5), GossipSampler(range(40), 1, 2, 5)
    assert list(one) == list(two)
    fixed = GossipSampler(range(40), 1, 2, 5, ring_shuffle=False)
    first, second = list(fixed), list(fixed)
    assert first != second
    assert sorted(first) == sorted(second)


@pytest.mark.parametrize("seed", [2**31 - 1, 1_764_376_000, 2**64, -3])
def test_any_whole_number_is_a_seed(seed):
    assert sorted(GossipSampler(range(8), 0, 1, seed)) == list(range(8))


def test_samples_travel_round_the_ring_and_none_is_lost():
    def body(transport):
        samples = torch.arange(20).reshape(10, 2) + 100 * transport.rank
        loader = GossipDataLoader(samples, samples[:, 0], 5, transport=transport)
        for _ in range(2):
            for batch, targets in loader:
                assert torch.equal(batch[:, 0], targets)
        loader.finish()
        return loader.samples[:, 0].tolist()

    held = run_ranks(3, body)
    assert sorted(chain.from_iterable(held)) == [
        100 * rank + 2 * row for rank in range(3) for row in range(10)
    ]
    assert {value // 100 for value in held[0]} == {2}  # two passes, two ranks on


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: GossipSampler(range(3), 0, 4), "data has 3 samples, fewer than the 4 ranks"),
        (lambda: GossipSampler(range(9), 4, 4), "rank is 4; allowed with 4 ranks: 0 to 3"),
        (lambda: GossipDataLoader(torch.ones(3), torch.ones(2), 1), "3 rows and targets 2"),
        (lambda: GossipDataLoader(torch.ones(3), torch.ones(3), 4), "batch_size is 4"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ConfigurationError, match=words):
        call()
