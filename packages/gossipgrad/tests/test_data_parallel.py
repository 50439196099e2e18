"""Training by gossip over virtual ranks: the real wrapper, rule and exchange on threads."""

import copy
import sys
import threading
from collections import Counter

import pytest
import torch
from fleet import run_ranks
from torch import nn
from torch.nn.functional import cross_entropy

from gossipgrad import GossipDataParallel
from gossipgrad.collectives import Collectives
from gossipgrad.errors import ConfigurationError, MismatchError, NonFiniteError
from gossipgrad.transports import SimulatedNetwork

_one_at_a_time = threading.Lock()


def network(seed=0):
    with _one_at_a_time:  # torch's generator is shared by the threads
        return build(seed)


def build(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))


def batches(rank, steps):
    generator = torch.Generator().manual_seed(rank)
    for _ in range(steps):
        inputs = torch.randn(8, 6, generator=generator)
        yield inputs, inputs[:, :3].argmax(1)


def train(model, optimizer, steps, rank=None):
    for inputs, targets in batches(model.rank if rank is None else rank, steps):
        optimizer.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        optimizer.step()


def weights(model):
    return torch.cat([value.detach().flatten().double() for value in model.parameters()])


def sgd(model, rate=0.05):
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)


@pytest.mark.parametrize("mode", ["sync", "overlap", "async"])
@pytest.mark.parametrize(
    ("size", "topology"), [(2, "hypercube"), (3, "auto"), (5, "exact"), (4, "random"), (3, "ring")]
)
def test_all_ranks_learn_and_end_with_the_same_bits(mode, size, topology):
    def body(transport):
        model = GossipDataParallel(
            network(transport.rank), transport=transport, mode=mode, topology=topology
        )
        train(model, sgd(model), 40)
        report = model.consensus()
        inputs, targets = next(iter(batches(99, 1)))
        loss = cross_entropy(model(inputs), targets).item()
        state = model.state_dict()
        model.close()
        return state, report, loss

    states, reports, losses = zip(*run_ranks(size, body), strict=True)
    for state in states[1:]:
        assert all(torch.equal(state[name], states[0][name]) for name in states[0])
    assert reports[0].exchanges <= 1.1 * (size - 1).bit_length()
    assert max(losses) < 0.9


