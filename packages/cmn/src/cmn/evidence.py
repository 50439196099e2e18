"""Evidence: how strongly walks through shared items lead from a user to every other user.

With d_u = |I(u)| and d_j = |N(j)|: s_uv = sum over j in I(u) and I(v) of (d_u d_j)^-alpha, v not
u. Read over a neighbourhood without dividing by anything, Z_ui = sum over v in N(i) of
s_uv d_v^-alpha, and d_i^-beta Z_ui is RP3beta's score (Paudel et al., 2017), unpruned.

Letters: B users of a batch, P users, Q items.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse

from cmn.neighbourhoods import Neighbourhoods

if TYPE_CHECKING:
    from numpy.typing import NDArray


class WalkEvidence:
    """Gives s_uv of any users.

    An edge of the graph sees itself: its user stands in N(i), and every member of N(i) shares item
    i with the user, which is never so for an item yet to be found. Whatever is learnt from evidence
    must be learnt from edges that are not in the graph, such as a validation set's.

    Args:
        matrix: binary training CSR (P, Q).
        alpha: exponent of the steps' probabilities, at least 0.
        max_neighbours: an item with more members is walked through by a random sample of this
            many, each counting |N(j)| / max_neighbours times; 0 walks through all. A sampled s_uv
            is unbiased. A power g of it is not: by Jensen's inequality E[s^g] is too large for
            g > 1, by about g (g - 1) / 2 times the squared coefficient of variation.
        generator: source of the sample.
    """

    def __init__(
        self,
        matrix: sparse.csr_array,
        alpha: float,
        max_neighbours: int = 0,
        generator: np.random.Generator | None = None,
    ) -> None:
        self.matrix = matrix
        self.members = Neighbourhoods(matrix)
        self.user_degrees = np.diff(matrix.indptr).astype(np.int64)
        by_item = sparse.csr_array(matrix.T.tocsr())
        self.item_degrees = np.diff(by_item.indptr).astype(np.int64)
        self.alpha = alpha
        self._max_neighbours = max_neighbours
        if max_neighbours:
            by_item = _sampled(by_item, max_neighbours, generator or np.random.default_rng(0))
        self.by_item = by_item

    def at(self, alpha: float) -> WalkEvidence:
        """Returns the evidence of walks with another exponent, over the same graph and sample."""
        other = copy.copy(self)
        other.alpha = alpha
        return other

    def joined_by(self, newcomers: sparse.csr_array) -> WalkEvidence:
        """Returns the evidence of the graph with k more users behind its own, binary CSR (k, Q)."""
        grown = sparse.csr_array(sparse.vstack([self.matrix, newcomers], format="csr"))
        return WalkEvidence(grown, self.alpha, self._max_neighbours)

    def rows(self, users: NDArray[np.int64]) -> sparse.csr_array:
        """Returns s_uv of users (B,) in the graph and all v, CSR (B, P), float32."""
        return self.rows_apart(users, self.matrix[users])

    def rows_apart(self, users: NDArray[np.int64], histories: sparse.csr_array) -> sparse.csr_array:
        """Returns s_uv of users (B,) in the graph who have other items, binary CSR (B, Q)."""
        reached = self.rows_of(histories)
        here = np.repeat(users, np.diff(reached.indptr)) == reached.indices
        reached.data[here] = 0
        reached.eliminate_zeros()
        return reached

    def rows_of(self, histories: sparse.csr_array) -> sparse.csr_array:
        """Returns s_uv of users who need not be in the graph, by binary CSR (B, Q), CSR (B, P)."""
        degrees = np.maximum(np.diff(histories.indptr), 1).astype(np.float32)
        owners = np.repeat(np.arange(degrees.size), np.diff(histories.indptr))
        members = np.maximum(self.item_degrees[histories.indices], 1).astype(np.float32)
        values = (degrees[owners] * members) ** np.float32(-self.alpha)
        steps = sparse.csr_array((values, histories.indices, histories.indptr), histories.shape)
        return sparse.csr_array(steps @ self.by_item)

    def catalogue(self, rows: sparse.csr_array, gamma: float, delta: float) -> NDArray[np.float32]:
        """Returns Z_ui = sum over v in N(i) of s_uv^gamma d_v^-delta for all items, (B, Q).

        Args:
            rows: s_uv, CSR (B, P).
            gamma: sharpness, above 0.
            delta: exponent that holds back users with many items.
        """
        weighted = self._weighted(rows, gamma, delta)
        return np.asarray((weighted @ self.matrix).toarray(), dtype=np.float32)

    def candidates(
        self,
        rows: sparse.csr_array,
        columns: NDArray[np.int64],
        gamma: float,
        delta: float,
    ) -> NDArray[np.float32]:
        """Returns Z_ui of a few items for each user, (B, n), for columns (B, n); see above."""
        strengths = self._weighted(rows, gamma, delta).toarray()
        gathered = self.members.gather(torch.from_numpy(columns.ravel()))
        pairs = gathered.segments.numpy()
        values = strengths[pairs // columns.shape[1], gathered.members.numpy()]
        sums = np.bincount(pairs, weights=values, minlength=columns.size)
        return sums.astype(np.float32).reshape(columns.shape)

    def _weighted(self, rows: sparse.csr_array, gamma: float, delta: float) -> sparse.csr_array:
        """Returns s_uv^gamma d_v^-delta, CSR (B, P)."""
        held_back = np.maximum(self.user_degrees, 1).astype(np.float32) ** np.float32(-delta)
        values = rows.data ** np.float32(gamma) * held_back[rows.indices]
        return sparse.csr_array((values, rows.indices, rows.indptr), rows.shape)


def _sampled(
    lists: sparse.csr_array, most: int, generator: np.random.Generator
) -> sparse.csr_array:
    """Returns lists with at most `most` random members, weighted up to their old total."""
    lengths = np.diff(lists.indptr)
    owners = np.repeat(np.arange(lengths.size), lengths)
    order = np.lexsort((generator.random(lists.nnz), owners))
    places = np.empty(lists.nnz, dtype=np.int64)
    places[order] = np.arange(lists.nnz) - np.repeat(lists.indptr[:-1], lengths)
    kept = places < most
    weights = np.maximum(lengths / most, 1).astype(np.float32)[owners[kept]]
    return sparse.csr_array((weights, (owners[kept], lists.indices[kept])), lists.shape)
