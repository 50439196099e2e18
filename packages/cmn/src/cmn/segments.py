"""Segments: differentiable products over ragged segments that never hold S x d numbers.

Three operations are each other's gradients, so the backward pass is again made of them:

- dots:     q_s = a_b(s) . c_v(s)
- sums:     o_b = sum of w_s c_v(s) over s in segment b
- scatter:  g_v = sum of w_s a_b(s) over s whose member is v

Letters: B segments, S members in all, P rows that members point to, d columns.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd import Function
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

with warnings.catch_warnings():  # torch says once that these tensors are in beta state
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor(torch.zeros(2, dtype=torch.int64), [], torch.zeros(0), (1, 1))


@dataclass(frozen=True)
class Ragged:
    """B lists of members laid end to end.

    Attributes:
        members: int64 (S,), row numbers, those of one segment side by side.
        segments: int64 (S,), the segment each member belongs to, ascending.
        offsets: int64 (B,), where each segment starts.
    """

    members: Tensor
    segments: Tensor
    offsets: Tensor

    @classmethod
    def from_lengths(cls, members: Tensor, lengths: Tensor) -> Ragged:
        """Returns the segments of given lengths (B,) over members (S,)."""
        segments = torch.repeat_interleave(torch.arange(lengths.numel()), lengths)
        return cls(members, segments, lengths.cumsum(0) - lengths)

    def without(self, users: Tensor) -> Ragged:
        """Returns the segments with users[b] struck out of segment b; `users` is int64 (B,)."""
        kept = self.members != users[self.segments]
        lengths = torch.bincount(self.segments[kept], minlength=self.offsets.numel())
        return Ragged.from_lengths(self.members[kept], lengths)

    @cached_property
    def by_member(self) -> tuple[Tensor, Tensor]:
        """The order that sorts the members, (S,), and the segments in that order."""
        order = torch.sort(self.members, stable=True)[1]
        return order, self.segments[order]

    @cached_property
    def bounds(self) -> Tensor:
        """Where each segment starts, then where the last one ends, int64 (B + 1,)."""
        return torch.cat([self.offsets, self.offsets.new_tensor([self.members.numel()])])


def _bag(weights: Tensor, rows: Tensor, indices: Tensor, offsets: Tensor) -> Tensor:
    return functional.embedding_bag(indices, rows, offsets, mode="sum", per_sample_weights=weights)


class _Dots(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, c: Tensor, ragged: Ragged) -> Tensor:
        ctx.save_for_backward(a, c)
        ctx.ragged = ragged
        pattern = torch.sparse_csr_tensor(
            ragged.bounds,
            ragged.members,
            a.new_zeros(ragged.members.numel()),
            (len(a), len(c)),
            check_invariants=False,
        )
        return torch.sparse.sampled_addmm(pattern, a, c.T, beta=0.0).values()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        a, c = ctx.saved_tensors
        return sums(grad, c, ctx.ragged), scatter(grad, a, ctx.ragged, len(c)), None


class _Sums(Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, c: Tensor, ragged: Ragged) -> Tensor:
        ctx.save_for_backward(weights, c)
        ctx.ragged = ragged
        return _bag(weights, c, ragged.members, ragged.offsets)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        weights, c = ctx.saved_tensors
        ragged = ctx.ragged
        return dots(grad, c, ragged), scatter(weights, grad, ragged, len(c)), None


class _Scatter(Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, a: Tensor, ragged: Ragged, count: int) -> Tensor:
        ctx.save_for_backward(weights, a)
        ctx.ragged = ragged
        order, segments = ragged.by_member
        lengths = torch.bincount(ragged.members, minlength=count)
        return _bag(weights[order], a, segments, lengths.cumsum(0) - lengths)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        weights, a = ctx.saved_tensors
        ragged = ctx.ragged
        return dots(a, grad, ragged), sums(weights, grad, ragged), None, None


def dots(a: Tensor, c: Tensor, ragged: Ragged) -> Tensor:
    """Returns q_s = a_b(s) . c_v(s), (S,), for a (B, d) and c (P, d)."""
    return _Dots.apply(a, c, ragged)  # type: ignore[no-untyped-call]


def sums(weights: Tensor, c: Tensor, ragged: Ragged) -> Tensor:
    """Returns o_b, (B, d), for weights (S,) and c (P, d); an empty segment gives zeros."""
    return _Sums.apply(weights, c, ragged)  # type: ignore[no-untyped-call]


def scatter(weights: Tensor, a: Tensor, ragged: Ragged, count: int) -> Tensor:
    """Returns g_v, (P, d), for weights (S,), a (B, d) and count P."""
    return _Scatter.apply(weights, a, ragged, count)  # type: ignore[no-untyped-call]


def segment_softmax(logits: Tensor, segments: Tensor, count: int) -> Tensor:
    """Returns p_s = exp(q_s) / sum of exp(q_t) over t in the segment of s ("attention").

    Each segment's largest logit is taken off first, so that no exponential overflows.

    Args:
        logits: (S,).
        segments: int64 (S,), values in [0, count).
        count: number of segments; segments may be empty.

    Returns:
        (S,), adding up to 1 in every segment that has a member.
    """
    peaks = logits.new_full((count,), -torch.inf)
    peaks = peaks.scatter_reduce(0, segments, logits.detach(), "amax")
    powers = (logits - peaks.index_select(0, segments)).exp()
    totals = powers.new_zeros(count).index_add(0, segments, powers)
    return powers / totals.index_select(0, segments)
