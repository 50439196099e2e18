"""Ranking: what every fitted model can be asked, by ids: scores, the best items, tables of them.

Letters: B users, Q items, n items wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cmn.errors import NotFittedError, ParameterError
from cmn.evaluation import USERS_AT_A_TIME, best_columns, evaluate
from cmn.frames import to_frame
from cmn.identifiers import NOTHING, Identifiers, as_labels
from cmn.interactions import Interactions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray
    from scipy import sparse

    from cmn.evaluation import Scorer
    from cmn.interactions import HeldOut


@dataclass(frozen=True)
class RowScorer:
    """A model seen by row and column numbers instead of ids, as `cmn.evaluate` needs it.

    Attributes:
        score: returns scores (B, Q) for row numbers (B,).
        score_candidates: returns scores (B, n) for row numbers (B,) and column numbers (B, n),
            where that is cheaper than scoring all items; otherwise None.
    """

    score: Callable[[NDArray[np.int64]], NDArray[np.float32]]
    score_candidates: (
        Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]] | None
    ) = None


class Ranker:
    """A fitted model asked by ids: `score`, `recommend`, `recommend_frame`, `evaluate`.

    A subclass calls `_remember` with what it has learnt from and says how it scores in `_scores`.
    """

    _train: sparse.csr_array | None = None

    def _remember(self, interactions: Interactions) -> None:
        self._train = interactions.matrix
        self._users = Identifiers("users", interactions.user_ids)
        self._items = Identifiers("items", interactions.item_ids)

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores of all items, (B, Q), for row numbers (B,)."""
        raise NotImplementedError

    @property
    def scorer(self) -> Scorer:
        """This model by row and column numbers.

        Raises:
            NotFittedError: before `fit`.
        """
        self.train_matrix  # noqa: B018  refuses an unfitted model
        return RowScorer(self._scores)

    @property
    def train_matrix(self) -> sparse.csr_array:
        """The binary CSR (P, Q) that was learnt from.

        Raises:
            NotFittedError: before `fit`.
        """
        if self._train is None:
            raise NotFittedError(f"{type(self).__name__} has not been fitted; call fit first")
        return self._train

    @property
    def interactions(self) -> Interactions:
        """The matrix that was learnt from with the ids of its rows and columns."""
        return Interactions(self.train_matrix, self._users.labels, self._items.labels)

    def score(self, users: ArrayLike, items: ArrayLike | None = None) -> NDArray[np.float32]:
        """Returns scores, (B, Q) or (B, n); a higher score ranks earlier.

        Args:
            users: B ids.
            items: n ids; all Q, in the order of `interactions.item_ids`, if not given.

        Raises:
            InteractionsError: an id is unknown.
            NotFittedError: before `fit`.
        """
        self.train_matrix  # noqa: B018  refuses an unfitted model
        rows = self._users.numbers(users)
        columns = None if items is None else self._items.numbers(items)
        scores = self._scores(rows)
        return scores if columns is None else scores[:, columns]

    def recommend(
        self,
        users: ArrayLike,
        n: int = 10,
        filter_seen: bool = True,
        items: ArrayLike | None = None,
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Returns the ids of each user's best items and their scores, best first, each (B, n).

        Where a user has fewer than n candidates, the rest has a score of minus infinity and the id
        -1, or None where ids are not numbers. Users go through in batches, so that memory does not
        grow with B x Q.

        Args:
            users: B ids.
            n: items wanted, from 1 to the number of candidates.
            filter_seen: leave out the items the user was trained on.
            items: ids of the candidates; the whole catalogue if not given.

        Raises:
            InteractionsError: an id is unknown.
            ParameterError: n is out of range.
            NotFittedError: before `fit`.
        """
        matrix = self.train_matrix
        rows = self._users.numbers(users)
        columns = None if items is None else np.unique(self._items.numbers(items))
        size = matrix.shape[1] if columns is None else columns.size
        if not 1 <= n <= size:
            raise ParameterError(f"n is {n}; 1 to {size}, the number of candidates, is allowed")
        found = np.empty((rows.size, n), dtype=np.int64)
        values = np.empty((rows.size, n), dtype=np.float32)
        for start in range(0, rows.size, USERS_AT_A_TIME):
            batch = slice(start, start + USERS_AT_A_TIME)
            scores = np.array(self._scores(rows[batch]))
            if filter_seen:
                scores[matrix[rows[batch]].nonzero()] = -np.inf
            if columns is not None:
                scores = scores[:, columns]
            best = best_columns(scores, n)
            values[batch] = np.take_along_axis(scores, best, axis=1)
            best = best if columns is None else columns[best]
            found[batch] = np.where(np.isfinite(values[batch]), best, NOTHING)
        return self._items.of(found), values

    def recommend_frame(
        self,
        users: ArrayLike,
        n: int = 10,
        filter_seen: bool = True,
        items: ArrayLike | None = None,
        library: str = "pandas",
    ) -> Any:
        """Returns recommendations as a table of user, item, rank (from 1) and score.

        Args:
            users: B ids.
            n: items wanted of each user; who has fewer candidates has fewer rows.
            filter_seen: leave out the items the user was trained on.
            items: ids of the candidates; the whole catalogue if not given.
            library: whose table: `pandas`, `polars` or `arrow`.

        Raises:
            InteractionsError: an id is unknown.
            ParameterError: n or library is out of range.
            MissingDependencyError: the library is not installed.
            NotFittedError: before `fit`.
        """
        ids, scores = self.recommend(users, n, filter_seen, items)
        return to_frame(recommendation_columns(self._users.labels, users, ids, scores), library)

    def evaluate(self, held_out: HeldOut, seen: sparse.csr_array | None = None) -> dict[str, float]:
        """Returns metrics at 5 and 10 of held-out items; see `cmn.evaluate`.

        Args:
            held_out: row and column numbers of what was held out.
            seen: interactions to mask; those trained on by default.

        Raises:
            NotFittedError: before `fit`.
        """
        matrix = self.train_matrix
        return evaluate(self.scorer, held_out, matrix if seen is None else seen)


def recommendation_columns(
    labels: NDArray[Any], users: ArrayLike, ids: NDArray[Any], scores: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """Returns recommendations (B, n) as columns of user, item, rank and score, gaps left out.

    Args:
        labels: ids of known users, whose type the column has.
        users: B ids.
        ids: as of `recommend`.
        scores: as of `recommend`.
    """
    rows, ranks = np.nonzero(np.isfinite(scores))
    return {
        "user": as_labels("users", users).astype(labels.dtype)[rows],
        "item": ids[rows, ranks],
        "rank": ranks + 1,
        "score": scores[rows, ranks],
    }
