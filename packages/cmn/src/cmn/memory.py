"""Memory: one hop over a ragged neighbourhood, attention and read.

Letters: B pairs, S members of all their neighbourhoods, P users, d the embedding size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cmn.segments import dots, segment_softmax, sums

if TYPE_CHECKING:
    from torch import Tensor

    from cmn.segments import Ragged


def attention(query: Tensor, memory: Tensor, neighbours: Ragged) -> Tensor:
    """Returns p_uiv = softmax over v in N(i) of q_uiv = z_ui . m_v ("attention").

    Args:
        query: z, (B, d); in hop 1 it is m_u + e_i.
        memory: M, (P, d).
        neighbours: N(i) of the B pairs.

    Returns:
        (S,), one weight for each member.
    """
    logits = dots(query, memory, neighbours)
    return segment_softmax(logits, neighbours.segments, len(query))


def uniform_attention(query: Tensor, neighbours: Ragged) -> Tensor:
    """Returns 1 / |N(i)| for each member, (S,): the ablation without attention.

    Args:
        query: (B, d), read for its type alone.
        neighbours: N(i) of the B pairs.
    """
    lengths = torch.bincount(neighbours.segments, minlength=len(query))
    return lengths.to(query.dtype).reciprocal().index_select(0, neighbours.segments)


def read(weights: Tensor, external: Tensor, neighbours: Ragged) -> Tensor:
    """Returns o_ui = sum of p_uiv c_v over v in N(i) ("neighbourhood read"), (B, d).

    An empty neighbourhood reads as the zero vector.

    Args:
        weights: p, (S,).
        external: C, (P, d).
        neighbours: N(i) of the B pairs.
    """
    return sums(weights, external, neighbours)
