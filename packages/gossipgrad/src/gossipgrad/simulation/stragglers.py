"""Step time when ranks do not all take equally long, communication itself being free.

Rank i ends step k at

    all-reduce:      t(k+1) = max over all j of t_j(k) + c_j(k)
    gossip, sync:    t_i(k+1) = max(t_i(k) + c_i(k), t_j(k) + c_j(k)),   j the rank it receives from
    gossip, delay d: t_i(k+1) = max(t_i(k) + c_i(k), t_j(k + 1 - d))

since with delay d what arrives at the end of step k was sent before j computed its last d steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Slowdowns:
    """Step time divided by mean compute time.

    Attributes:
        all_reduce: When every step waits for all ranks.
        gossip: Delay to the mean rank's, when it waits for the rank it receives from.
    """

    all_reduce: float
    gossip: dict[int, float]


def slowdowns(
    draw: Draw,
    sources: Callable[[int], NDArray[np.integer]],
    ranks: int,
    *,
    delays: Sequence[int],
    steps: int,
    seed: int,
) -> Slowdowns:
    """Returns what waiting costs all-reduce and gossip, all given the same compute times.

    The first half of the steps, in which ranks that started together drift apart, is not counted.

    Args:
        draw: Compute times of one step.
        sources: Step to the rank that each rank receives from, (ranks,).
        ranks: Number of ranks.
        delays: Steps between the sending of a snapshot and its use; 0 is sync, 1 is overlap.
        steps: Steps to simulate.
        seed: Of the compute times.
    """
    generator = np.random.default_rng(seed)
    ended = {delay: [np.zeros(ranks)] for delay in delays}  # the last steps' ends, oldest first
    began = dict.fromkeys(delays, 0.0)
    waited = computed = 0.0
    for step in range(steps):
        times = draw(generator, ranks)
        if step == steps // 2:
            began = {delay: float(history[-1].mean()) for delay, history in ended.items()}
        if step >= steps // 2:
            computed += float(times.mean())
            waited += float(times.max())
        partners = sources(step)
        for delay, history in ended.items():
            finished = history[-1] + times
            sent = finished if delay == 0 else history[max(0, len(history) - delay)]
            history.append(np.maximum(finished, sent[partners]))
            del history[: -max(1, delay)]
    taken = {delay: float(history[-1].mean()) - began[delay] for delay, history in ended.items()}
    return Slowdowns(waited / computed, {delay: s / computed for delay, s in taken.items()})
