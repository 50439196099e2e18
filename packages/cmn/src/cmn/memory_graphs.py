"""Memory graphs: the paper's network as modules of dense operations alone, for export.

Letters: B pairs or users, P users, Q items, K the longest neighbourhood, S members of all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

    from cmn.model import CMNNetwork


def memory_graphs(
    network: CMNNetwork, matrix: sparse.csr_array, n: int
) -> tuple[nn.Module, nn.Module]:
    """Returns a scorer of pairs and a ranker of n unseen items over binary CSR (P, Q)."""
    return MemoryPairs(network, matrix), MemoryTopN(network, matrix, n)


def padded(lists: sparse.csr_array, filler: int) -> NDArray[np.int64]:
    """Returns the columns of each row, filled up to the longest, at least 1, (n, K)."""
    lengths = np.diff(lists.indptr)
    table = np.full((lengths.size, max(1, lengths.max())), filler, dtype=np.int64)
    table[np.arange(table.shape[1]) < lengths[:, None]] = lists.indices
    return table


def best_unseen(scores: Tensor, seen: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Returns the n best columns of scores (B, Q), and their scores, without those in `seen`.

    Args:
        scores: (B, Q).
        seen: columns (B, K), filled up with Q.
        n: at most Q.
    """
    scores = torch.cat([scores, scores[:, :1]], dim=1)  # one more column takes the filler
    scores = scores.scatter(1, seen, torch.full_like(seen, -torch.inf, dtype=scores.dtype))
    best, items = torch.topk(scores[:, :-1], n, dim=1)
    return items, best


class Frozen(nn.Module):
    """A network's weights as constants, and its hops over any way to read.

    Args:
        network: fitted.
    """

    user_memory: Tensor
    item_memory: Tensor
    external_memory: Tensor
    output_weight: Tensor

    def __init__(self, network: CMNNetwork) -> None:
        super().__init__()
        self.uniform = network.attention == "uniform"
        self.relu = network.activation == "relu"
        for name in ("user_memory", "item_memory", "external_memory", "output_weight"):
            self.register_buffer(name, getattr(network, name).detach())
        self.layers = [(layer.weight.detach(), layer.bias.detach()) for layer in network.layers()]

    def activate(self, values: Tensor) -> Tensor:
        """Applies the network's activation."""
        return torch.relu(values) if self.relu else values

    def respond(self, user: Tensor, item: Tensor, read: Any) -> Tensor:
        """Returns scores (...) of m_u and e_i, both (..., d); `read` maps a query to its o."""
        query = user + item
        output = read(query)
        for weight, bias in self.layers[:-1]:
            query = self.activate(query @ weight.T + bias + output)
            output = read(query)
        weight, bias = self.layers[-1]
        joined = torch.cat([user * item, output], dim=-1)
        return self.activate(joined @ weight.T + bias) @ self.output_weight


class MemoryPairs(Frozen):
    """Scores pairs over padded neighbourhoods."""

    members: Tensor
    lengths: Tensor
    places: Tensor

    def __init__(self, network: CMNNetwork, matrix: sparse.csr_array) -> None:
        super().__init__(network)
        by_item = matrix.T.tocsr()
        by_item.sort_indices()
        self.register_buffer("members", torch.from_numpy(padded(by_item, 0)))
        self.register_buffer("lengths", torch.from_numpy(np.diff(by_item.indptr).astype(np.int64)))
        self.register_buffer("places", torch.arange(self.members.shape[1]))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Returns r_ui, (B,)."""
        members = self.members[items]  # (B, K)
        present = self.places < self.lengths[items][:, None]
        keys, values = self.user_memory[members], self.external_memory[members]  # (B, K, d)

        def read(query: Tensor) -> Tensor:
            logits = (keys @ query[:, :, None]).squeeze(2)
            logits = torch.zeros_like(logits) if self.uniform else logits
            weights = torch.softmax(logits.masked_fill(~present, -1e30), dim=1) * present
            return (weights[:, None] @ values).squeeze(1)

        return self.respond(self.user_memory[users], self.item_memory[items], read)


class MemoryTopN(Frozen):
    """Scores the whole catalogue over flat neighbourhoods and keeps the best unseen items."""

    members: Tensor
    owners: Tensor
    seen: Tensor

    def __init__(self, network: CMNNetwork, matrix: sparse.csr_array, n: int) -> None:
        super().__init__(network)
        self.n = n
        by_item = matrix.T.tocsr()
        owners = np.repeat(np.arange(by_item.shape[0]), np.diff(by_item.indptr))
        self.register_buffer("members", torch.from_numpy(by_item.indices.astype(np.int64)))
        self.register_buffer("owners", torch.from_numpy(owners.astype(np.int64)))
        self.register_buffer("seen", torch.from_numpy(padded(matrix, matrix.shape[1])))

    def forward(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Returns columns and scores, (B, n) each."""
        keys, values = self.user_memory[self.members], self.external_memory[self.members]  # (S, d)
        item = self.item_memory[None].expand(users.shape[0], -1, -1)  # (B, Q, d)
        owners = self.owners[None].expand(users.shape[0], -1)  # (B, S)

        def read(query: Tensor) -> Tensor:
            logits = (query[:, self.owners] * keys).sum(dim=2)
            logits = torch.zeros_like(logits) if self.uniform else logits
            start = logits.new_full(item.shape[:2], -1e30)
            highest = start.scatter_reduce(1, owners, logits, "amax")
            weights = torch.exp(logits - highest.gather(1, owners))
            totals = torch.zeros_like(start).scatter_add(1, owners, weights)
            weights = weights / totals.gather(1, owners)
            places = owners[:, :, None].expand(-1, -1, values.shape[1])
            return torch.zeros_like(item).scatter_add(1, places, weights[:, :, None] * values)

        scores = self.respond(self.user_memory[users][:, None].expand_as(item), item, read)
        return best_unseen(scores, self.seen[users], self.n)
