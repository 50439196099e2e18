r"""The averaging rule, in mass form.

Rank i holds a model x_i and a mass w_i, at first 1. In an exchange it gives mass m_s with the wire
value ŝ_s of its snapshot, and takes mass m_r with the wire value ŝ_r of another. When both are
known it settles:

    x ← (w x - Σ m_s ŝ_s + Σ m_r ŝ_r) / w',      w' = w - Σ m_s + Σ m_r .

With w = 1 and m = ½ this is the delta-corrected average x ← x + ½(ŝ_r - ŝ_s). Summed over ranks the
right side cancels whatever the schedule, the delay between snapshot and settlement, or the wire's
precision, so Σ w_i x_i moves exactly as the ranks' own updates move it. A message that never comes
takes its value and its mass away together, which leaves the weighted mean unbiased (push-sum;
Kempe et al. 2003). Plain averaging of a late message with the newest weights, as in the authors'
delayed solvers, loses half of every update; `average_late` reproduces it for comparison.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gossipgrad.buckets import Bucket
from gossipgrad.wire import CHUNK, Codec

_SAMPLE = 1024


@dataclass(frozen=True, slots=True)
class Portion:
    """Mass that travels with a model's wire value.

    Attributes:
        mass: how much.
        payloads: the encoded values, one uint8 tensor a bucket.
    """

    mass: float
    payloads: Sequence[Tensor]


@torch.no_grad()
def settle(
    buckets: Sequence[Bucket],
    codec: Codec,
    mass: float,
    given: Sequence[Portion],
    taken: Sequence[Portion],
) -> float:
    """Applies the rule above to all buckets in place and returns the new mass.

    Args:
        buckets: the model x, with all updates made since the snapshots.
        codec: how the portions are encoded.
        mass: w, the mass before.
        given: what was sent and delivered.
        taken: what arrived.
    """
    moved = [(portion.mass, portion.payloads) for portion in taken if portion.mass]
    moved += [(-portion.mass, portion.payloads) for portion in given if portion.mass]
    if not moved:
        return mass
    after = mass + sum(share for share, _ in moved)
    terms = [(share / after, payloads) for share, payloads in moved]
    _combine(buckets, codec, mass / after, terms)
    return after


@torch.no_grad()
def average_late(buckets: Sequence[Bucket], codec: Codec, taken: Portion) -> None:
    """Applies the authors' delayed rule, x ← ½x + ½ŝ_r, which halves the mean's movement."""
    _combine(buckets, codec, 0.5, [(0.5, taken.payloads)])


@torch.no_grad()
def sampled_distance(
    buckets: Sequence[Bucket], codec: Codec, one: Sequence[Tensor], other: Sequence[Tensor]
) -> float:
    """Returns the root mean square of one - other over the first values of each bucket.

    The expected squared distance of two partners is twice the variance over ranks, so this is a
    measure of consensus that costs no message; a sample, since a full pass would cost as much as
    the update itself.
    """
    squares, count = 0.0, 0
    for number, bucket in enumerate(buckets):
        size = min(_SAMPLE, bucket.flat.numel())
        left, right = torch.empty(size), torch.empty(size)
        codec.decode(one[number].cpu(), 0, left)
        codec.decode(other[number].cpu(), 0, right)
        squares += float((left - right).square_().sum())
        count += size
    return (squares / count) ** 0.5


def _combine(
    buckets: Sequence[Bucket],
    codec: Codec,
    scale: float,
    terms: Sequence[tuple[float, Sequence[Tensor]]],
) -> None:
    for number, bucket in enumerate(buckets):
        flat = bucket.flat
        # A GPU has launch costs instead of a cache to fit in.
        chunk = flat.numel() if flat.is_cuda else CHUNK
        work = torch.promote_types(flat.dtype, torch.float32)
        total = torch.empty(min(chunk, flat.numel()), dtype=work, device=flat.device)
        value = torch.empty_like(total)
        local = [
            (factor, payloads[number].to(flat.device, non_blocking=True))
            for factor, payloads in terms
        ]
        for start in range(0, flat.numel(), chunk):
            piece = flat[start : start + chunk]
            count = piece.numel()
            # The differences are summed before they meet the weights: they are small, and so is
            # what rounding takes from them. In units of the first factor, which saves a pass.
            codec.decode(local[0][1], start, total[:count])
            for factor, payload in local[1:]:
                decoded = codec.decode(payload, start, value[:count])
                total[:count].add_(decoded, alpha=factor / local[0][0])
            if scale != 1.0:
                piece.mul_(scale)
            piece.add_(total[:count], alpha=local[0][0])