@pytest.mark.parametrize("mode", ["sync", "overlap"])
def test_the_mean_of_all_ranks_moves_as_the_mean_of_their_updates(mode):
    """Constant gradients: each rank moves by a known step, so the mean's end is known, too."""
    size, steps = 3, 7

    def body(transport):
        model = nn.Linear(4, 1, bias=False).double()
        nn.init.ones_(model.weight)
        gossip = GossipDataParallel(model, transport=transport, mode=mode, wire="bf16")
        optimizer = torch.optim.SGD(gossip.parameters(), lr=0.1)
        for _ in range(steps):
            optimizer.zero_grad()
            (gossip(torch.full((1, 4), transport.rank + 1.0, dtype=torch.float64))).sum().backward()
            optimizer.step()
        gossip.consensus()
        gossip.close()
        return model.weight.detach().clone()

    for weight in run_ranks(size, body):
        expected = 1 - 0.1 * steps * 2.0
        torch.testing.assert_close(weight, torch.full_like(weight, expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", ["sync", "overlap", "paper"])
@pytest.mark.parametrize("wire", ["fp32", "bf16", "int8"])
def test_same_seed_same_bits(mode, wire):
    def body(transport):
        model = GossipDataParallel(network(), transport=transport, mode=mode, wire=wire)
        train(model, sgd(model), 9)
        model.close()
        return weights(model)

    first, second = run_ranks(3, body), run_ranks(3, body)
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


def test_one_rank_trains_as_without_the_wrapper():
    plain, wrapped = (
        network(),
        GossipDataParallel(network(), transport=SimulatedNetwork(1).transport(0)),
    )
    train(wrapped, sgd(wrapped), 10)
    optimizer = sgd(plain)
    for inputs, targets in batches(0, 10):
        optimizer.zero_grad()
        cross_entropy(plain(inputs), targets).backward()
        optimizer.step()
    assert torch.equal(weights(plain), weights(wrapped))
    assert wrapped.steps == 10
    wrapped.close()


def test_clipping_accumulation_groups_unused_and_frozen_parameters_work_together():
    def body(transport):
        inner = network()
        inner.unused = nn.Linear(2, 2)
        inner[0].bias.requires_grad_(False)
        forward = nn.Sequential(*list(inner)[:4])
        inner.forward = forward.forward
        model = GossipDataParallel(inner, transport=transport, mode="sync", wire="fp32")
        optimizer = torch.optim.AdamW(
            [{"params": inner[0].parameters(), "lr": 0.01}, {"params": inner[3].parameters()}],
            lr=0.02,
        )
        for index, (inputs, targets) in enumerate(batches(transport.rank, 8)):
            with model.no_sync():
                cross_entropy(model(inputs), targets).backward()
            if index % 2:
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                optimizer.step()
                optimizer.zero_grad()
        model.consensus()
        model.close()
        return model.steps, weights(model)

    results = run_ranks(2, body)
    assert [steps for steps, _ in results] == [4, 4]
    assert torch.equal(results[0][1], results[1][1])


def test_no_sync_steps_stay_local():
    def body(transport):
        model = GossipDataParallel(network(), transport=transport, mode="sync", wire="fp32")
        with model.no_sync():
            train(model, sgd(model), 3)
        model.close()
        return model.steps, weights(model)

    (steps, one), (_, two) = run_ranks(2, body)
    assert steps == 0
    assert not torch.equal(one, two)


def test_ranks_with_fewer_batches_keep_serving_the_others():
    def body(transport):
        model = GossipDataParallel(network(), transport=transport, silence_s=0.2)
        model._participant.network.vigil.patience.observe(0.0, 0.01)
        train(model, sgd(model), 4 + 5 * transport.rank)
        model.consensus()
        model.close()
        return weights(model)

    first, *others = run_ranks(3, body)
    assert all(torch.equal(first, other) for other in others)


def test_what_an_epoch_leaves_different_the_next_evaluation_averages():
    """Local steps after an evaluation, and a rank that has no batch at all in an epoch."""

    def body(transport):
        model = GossipDataParallel(network(), transport=transport, silence_s=0.2)
        optimizer, ends = sgd(model), []
        for steps in (4, 2 * transport.rank):
            model.train()
            train(model, optimizer, steps)
            with model.no_sync():
                train(model, optimizer, 2)
            model.eval()
            ends.append(weights(model))
        model.train()
        with model.no_sync():
            train(model, optimizer, 1)
        model.eval()
        ends.append(weights(model))
        model.close()
        return ends

    first, *others = run_ranks(3, body)
    for other in others:
        assert all(torch.equal(one, two) for one, two in zip(first, other, strict=True))


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_with_fewer_batches_wait_through_the_others_periodic_averages(size):
    def body(transport):
        model = GossipDataParallel(network(), transport=transport, average_every=4, silence_s=0.2)
        optimizer, ends = sgd(model), []
        for _ in range(2):
            model.train()
            train(model, optimizer, 10 + 3 * transport.rank)
            model.eval()
            ends.append(weights(model))
        model.close()
        return ends

    first, *others = run_ranks(size, body)
    for other in others:
        assert all(torch.equal(one, two) for one, two in zip(first, other, strict=True))


def test_values_gone_bad_without_a_step_end_a_consensus_and_are_named():
    def body(transport):
        model = GossipDataParallel(network(), transport=transport)
        train(model, sgd(model), 2)
        model(torch.full((8, 6), torch.nan))
        with pytest.raises(
            NonFiniteError, match=r"1\.running_mean holds NaN .* before a consensus"
        ):
            model.eval()

    run_ranks(3, body)


def test_new_parameters_in_place_of_the_averaged_ones_are_refused():
    def body(transport):
        model = GossipDataParallel(network(), transport=transport)
        with pytest.raises(ConfigurationError, match="assign is True; allowed: False"):
            model.load_state_dict(network(1).state_dict(), assign=True)
        model.close()

    run_ranks(2, body)


def test_two_models_share_one_network():
    def body(transport):
        one = GossipDataParallel(network(1), transport=transport)
        two = GossipDataParallel(network(2), transport=transport, mode="async")
        for _ in range(3):
            train(one, sgd(one), 2)
            train(two, sgd(two), 2)
        one.consensus()
        two.consensus()
        one.close()
        two.close()
        return torch.cat([weights(one), weights(two)])

    first, second = run_ranks(2, body)
    assert torch.equal(first, second)


def test_momentum_travels_when_asked():
    def body(transport):
        model = GossipDataParallel(network(), transport=transport, exchange_momentum=True)
        optimizer = sgd(model)
        train(model, optimizer, 6)
        model.consensus()
        model.close()
        return torch.cat([state["momentum_buffer"].flatten() for state in optimizer.state.values()])

    first, second = run_ranks(2, body)
    assert torch.equal(first, second)


def test_a_periodic_global_average_needs_no_call():
    def body(transport):
        model = GossipDataParallel(network(), transport=transport, average_every=3)
        train(model, sgd(model), 6)
        result = weights(model)
        model.close()
        return result

    first, *others = run_ranks(3, body)
    assert all(torch.equal(first, other) for other in others)


def test_evaluation_and_loading_are_automatic_and_collective():
    def body(transport):
        model = GossipDataParallel(network(), transport=transport)
        optimizer = sgd(model)
        train(model, optimizer, 3)
        saved = copy.deepcopy(model.state_dict())
        train(model, optimizer, 3)
        model.load_state_dict(saved)
        back = weights(model)
        train(model, optimizer, 2)
        model.eval()
        evaluated = weights(model)
        model.close()
        return back, evaluated

    (one, last_one), (two, last_two) = run_ranks(2, body)
    assert torch.equal(one, two)
    assert torch.equal(last_one, last_two)


def test_batch_norm_counters_and_statistics_end_equal():
    def body(transport):
        model = GossipDataParallel(network(), transport=transport)
        train(model, sgd(model), 4 + transport.rank)
        state = model.state_dict()
        model.close()
        return state["1.running_var"].clone(), state["1.num_batches_tracked"].clone()

    (var_one, count_one), (var_two, count_two) = run_ranks(2, body)
    assert torch.equal(var_one, var_two)
    assert count_one == count_two


def test_a_nan_stops_its_rank_before_it_spreads():
    mortal = SimulatedNetwork(2)

    def body(transport):
        model = GossipDataParallel(network(), transport=transport, mode="sync")
        if transport.rank == 0:
            with torch.no_grad():
                model.module[3].bias[0] = torch.nan
            with pytest.raises(NonFiniteError, match=r"3\.bias holds NaN or infinite .* on rank 0"):
                train(model, sgd(model), 1)
            mortal.kill(0)
            return None
        train(model, sgd(model), 2)
        model.close()
        return weights(model)

    assert run_ranks(2, body, mortal)[1].isfinite().all()


def wrap_differently(change):
    def body(transport):
        settings = {"transport": transport, "seed": 1}
        model = network()
        if transport.rank == 1:
            model = change.pop("model", model)
            settings |= change
        GossipDataParallel(model, **settings)

    return body


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 2}, "seed is 1 on rank 0 and 2 on rank 1"),
        ({"wire": "fp32"}, "wire is 'bf16' on rank 0 and 'fp32' on rank 1"),
        ({"model": nn.Linear(6, 2)}, "model is '3.bias: torch.float32 .3.' on rank 0 and 'bias:"),
    ],
)
def test_ranks_that_were_started_differently_are_told(change, words):
    with pytest.raises(MismatchError, match=words):
        run_ranks(3, wrap_differently(dict(change)))


