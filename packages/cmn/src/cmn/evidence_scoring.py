"""Evidence scoring: the evidence network over a graph: whole catalogue, candidates, newcomers.

Letters: B users, n candidates of each, P users, Q items, d the embedding size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from scipy import sparse

from cmn.evidence_network import LINEAR_UNIT, Reads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmn.evidence import WalkEvidence
    from cmn.evidence_network import EvidenceNetwork

USERS_AT_A_TIME = 256
NUMBERS_AT_A_TIME = 2**22  # entries of the largest temporary array


class LinearRead(Protocol):
    """A linear model of items: EASE.

    Attributes:
        l2: its penalty.
    """

    l2: float

    @property
    def inverse(self) -> NDArray[np.float64]:
        """Of EASE's regularised Gram matrix of users or items, whichever are fewer."""

    @property
    def diagonal(self) -> NDArray[np.float64]:
        """Of the items' inverse, (Q,)."""

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users (B,)."""

    def score_candidates(
        self, users: NDArray[np.int64], candidates: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Returns scores (B, n) for users (B,) and items (B, n)."""

    def score_histories(self, histories: sparse.csr_array) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users with these items, binary CSR (B, Q)."""


class EvidenceScorer:
    """Scores all items for batches of users by the network as it is when called.

    Args:
        network: the model.
        evidence: of the graph to read.
        linear: gives Y; None leaves this read out.
    """

    def __init__(
        self, network: EvidenceNetwork, evidence: WalkEvidence, linear: LinearRead | None = None
    ) -> None:
        self.network, self._evidence, self.linear = network, evidence, linear
        self._log_degrees = _log_degrees(evidence)

    @property
    def evidence(self) -> WalkEvidence:
        """Walks with the network's alpha."""
        return self._evidence.at(self.network.alpha.item())

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, Q) for users (B,)."""
        scores = np.empty((users.size, self._log_degrees.size), dtype=np.float32)
        for start in range(0, users.size, USERS_AT_A_TIME):
            part = slice(start, start + USERS_AT_A_TIME)
            scores[part] = self.joined(self.reads(users[part]))
        return scores

    def joined(self, reads: Reads) -> NDArray[np.float32]:
        """Returns r_ui in the shape of the reads."""
        return self.network.joined(reads)

    @torch.no_grad()
    def reads(self, users: NDArray[np.int64], *, everything: bool = False) -> Reads:
        """Returns what the scores of users (B,) and all items are made of.

        Args:
            users: row numbers.
            everything: compute reads whose weight is zero, too; else they are zeros.
        """
        network, walks = self.network, self.evidence
        evidence = walks.catalogue(walks.rows(users), network.gamma.item(), network.delta.item())
        affinity = linear = np.broadcast_to(np.float32(0), evidence.shape)
        if network.affinity.item() or everything:
            affinity = network.affinities(torch.from_numpy(users)).numpy()
        if self.linear is not None and (network.items.item() or everything):
            linear = _bent(self.linear.score(users))
        log_degrees = np.broadcast_to(self._log_degrees, evidence.shape)
        return Reads(evidence, log_degrees, affinity, linear)

    @torch.no_grad()
    def score_candidates(
        self, users: NDArray[np.int64], candidates: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, n) for users (B,) and items (B, n)."""
        network = self.network
        at_a_time = max(1, NUMBERS_AT_A_TIME // max(len(network.user_memory), 1))
        scores = np.empty(candidates.shape, dtype=np.float32)
        for start in range(0, users.size, at_a_time):
            some = users[start : start + at_a_time]
            columns = candidates[start : start + at_a_time]
            evidence = self.evidence.candidates(
                self.evidence.rows(some), columns, network.gamma.item(), network.delta.item()
            )
            affinity = linear = np.zeros_like(evidence)
            if network.affinity.item():
                memories = network.user_memory[torch.from_numpy(some)]
                affinity = network.affinities_to(memories, torch.from_numpy(columns)).numpy()
            if self.linear is not None and network.items.item():
                linear = _bent(self.linear.score_candidates(some, columns))
            reads = Reads(evidence, self._log_degrees[columns], affinity, linear)
            scores[start : start + at_a_time] = self.joined(reads)
        return scores


class LeftOutScorer:
    """Scores all items by evidence alone, for users without one of their training edges.

    For an edge (u, i) these are the scores of the graph without it: no walk of u leads through i,
    d_u and d_i are one less, and u is no neighbour of its own. All other edges stay.

    Args:
        scorer: over the whole graph.
        users: distinct row numbers (n,).
        items: of each, the item left out, (n,).
    """

    def __init__(
        self, scorer: EvidenceScorer, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> None:
        matrix = scorer.evidence.matrix
        edges = sparse.csr_array((np.ones(users.size, np.float32), (users, items)), matrix.shape)
        self.histories = sparse.csr_array(matrix - edges)
        self.histories.eliminate_zeros()
        self._scorer = scorer
        self._item_of = np.zeros(matrix.shape[0], dtype=np.int64)
        self._item_of[users] = items

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users (B,)."""
        evidence, network = self._scorer.evidence, self._scorer.network
        rows = evidence.rows_apart(users, self.histories[users])
        read = evidence.catalogue(rows, network.gamma.item(), network.delta.item())
        degrees = np.tile(evidence.item_degrees, (users.size, 1))
        degrees[np.arange(users.size), self._item_of[users]] -= 1
        log_degrees = np.log(np.maximum(degrees, 1)).astype(np.float32)
        return network.joined(Reads(read, log_degrees, *2 * [np.zeros((), np.float32)]))


class NewcomerScorer:
    """Scores all items for users who join the graph and have no memory: no affinity is read.

    Args:
        scorer: over the graph without them, which stays as it is.
        histories: what each of them has, binary CSR (k, Q).
    """

    def __init__(self, scorer: EvidenceScorer, histories: sparse.csr_array) -> None:
        self._network, self._linear = scorer.network, scorer.linear
        self._first = scorer.evidence.matrix.shape[0]
        self._evidence = scorer.evidence.joined_by(histories)
        self._log_degrees = _log_degrees(self._evidence)
        self._histories = histories

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for row numbers of the histories (B,)."""
        network, evidence, nothing = self._network, self._evidence, np.zeros((), np.float32)
        rows = evidence.rows(self._first + users)
        read = evidence.catalogue(rows, network.gamma.item(), network.delta.item())
        linear = nothing
        if self._linear is not None and network.items.item():
            linear = _bent(self._linear.score_histories(self._histories[users]))
        return network.joined(Reads(read, self._log_degrees, nothing, linear))


class AffinityScorer:
    """Scores all items by cos(m_u, e_i) alone.

    Args:
        network: the model.
    """

    def __init__(self, network: EvidenceNetwork) -> None:
        self._network = network

    @torch.no_grad()
    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users (B,)."""
        return self._network.affinities(torch.from_numpy(users)).numpy()


def _log_degrees(evidence: WalkEvidence) -> NDArray[np.float32]:
    """Returns log d_i of all items, (Q,)."""
    return np.log(np.maximum(evidence.item_degrees, 1)).astype(np.float32)


def _bent(read: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns asinh(Y / .02), in place."""
    read /= np.float32(LINEAR_UNIT)
    return np.arcsinh(read, out=read)
