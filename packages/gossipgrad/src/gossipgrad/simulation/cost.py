"""What one rank's communication costs per step: gossip, and the four all-reduce algorithms.

p ranks, n bytes, alpha and beta of the network; log is to base two. The formulas are those of
Thakur, Rabenseifner and Gropp (2005), whose fold to the next lower power of two is counted where
p is none. Reductions' arithmetic is left out, for it is small beside the wire.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gossipgrad.simulation.network import Network


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step's communication is made of, on the busiest rank.

    Attributes:
        rounds: Messages that must follow one another, hence latencies paid.
        models_sent: Bytes sent, in units of the model's bytes.
        models_in_turn: Bytes on the critical path, in units of the model's bytes.
    """

    rounds: float
    models_sent: float
    models_in_turn: float

    def seconds(self, network: Network, size: float, messages: int = 1) -> float:
        """Returns the time for a model of `size` bytes sent as `messages` separate tensors."""
        wire_s = self.models_in_turn * size * network.seconds_per_byte
        return messages * self.rounds * network.latency_s + wire_s

    def bytes_sent(self, size: float) -> float:
        """Returns the bytes that the busiest rank sends per step."""
        return self.models_sent * size


def gossip(ranks: int) -> Cost:
    """One exchange with one partner, whatever p is: alpha + n beta."""
    return _NOTHING if ranks == 1 else Cost(1, 1, 1)


def ring(ranks: int) -> Cost:
    """Ring all-reduce, as gloo's and NCCL's: 2(p-1) alpha + 2(p-1)/p n beta."""
    share = 2 * (ranks - 1) / ranks
    return Cost(2 * (ranks - 1), share, share)


def rabenseifner(ranks: int) -> Cost:
    """Reduce-scatter by halving, all-gather by doubling: 2 log p alpha + 2(p-1)/p n beta."""
    rounds, folded, fold = _powers(ranks)
    share = 2 * (folded - 1) / folded
    return Cost(2 * rounds + 2 * fold, share + fold, share + 2 * fold)


def recursive_doubling(ranks: int) -> Cost:
    """Whole vectors exchanged with partners 1, 2, 4, ... away: log p (alpha + n beta)."""
    rounds, _, fold = _powers(ranks)
    return Cost(rounds + 2 * fold, rounds + fold, rounds + 2 * fold)


def tree(ranks: int) -> Cost:
    """Binomial tree, reduce then broadcast: 2 ceil(log p) (alpha + n beta); the root sends most."""
    depth = (ranks - 1).bit_length()
    return Cost(2 * depth, depth, 2 * depth)


def _powers(ranks: int) -> tuple[int, int, int]:
    """Returns floor(log2 p), the power of two it stands for, and one if ranks must fold into it."""
    rounds = ranks.bit_length() - 1
    return rounds, 1 << rounds, int(ranks != 1 << rounds)


_NOTHING = Cost(0, 0, 0)

ALL_REDUCE: dict[str, Callable[[int], Cost]] = {
    "ring": ring,
    "rabenseifner": rabenseifner,
    "recursive doubling": recursive_doubling,
    "tree": tree,
}


def gossip_step_s(compute_s: float, communication_s: float) -> float:
    """Returns a step's seconds where the exchange runs beside the whole of the step (overlap)."""
    return max(compute_s, communication_s)


def all_reduce_step_s(compute_s: float, communication_s: float) -> float:
    """Returns a step's seconds where a bucketed all-reduce runs beside the backward pass only.

    The backward pass is taken as two thirds of the compute time: it multiplies matrices twice
    where the forward pass does so once.
    """
    return compute_s / 3 + max(compute_s * 2 / 3, communication_s)
