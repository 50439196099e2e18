"""Each baseline on 3 real ranks against its rule written out, all ranks in one process."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from gossipgrad.baselines import BASELINES, wrap
from gossipgrad.errors import ConfigurationError
from gossipgrad.launch import captured, find_mpiexec
from gossipgrad.schedules import make_schedule

JOB = Path(__file__).with_name("three_ranks.py")
RANKS = 3
spec = importlib.util.spec_from_file_location("three_ranks", JOB)
job = importlib.util.module_from_spec(spec)
spec.loader.exec_module(job)


@pytest.fixture(scope="module")
def told() -> dict:
    done = captured(find_mpiexec(), RANKS, [sys.executable, str(JOB)], 100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def expected(name: str) -> list[list[float]]:
    """Returns the weights (rank, weight) after training by the rule `name`, step by step."""
    nets = [job.start(0) for _ in range(RANKS)]
    inputs = [job.batches(rank) for rank in range(RANKS)]
    schedule = make_schedule("dissemination", RANKS, 0)
    steps = exchanges = 0
    for step in range(job.STEPS):
        for net, mine in zip(nets, inputs, strict=True):
            net(mine[step]).square().mean().backward()
        if step == 1:
            continue
        gradients = [[weight.grad for weight in used(net)] for net in nets]
        if name in ("ddp", "ddp-bf16", "all-reduce", "all-reduce-per-layer"):
            mean = [sum(same) / RANKS for same in zip(*gradients, strict=True)]
            gradients = [mean] * RANKS
        if name == "gradient-gossip":
            sources = [schedule.turn(rank, exchanges).source for rank in range(RANKS)]
            gradients = [
                [
                    (a + b) / 2
                    for a, b in zip(gradients[rank], gradients[sources[rank]], strict=True)
                ]
                for rank in range(RANKS)
            ]
            exchanges += 1
        for net, own in zip(nets, gradients, strict=True):
            with torch.no_grad():
                for weight, gradient in zip(used(net), own, strict=True):
                    weight.sub_(job.LR * gradient)
            net.zero_grad()
        steps += 1
        if name == "local-sgd" and steps % job.EVERY == 0:
            average(nets)
    return [job.flat(net) for net in nets]


def used(net: nn.Module) -> list[nn.Parameter]:
    return [*net.first.parameters(), *net.last.parameters()]


@torch.no_grad()
def average(nets: list[nn.Module]) -> None:
    for same in zip(*(net.parameters() for net in nets), strict=True):
        mean = sum(weight.clone() for weight in same) / len(same)
        for weight in same:
            weight.copy_(mean)


@pytest.mark.parametrize("name", list(BASELINES))
def test_trains_by_its_rule(name: str, told: dict) -> None:
    tolerance = 2e-3 if name == "ddp-bf16" else 1e-12
    for found, wanted in zip(told[name]["trained"], expected(name), strict=True):
        assert found == pytest.approx(wanted, abs=tolerance)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "none"])
def test_consensus_is_the_mean_and_equal_everywhere(name: str, told: dict) -> None:
    agreed = told[name]["agreed"]
    assert agreed[1:] == agreed[:-1]
    mean = torch.tensor(told[name]["trained"]).mean(0).tolist()
    assert agreed[0] == pytest.approx(mean, abs=1e-6)


def test_gradient_gossip_lets_replicas_drift(told: dict) -> None:
    first, second, _ = told["gradient-gossip"]["trained"]
    assert first != pytest.approx(second, abs=1e-3)


def test_unknown_names_and_periods_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="baseline is 'horovod'; allowed: ddp"):
        wrap("horovod", nn.Linear(2, 2))
    with pytest.raises(ConfigurationError, match="every is 0"):
        wrap("local-sgd", nn.Linear(2, 2), every=0)
