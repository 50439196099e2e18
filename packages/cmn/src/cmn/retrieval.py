"""Retrieval: recommendations in two stages, for catalogues too large to score whole.

First the items whose memories lie nearest to the user's are looked up in a graph (HNSW, Malkov and
Yashunin, 2018, by faiss); then the model scores these alone, exactly. What the first stage misses
is lost, so measure `recall` before use.

Letters: B users, P users in all, Q items, n items wanted, d the embedding size.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from cmn.errors import MissingDependencyError, ParameterError
from cmn.evaluation import best_columns
from cmn.evidence_network import EvidenceNetwork
from cmn.identifiers import NOTHING
from cmn.ranking import Ranker

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cmn.interactions import Interactions
    from cmn.model import CMNNetwork
    from cmn.ranking import RowScorer

USERS_AT_A_TIME = 64
LINKS = 32  # of each item in the graph
EFFORT = 2  # items looked at for each that is wanted


class TwoStage(Ranker):
    """A fitted model that looks at a few hundred items of a user instead of all.

    Args:
        scorer: of the model, with `score_candidates`.
        network: the model's.
        interactions: what it was fitted to.
        candidates: unseen items that the first stage brings, at least 1.

    Raises:
        ParameterError: candidates is out of range.
        MissingDependencyError: faiss is not installed.
    """

    def __init__(
        self,
        scorer: RowScorer,
        network: CMNNetwork | EvidenceNetwork,
        interactions: Interactions,
        candidates: int,
    ) -> None:
        n_items = interactions.matrix.shape[1]
        if not 1 <= candidates <= n_items:
            raise ParameterError(f"candidates is {candidates}; 1 to {n_items} is allowed")
        try:
            faiss = import_module("faiss")
        except ImportError as error:
            raise MissingDependencyError(
                "two-stage retrieval needs faiss, which the extra cmn[retrieval] brings;"
                " install it with: pip install faiss-cpu"
            ) from error
        self._remember(interactions)
        self._scorer, self._candidates = scorer, candidates
        self._queries, vectors = _vectors(network)
        self._index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        self._index.add(vectors)
        self._effort = faiss.SearchParametersHNSW

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._scorer.score(rows)

    def recommend(
        self,
        users: ArrayLike,
        n: int = 10,
        filter_seen: bool = True,
        items: ArrayLike | None = None,
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Returns the best of the items that the first stage found; see `Ranker.recommend`.

        Args:
            users: B ids.
            n: items wanted, from 1 to `candidates`.
            filter_seen: leave out the items the user was trained on.
            items: must be None; with candidates of your own there is nothing to retrieve.

        Raises:
            InteractionsError: an id is unknown.
            ParameterError: n is out of range, or items are given.
        """
        if items is not None:
            raise ParameterError("items is given; ask the model itself, which scores those alone")
        if not 1 <= n <= self._candidates:
            raise ParameterError(f"n is {n}; 1 to {self._candidates}, candidates, is allowed")
        rows = self._users.numbers(users)
        found = np.empty((rows.size, n), dtype=np.int64)
        values = np.empty((rows.size, n), dtype=np.float32)
        for start in range(0, rows.size, USERS_AT_A_TIME):
            batch = slice(start, start + USERS_AT_A_TIME)
            near = self._near(rows[batch])
            scores = self._exact(rows[batch], near, filter_seen)
            best = best_columns(scores, n)
            values[batch] = np.take_along_axis(scores, best, axis=1)
            columns = np.take_along_axis(near, best, axis=1)
            found[batch] = np.where(np.isfinite(values[batch]), columns, NOTHING)
        return self._items.of(found), values

    def recall(self, users: ArrayLike, n: int = 10) -> float:
        """Returns the share of the model's exact n best unseen items that both stages find.

        Args:
            users: B ids, some hundred of them will do.
            n: from 1 to `candidates`.

        Raises:
            InteractionsError: an id is unknown.
            ParameterError: n is out of range.
        """
        exact, values = super().recommend(users, n)
        found, _ = self.recommend(users, n)
        hits = [
            np.isin(mine[np.isfinite(there)], theirs).sum()
            for mine, theirs, there in zip(exact, found, values, strict=True)
        ]
        return float(sum(hits) / max(np.isfinite(values).sum(), 1))

    def _near(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the columns nearest to each user, (B, m); -1 where the graph had no more."""
        most_seen = int(np.diff(self.train_matrix.indptr)[rows].max(initial=0))
        wanted = min(self._candidates + most_seen, self.train_matrix.shape[1])
        effort = self._effort(efSearch=EFFORT * wanted)
        near: NDArray[np.int64] = self._index.search(self._queries[rows], wanted, params=effort)[1]
        return near

    def _exact(
        self, rows: NDArray[np.int64], near: NDArray[np.int64], filter_seen: bool
    ) -> NDArray[np.float32]:
        """Returns the model's scores of items (B, m), minus infinity where there is none."""
        if self._scorer.score_candidates is None:
            raise TypeError("the scorer cannot score candidates")
        scores = np.array(self._scorer.score_candidates(rows, np.maximum(near, 0)))
        scores[near < 0] = -np.inf
        if filter_seen:
            seen = self.train_matrix[rows]
            for place, columns in enumerate(near):
                theirs = seen.indices[seen.indptr[place] : seen.indptr[place + 1]]
                scores[place, np.isin(columns, theirs)] = -np.inf
        return scores


def _vectors(
    network: CMNNetwork | EvidenceNetwork,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns (P, d) and (Q, d) whose inner products are the part of the score without neighbours.

    Of the paper's network it is that part but for the ReLU: v . U (m_u * e_i).
    """
    user, item = network.user_memory.detach(), network.item_memory.detach()
    if isinstance(network, EvidenceNetwork):
        user, item = (functional.normalize(memory, dim=1) for memory in (user, item))
    else:
        pairwise = network.output_layer.weight.detach()[:, : user.shape[1]]
        user = user * (network.output_weight.detach() @ pairwise)
    return torch.Tensor.numpy(user.contiguous()), torch.Tensor.numpy(item.contiguous())