def test_ranks_with_different_versions_are_told(monkeypatch):
    versions = iter(["0.1.0", "0.1.0", "0.2.0"])
    monkeypatch.setattr("gossipgrad.settings.version", lambda _: next(versions))
    with pytest.raises(MismatchError, match=r"gossipgrad is '0\..\.0' on rank .* and '0\..\.0'"):
        run_ranks(3, wrap_differently({"seed": 1}))


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({"mode": "asynchronous"}, "mode is 'asynchronous'; allowed: sync, overlap, async, paper"),
        ({"wire": "fp8"}, "wire is 'fp8'"),
        ({"topology": "mesh"}, "topology is 'mesh'"),
        ({"max_delay": 0}, "max_delay is 0"),
        ({"bucket_mb": 0}, "bucket_mb is 0"),
        ({"driver": "fork"}, "driver is 'fork'"),
        ({"transport": "nccl"}, "transport is 'nccl'"),
    ],
)
def test_bad_arguments_are_named(argument, words):
    with pytest.raises(ConfigurationError, match=words):
        GossipDataParallel(nn.Linear(2, 2), **argument)


def test_moving_the_model_after_wrapping_is_refused():
    def body(transport):
        model = GossipDataParallel(nn.Linear(6, 3), transport=transport, mode="sync")
        model.double()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(torch.ones(2, 6, dtype=torch.float64)).sum().backward()
        optimizer.step()

    with pytest.raises(ConfigurationError, match="moved after wrapping"):
        run_ranks(2, body)


