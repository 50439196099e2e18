"""One model at the end: every living rank ends with the same bits.

With 2^k ranks, a hypercube in k exchanges: ½(a + b) commutes, so both ends of a pair compute the
same bits, and after the last dimension all have them. With any other number, sums of consecutive
ranks' windows: E_c(i), the sum over the c ranks that follow i, grows to E_2c or E_2c+1 by one
exchange, which reads p - 1 from its highest bit down and takes ceil(log2 p) exchanges (Bruck & Ho,
1993). Ranks add there in different orders; so they add integers, fixed-point values on one scale,
whose sums do not depend on the order. Those travel in 8 bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gossipgrad.collectives import Collectives
from gossipgrad.errors import PeerLostError

_FIXED_BITS = 61


@dataclass(frozen=True, slots=True)
class Consensus:
    """How a consensus was reached.

    Attributes:
        exchanges: full-model exchanges this rank took part in; at most ceil(log2 p).
        sent_bytes: bytes of the models that it sent.
    """

    exchanges: int
    sent_bytes: int


@torch.no_grad()
def average(
    flats: Sequence[Tensor], mass: float, together: Collectives
) -> tuple[list[Tensor], Consensus]:
    """Returns the mass-weighted mean of `flats` over all ranks, bitwise equal on all.

    Args:
        flats: floating tensors ``(count,)`` of the same sizes on all ranks; they stay as they are.
        mass: this rank's weight, above 0.
        together: the ranks that take part.
    """
    if together.size == 1:
        return list(flats), Consensus(0, 0)
    work = [
        flat.to("cpu", torch.promote_types(flat.dtype, torch.float32), copy=True) for flat in flats
    ]
    weight = torch.tensor([mass], dtype=torch.float64)
    for flat in work:
        flat.mul_(mass)
    power_of_two = together.size & (together.size - 1) == 0
    means, report = (_hypercube if power_of_two else _windows)([*work, weight], together)
    total = float(means[-1][0])
    return [mean.div_(total) for mean in means[:-1]], report


def attempt(
    flats: Sequence[Tensor],
    counters: Sequence[Tensor],
    mass: float,
    together: Collectives,
    *,
    training: bool,
) -> tuple[list[Tensor], Consensus, bool] | None:
    """Returns the mean, how it was reached, and whether some rank trains on; None after a death.

    Args:
        flats: stay as they are.
        counters: integers, of which index 0's count.
        mass: this rank's weight.
        together: the ranks that take part.
        training: whether this rank trains on.
    """
    try:
        means, report = average(flats, mass, together)
        for counter in counters:
            together.broadcast(counter)
        return means, report, together.largest(float(training)) > 0
    except PeerLostError:
        return None


@torch.no_grad()
def share(flats: Sequence[Tensor], together: Collectives) -> None:
    """Copies the `flats` of index 0 over all others'."""
    for flat in flats:
        host = flat.cpu()
        together.broadcast(host)
        flat.copy_(host)


def _hypercube(parts: list[Tensor], together: Collectives) -> tuple[list[Tensor], Consensus]:
    sent = 0
    for dimension in range(together.rounds):
        partner = together.index ^ (1 << dimension)
        for part in parts:
            theirs = torch.empty_like(part)
            together.exchange(part, partner, theirs, partner)
            part.add_(theirs).mul_(0.5)
            sent += part.numel() * part.element_size()
    return parts, Consensus(together.rounds, sent)


def _windows(parts: list[Tensor], together: Collectives) -> tuple[list[Tensor], Consensus]:
    size, index = together.size, together.index
    means, sent = [], 0
    for part in parts:
        largest = together.largest(float(part.abs().max()) if part.numel() else 0.0)
        exponent = math.frexp(largest)[1] if largest > 0 else 0
        shift = _FIXED_BITS - together.rounds - exponent
        mine = _to_fixed(part, shift)
        following = torch.zeros_like(mine)
        covered = 0
        for bit in range(together.rounds - 1, -1, -1):
            odd = (size - 1) >> bit & 1
            # E_2c+1(i) = E_c(i) + x(i+c+1) + E_c(i+c+1); without the middle term it is E_2c.
            reach = covered + odd
            outgoing = following + mine if odd else following.clone()
            theirs = torch.empty_like(mine)
            together.exchange(outgoing, (index - reach) % size, theirs, (index + reach) % size)
            following += theirs
            covered = 2 * covered + odd
            sent += outgoing.numel() * outgoing.element_size()
        total = (following + mine).to(torch.float64)
        means.append((total / size * math.ldexp(1.0, -shift)).to(part.dtype))
    return means, Consensus(together.rounds, sent)


def _to_fixed(part: Tensor, shift: int) -> Tensor:
    # Two steps, since 2^shift may lie beyond a float64's exponents.
    half = shift // 2
    scaled = part.to(torch.float64) * math.ldexp(1.0, half) * math.ldexp(1.0, shift - half)
    return scaled.round_().to(torch.int64)
