"""Step time when ranks do not all take equally long, communication itself being free.

Rank i ends step k at

    all-reduce:      t(k+1) = max over all j of t_j(k) + c_j(k)
    gossip, sync:    t_i(k+1) = max(t_i(k) + c_i(k), t_j(k) + c_j(k)),   j the rank it receives from
    gossip, delay d: t_i(k+1) = max(t_i(k) + c_i(k), t_j(k + 1 - d))

since with delay d what arrives at the end of step k was sent before j computed its last d steps.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Times]
"""Draws the compute times of one step, (ranks,), in units of the mean."""


def lognormal(sigma: float) -> Draw:
    """Returns compute times of mean one that spread by `sigma` in their logarithm."""
    return lambda generator, ranks: generator.lognormal(-(sigma**2) / 2, sigma, ranks)


def spikes(share: float, factor: float) -> Draw:
    """Returns compute times of one, but for a `share` of steps that take `factor` times as long."""
    return lambda generator, ranks: np.where(generator.random(ranks) < share, factor, 1.0)


def one_slow_rank(factor: float) -> Draw:
    """Returns compute times of one, but for rank 0, which always takes `factor` times as long."""

    def draw(_: np.random.Generator, ranks: int) -> Times:
        times = np.ones(ranks)
        times[0] = factor
        return times

    return draw


NOISE: dict[str, Draw] = {
    "lognormal, sigma 0.2": lognormal(0.2),
    "1 % of steps 3 x": spikes(0.01, 3.0),
    "one rank always 1.5 x": one_slow_rank(1.5),
}


def slowdown_of_all_reduce(draw: Draw, ranks: int, *, steps: int, seed: int) -> float:
    """Returns mean step time divided by mean compute time when every step waits for all ranks."""
    generator = np.random.default_rng(seed)
    waited = computed = 0.0
    for _ in range(steps):
        times = draw(generator, ranks)
        waited += times.max()
        computed += times.mean()
    return float(waited / computed)


def slowdown_of_gossip(
    draw: Draw,
    sources: Callable[[int], NDArray[np.integer]],
    ranks: int,
    *,
    delay: int,
    steps: int,
    seed: int,
) -> float:
    """Returns the mean rank's step time divided by its compute time under a gossip schedule.

    The first half of the steps, in which ranks that started together drift apart, is not counted.

    Args:
        draw: Compute times of one step.
        sources: Step to the rank that each rank receives from, (ranks,).
        ranks: Number of ranks.
        delay: Steps between the sending of a snapshot and its use; 0 is sync, 1 is overlap.
        steps: Steps to simulate.
        seed: Of the compute times; equal seeds pair runs with each other and with all-reduce.
    """
    generator = np.random.default_rng(seed)
    warm = steps // 2
    ended = [np.zeros(ranks)]  # the last max(1, delay) steps, oldest first
    computed = began = 0.0
    for step in range(steps):
        times = draw(generator, ranks)
        if step == warm:
            began = ended[-1].mean()
        if step >= warm:
            computed += times.mean()
        finished = ended[-1] + times
        sent = finished if delay == 0 else ended[max(0, len(ended) - delay)]
        ended.append(np.maximum(finished, sent[sources(step)]))
        ended = ended[-max(1, delay) :]
    return float((ended[-1].mean() - began) / computed)
