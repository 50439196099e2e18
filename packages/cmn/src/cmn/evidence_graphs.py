"""Evidence graphs: the evidence network as modules of dense operations alone, for export.

Both steps of a walk, and the read over EASE's weights, run along the interactions laid end to end:
gathered from one side, added up on the other.

Letters: B pairs or users, P users, Q items, S interactions, K the longest list of a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cmn.evidence_network import LINEAR_UNIT
from cmn.memory_graphs import best_unseen, padded

if TYPE_CHECKING:
    from torch import Tensor

    from cmn.evidence_scoring import EvidenceScorer


def evidence_graphs(scorer: EvidenceScorer, n: int) -> tuple[nn.Module, nn.Module]:
    """Returns a scorer of pairs and a ranker of n unseen items."""
    catalogue = EvidenceCatalogue(scorer)
    return EvidencePairs(catalogue), EvidenceTopN(catalogue, n)


class EvidenceCatalogue(nn.Module):
    """Scores of all items (B, Q) for users (B,).

    Args:
        scorer: of a fitted network.
    """

    seen: Tensor
    user_degrees: Tensor
    item_degrees: Tensor
    walk_users: Tensor
    walk_items: Tensor
    walk_weights: Tensor
    users: Tensor
    items: Tensor
    user: Tensor
    item: Tensor
    inverse: Tensor
    diagonal: Tensor

    def __init__(self, scorer: EvidenceScorer) -> None:
        super().__init__()
        network, evidence, linear = scorer.network, scorer.evidence, scorer.linear
        self.value = network.scalars()
        self.temperature = network.temperature
        self.shape = evidence.matrix.shape
        walks, edges = evidence.by_item.tocoo(), evidence.matrix.tocoo()
        self._keep("seen", padded(evidence.matrix, self.shape[1]))
        for name in ("user_degrees", "item_degrees"):
            self._keep(name, np.maximum(getattr(evidence, name), 1).astype(np.float32))
        self._keep("walk_items", walks.row.astype(np.int64))
        self._keep("walk_users", walks.col.astype(np.int64))
        self._keep("walk_weights", walks.data.astype(np.float32))
        self._keep("users", edges.row.astype(np.int64))
        self._keep("items", edges.col.astype(np.int64))
        for name in ("user", "item"):
            memory = getattr(network, f"{name}_memory").detach()
            self._keep(name, functional.normalize(memory, dim=1).numpy())
        self.linear = linear is not None and self.value["items"] > 0
        if linear is not None and self.linear:
            self.by_user = len(linear.inverse) == self.shape[0] < self.shape[1]
            self._keep("inverse", linear.inverse.astype(np.float32))
            self._keep("diagonal", linear.diagonal.astype(np.float32))

    def _keep(self, name: str, values: np.ndarray) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)))

    def forward(self, users: Tensor) -> Tensor:
        """Returns r_ui, (B, Q)."""
        value = self.value
        scores = torch.log(self._evidence(users) + float(np.exp(value["log_floor"])))
        scores = scores - value["beta"] * torch.log(self.item_degrees)
        if value["affinity"]:
            cosine = self.user[users] @ self.item.T
            scores = scores + value["affinity"] / self.temperature * cosine
        if self.linear:
            scores = scores + value["items"] * torch.asinh(self._linear(users) / LINEAR_UNIT)
        return scores

    def _evidence(self, users: Tensor) -> Tensor:
        """Returns Z_ui, (B, Q)."""
        value = self.value
        probabilities = self.user_degrees[users][:, None] * self.item_degrees
        steps = self._had(users) * probabilities ** -value["alpha"]
        strengths = _moved(
            steps, self.walk_items, self.walk_users, self.shape[0], self.walk_weights
        )
        strengths = strengths.scatter(1, users[:, None], 0.0)
        held_back = self.user_degrees ** -value["delta"]
        weighted = strengths ** value["gamma"] * held_back
        return _moved(weighted, self.users, self.items, self.shape[1])

    def _linear(self, users: Tensor) -> Tensor:
        """Returns Y_ui, (B, Q)."""
        had = self._had(users)
        if self.by_user:
            product = _moved(self.inverse[users], self.users, self.items, self.shape[1])
        else:
            product = had @ self.inverse
        return had - product / self.diagonal

    def _had(self, users: Tensor) -> Tensor:
        """Returns the users' rows of the matrix, (B, Q)."""
        empty = self.item_degrees.new_zeros(users.shape[0], self.shape[1] + 1)
        return empty.scatter(1, self.seen[users], 1.0)[:, :-1]


class EvidencePairs(nn.Module):
    """Scores of users (B,) and items (B,)."""

    def __init__(self, catalogue: EvidenceCatalogue) -> None:
        super().__init__()
        self.catalogue = catalogue

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Returns r_ui, (B,)."""
        return self.catalogue(users).gather(1, items[:, None]).squeeze(1)


class EvidenceTopN(nn.Module):
    """The n best unseen items of users (B,), and their scores, each (B, n)."""

    def __init__(self, catalogue: EvidenceCatalogue, n: int) -> None:
        super().__init__()
        self.catalogue, self.n = catalogue, n

    def forward(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Returns columns and scores."""
        return best_unseen(self.catalogue(users), self.catalogue.seen[users], self.n)


def _moved(
    values: Tensor, source: Tensor, target: Tensor, width: int, weights: Tensor | None = None
) -> Tensor:
    """Returns (B, width): of each of S edges, values' column `source` is added to `target`."""
    along = values[:, source]
    if weights is not None:
        along = along * weights
    return values.new_zeros(values.shape[0], width).scatter_add(
        1, target[None].expand(values.shape[0], -1), along
    )
