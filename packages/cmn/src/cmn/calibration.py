"""Calibration: searches a few numbers for the best validation NDCG@10, without a gradient.

NDCG@10 has steps and no slope, and what can be differentiated in its place misleads: on
citeulike-a's validation a smooth NDCG over training edges taken out of the graph led to scalars
with .1879 where the search has .1921. With so few numbers trying their neighbours is cheap.

Letters: B held-out edges, C candidates of each, the target first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cmn.evidence_network import EvidenceNetwork, Reads
from cmn.evidence_scoring import EvidenceScorer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from cmn.interactions import HeldOut

TOP, RANDOM = 200, 100  # rivals by each read, and drawn
CUTOFF = 10
ROUNDS = 3  # each with half the steps of the one before
USERS_AT_A_TIME = 256


@dataclass(frozen=True)
class Range:
    """Where a number is searched: from `low` to `high`, first in steps of `step`."""

    low: float
    high: float
    step: float


def pattern_search(
    value_of: Callable[[Mapping[str, float]], float],
    start: Mapping[str, float],
    ranges: Mapping[str, Range],
) -> tuple[dict[str, float], float]:
    """Returns numbers near which none is better, and their value (Hooke and Jeeves, 1961).

    One number after the other moves by its step, up or down, as long as the value grows; where
    none does, the steps are halved.

    Args:
        value_of: is to be large.
        start: the first numbers to try; what is returned is never worse.
        ranges: of the numbers to move, which may start outside.
    """
    best = dict(start)
    value = value_of(best)
    for halvings in range(ROUNDS):
        moved = True
        while moved:
            moved = False
            for name, span in ranges.items():
                for step in (span.step, -span.step):
                    there = min(max(best[name] + step * 0.5**halvings, span.low), span.high)
                    other = {**best, name: there}
                    found = value_of(other) if there != best[name] else value
                    if found > value:
                        best, value, moved = other, found, True
                        break
    return best, value


@dataclass(frozen=True)
class Shortlists:
    """Held-out edges with the few rivals that can matter, ready to be scored by any weights.

    Attributes:
        reads: (B, 1 + `RANDOM` + rest), the target first, then rivals drawn, then the `TOP` of each
            read.
        valid: bool of the same shape, False for what is no rival: the target and items the user
            has, and in the rest what is there twice.
    """

    reads: Reads
    valid: NDArray[np.bool_]

    def of(self, rows: NDArray[np.bool_]) -> Shortlists:
        """Returns those of some edges, bool (B,)."""
        return Shortlists(_each(self.reads, lambda read: read[rows]), self.valid[rows])

    def value(self, network: EvidenceNetwork) -> float:
        """Returns NDCG@10 among the top rivals plus NDCG@10 among those drawn.

        The first is that of the full ranking but for rivals no read has in its top. The second
        keeps the rest of the ranking in order, of which the first sees nothing.
        """
        scores = network.joined(self.reads)
        rivals, target = scores[:, 1:], scores[:, :1]
        above = ((rivals > target) + 0.5 * (rivals == target)) * self.valid[:, 1:]
        return _ndcg(above[:, RANDOM:].sum(axis=1)) + _ndcg(above[:, :RANDOM].sum(axis=1))


def _ndcg(ranks: NDArray[np.float64]) -> float:
    return float(np.where(ranks < CUTOFF, 1 / np.log2(ranks + 2), 0).mean())


def _each(reads: Reads, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Reads:
    return Reads(*(change(getattr(reads, name)) for name in Reads.__dataclass_fields__))


def shortlists(
    scorer: EvidenceScorer, held_out: HeldOut, generator: np.random.Generator
) -> Shortlists:
    """Returns the held-out edges with rivals by the network as it is.

    Args:
        scorer: over the graph, in which the edges are not.
        held_out: the edges.
        generator: source of the rivals drawn.
    """
    parts = []
    for start in range(0, held_out.users.size, USERS_AT_A_TIME):
        part = slice(start, start + USERS_AT_A_TIME)
        parts.append(_shortlists(scorer, held_out.users[part], held_out.items[part], generator))
    joined = [
        np.concatenate([getattr(part.reads, name) for part in parts])
        for name in Reads.__dataclass_fields__
    ]
    return Shortlists(Reads(*joined), np.concatenate([part.valid for part in parts]))


def _shortlists(
    scorer: EvidenceScorer,
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    generator: np.random.Generator,
) -> Shortlists:
    reads = scorer.reads(users, everything=True)
    count, n_items = reads.evidence.shape
    barred = scorer.evidence.matrix[users].toarray() > 0
    barred[np.arange(count), items] = True
    alone = scorer.joined(reads)
    orders = [alone, reads.affinity, reads.linear]
    top = np.sort(np.concatenate([_top(order, barred) for order in orders], axis=1), axis=1)
    again = np.zeros(top.shape, dtype=bool)
    again[:, 1:] = top[:, 1:] == top[:, :-1]
    drawn = generator.integers(n_items, size=(count, RANDOM))
    chosen = np.concatenate([items[:, None], drawn, top], axis=1)
    valid = ~np.take_along_axis(barred, chosen, axis=1)
    valid[:, 1 + RANDOM :] &= ~again
    return Shortlists(_each(reads, lambda read: np.take_along_axis(read, chosen, axis=1)), valid)


def _top(scores: NDArray[np.float32], barred: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns the columns of each row's best scores, at most `TOP`, in any order."""
    allowed = np.where(barred, -np.inf, scores)
    size = min(TOP, scores.shape[1])
    return np.argpartition(-allowed, size - 1, axis=1)[:, :size]


def floor_start(lists: Shortlists) -> float:
    """Returns the logarithm of a tenth of the middle Z among those above zero."""
    evidence = lists.reads.evidence[lists.reads.evidence > 0]
    return float(np.log(np.median(evidence) / 10)) if evidence.size else 0.0