def test_a_silent_rank_is_dropped_and_the_others_train_on():
    silent_network = SimulatedNetwork(4)

    def body(transport):
        model = GossipDataParallel(network(), transport=transport, silence_s=4.0)
        for _ in range(3):
            model._participant.network.vigil.patience.observe(0.0, 0.01)
        optimizer = sgd(model)
        train(model, optimizer, 5)
        if transport.rank == 2:
            silent_network.silent.add(2)
            return None
        train(model, optimizer, 12)
        model.consensus()
        model.close()
        return model.living, weights(model)

    results = run_ranks(4, body, silent_network)
    survivors = [result for result in results if result is not None]
    assert all(living == [0, 1, 3] for living, _ in survivors)
    assert all(torch.equal(survivors[0][1], other) for _, other in survivors)


@pytest.mark.parametrize("mode", ["overlap", "async"])
def test_a_death_in_a_consensus_leaves_no_survivor_behind(mode, monkeypatch):
    """Rank 3 dies before its last message: rank 1 waits for it, 0 and 2 are through already."""
    mortal, exchange = SimulatedNetwork(4), Collectives.exchange
    across, through = Counter(), threading.Semaphore(0)

    def mortal_exchange(together, sent, to, received, source):
        last = False
        if together.size == 4 and abs(to - together.index) == 2:  # model, mass, who trains on
            across[together.index] += 1
            last = across[together.index] == 3
        if last and together.index == 3:
            through.acquire(timeout=30)
            through.acquire(timeout=30)
            mortal.kill(3)
            sys.exit()
        exchange(together, sent, to, received, source)
        if last and together.index != 1:
            through.release()

    def body(transport):
        torch.manual_seed(0)
        model = GossipDataParallel(nn.Linear(6, 3), transport=transport, mode=mode, silence_s=1.0)
        optimizer, ends = sgd(model), []
        for _ in range(3):
            model.train()
            train(model, optimizer, 4)
            try:
                model.eval()
            except SystemExit:
                return None
            ends.append(weights(model))
        model.close()
        return ends

    monkeypatch.setattr(Collectives, "exchange", mortal_exchange)
    first, *others = run_ranks(4, body, mortal)[:3]
    for other in others:
        assert all(torch.equal(one, two) for one, two in zip(first, other, strict=True))


@pytest.mark.parametrize("victim", [0, 2])
@pytest.mark.parametrize("mode", ["sync", "overlap", "async"])
def test_a_death_costs_survivors_at_most_one_exchange(victim, mode):
    mortal = SimulatedNetwork(5)
    lost = {}

    def body(transport):
        model = GossipDataParallel(network(), transport=transport, mode=mode, silence_s=5)
        outcomes = []
        model.on_exchange(outcomes.append)
        optimizer = sgd(model)
        train(model, optimizer, 4)
        if transport.rank == victim:
            mortal.kill(victim)
            return None
        train(model, optimizer, 12)
        lost[transport.rank] = sum(outcome.lost for outcome in outcomes)
        model.consensus()
        model.close()
        return model.living, weights(model)

    survivors = [result for result in run_ranks(5, body, mortal) if result is not None]
    assert all(victim not in living and len(living) == 4 for living, _ in survivors)
    assert all(torch.equal(survivors[0][1], other) for _, other in survivors)
    assert max(lost.values()) <= 1
