"""Waiting for slow ranks, against a loop over single ranks and against published figures."""

import numpy as np
import pytest

from gossipgrad.schedules import make_schedule
from gossipgrad.simulation import stragglers
from gossipgrad.simulation.every_rank import EveryRank


def one_by_one(ranks: int, delay: int, steps: int, seed: int) -> float:
    """Returns the slowdown, every rank and step computed by itself from the full history."""
    generator = np.random.default_rng(seed)
    noise = stragglers.lognormal(0.3)
    computed = [noise(generator, ranks) for _ in range(steps)]
    schedule = make_schedule("dissemination", ranks, 0)
    ended = [[0.0] * ranks]
    for step in range(steps):
        row = []
        for rank in range(ranks):
            source = schedule.turn(rank, step).source
            if delay == 0:
                arrives = ended[step][source] + computed[step][source]
            else:
                arrives = ended[max(0, step + 1 - delay)][source]
            row.append(max(ended[step][rank] + computed[step][rank], arrives))
        ended.append(row)
    half = steps // 2
    waited = np.mean(ended[-1]) - np.mean(ended[half])
    return float(waited / np.mean(computed[half:], axis=1).sum())


def test_slowdowns_equal_the_slow_reference() -> None:
    sources = EveryRank("dissemination", 6).sources
    noise = stragglers.lognormal(0.3)
    found = stragglers.slowdowns(noise, sources, 6, delays=(0, 1, 2, 4), steps=60, seed=7)
    for delay, slowdown in found.gossip.items():
        assert slowdown == pytest.approx(one_by_one(6, delay, 60, 7), rel=1e-12)


@pytest.mark.parametrize(
    ("noise", "published"),
    [
        ("lognormal, sigma 0.2", (1.66, 1.23, 1.06, 1.02)),
        ("1 % of steps 3 x", (2.40, 1.40, 1.15, 1.02)),
        ("one rank always 1.5 x", (1.5, 1.5, 1.5, 1.5)),
    ],
)
def test_slowdowns_as_published_for_128_ranks(noise: str, published: tuple[float, ...]) -> None:
    draw = stragglers.NOISE[noise]
    sources = EveryRank("dissemination", 128).sources
    found = stragglers.slowdowns(draw, sources, 128, delays=(0, 1, 4), steps=1600, seed=0)
    assert [found.all_reduce, *found.gossip.values()] == pytest.approx(published, abs=0.05)
