"""Evaluation: ranks held-out items among all items, or among given rivals, and measures.

Letters: B users in a batch, Q items, n held-out interactions of m users, k rivals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cmn.errors import ParameterError, TrainingDivergedError
from cmn.interactions import check_indices
from cmn.metrics import METRICS, TieGroups, of_lists

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from cmn.interactions import HeldOut

CUTOFFS = (5, 10)
USERS_AT_A_TIME = 256


class Scorer(Protocol):
    """What can be evaluated: anything that scores all items for a batch of users.

    It may also have `score_candidates(users (B,), items (B, n))`, which scores only those (B, n).
    """

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users (B,); a higher score ranks earlier."""


@dataclass(frozen=True)
class Evaluation:
    """What was measured, user by user.

    Attributes:
        users: row numbers (m,).
        per_user: metrics by name, such as `ndcg@10`, each (m,).
        lists: metrics of all lists together, such as `coverage@10`.
    """

    users: NDArray[np.int64]
    per_user: dict[str, NDArray[np.float64]]
    lists: dict[str, float]

    def means(self) -> dict[str, float]:
        """Returns the mean over users of every metric, then the metrics of lists."""
        means = {name: float(values.mean()) for name, values in self.per_user.items()}
        return {**means, **self.lists}


def evaluate(
    scorer: Any, held_out: HeldOut, seen: sparse.csr_array, cutoffs: tuple[int, ...] = CUTOFFS
) -> dict[str, float]:
    """Returns the means of `assess` over users, keyed `hr@10`, `ndcg@10` and so on."""
    return assess(scorer, held_out, seen, cutoffs, lists=False).means()


def assess(
    scorer: Any,
    held_out: HeldOut,
    seen: sparse.csr_array,
    cutoffs: tuple[int, ...] = CUTOFFS,
    *,
    lists: bool = True,
    sampled_only: bool = False,
) -> Evaluation:
    """Measures HR, NDCG, MRR, MAP and recall at each cutoff, for each user.

    Full ranking: a user's held-out items against every item the user has not seen. Where the
    held-out set has rivals there are two more groups: `raw_`, against those rivals as they are, and
    `masked_`, without the rivals the user is known to have interacted with.

    Args:
        scorer: a fitted model, or a `Scorer` by row and column numbers.
        held_out: one interaction of each user or several.
        seen: binary CSR (P, Q) of the interactions to mask; the held-out ones not among them.
        cutoffs: ranks that count, each at least 1.
        lists: measure coverage, Gini index, novelty and popularity lift of the recommendation
            lists, too; equal scores come there in the order of their columns.
        sampled_only: leave full ranking (and `lists`) out, so that only rivals need scores.

    Raises:
        InteractionsError: a held-out user, item or rival is out of range.
        ParameterError: nothing is held out, a cutoff is below 1, or there are no rivals.
        TrainingDivergedError: a score is NaN or infinite.
    """
    scorer = getattr(scorer, "scorer", scorer)
    _check(held_out, seen, cutoffs, sampled_only)
    order = np.argsort(held_out.users, kind="stable")
    items = held_out.items[order]
    rivals = None if held_out.negatives is None else held_out.negatives[order]
    users, numbers = np.unique(held_out.users[order], return_inverse=True)
    starts = np.searchsorted(numbers, np.arange(users.size + 1))
    counts: dict[str, list[tuple[NDArray[Any], ...]]] = {}
    best: list[NDArray[np.int64]] = []
    for first in range(0, users.size, USERS_AT_A_TIME):
        rows = users[first : first + USERS_AT_A_TIME]
        entries = slice(starts[first], starts[first + rows.size])
        local = numbers[entries] - first
        targets = items[entries]
        known = seen[rows]
        if sampled_only and rivals is not None:
            scores = _candidate_scores(scorer, rows[local], targets, rivals[entries])
            mine, sampled = scores[:, 0], scores[:, 1:]
        else:
            scores = _finite(np.array(scorer.score(rows)))
            mine = scores[local, targets]
            if rivals is not None:
                sampled = scores[local[:, None], rivals[entries]]
            scores[known.nonzero()] = -np.inf
            if lists:
                best.append(_best_lists(scores, max(cutoffs)))
            scores[local, targets] = -np.inf
            _count(counts, "", _ranks(scores, local, mine), mine)
        if rivals is not None:
            _count(counts, "raw_", _compare(sampled, mine), mine)
            had = _contains(known, local, rivals[entries])
            sampled = np.where(had | (rivals[entries] == targets[:, None]), -np.inf, sampled)
            _count(counts, "masked_", _compare(sampled, mine), mine)
    per_user = {}
    for group, parts in counts.items():
        greater, ties, mine = (np.concatenate(column) for column in zip(*parts, strict=True))
        groups = TieGroups.of(numbers, mine.astype(np.float64), greater, ties)
        for cutoff in cutoffs:
            for name, metric in METRICS.items():
                per_user[f"{group}{name}@{cutoff}"] = metric(groups, cutoff)
    if not best:
        return Evaluation(users, per_user, {})
    return Evaluation(users, per_user, _measure_lists(np.concatenate(best), users, seen, cutoffs))


def best_columns(scores: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Returns the columns of the n largest scores of each row, best first, (B, n).

    Equal scores come in the order of their columns.

    Args:
        scores: (B, Q) without NaN.
        n: at most Q.
    """
    if n == scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    best = np.empty((len(scores), n), dtype=np.int64)
    for row, values in enumerate(scores):
        least = np.partition(values, -n)[-n]
        above, equal = np.flatnonzero(values > least), np.flatnonzero(values == least)
        columns = np.concatenate([above, equal[: n - above.size]])
        best[row] = columns[np.argsort(-values[columns], kind="stable")]
    return best


def _check(
    held_out: HeldOut, seen: sparse.csr_array, cutoffs: tuple[int, ...], sampled_only: bool
) -> None:
    check_indices("held-out users", held_out.users, seen.shape[0])
    check_indices("held-out items", held_out.items, seen.shape[1])
    if held_out.negatives is not None:
        check_indices("held-out negatives", held_out.negatives.ravel(), seen.shape[1])
    if held_out.users.size == 0:
        raise ParameterError("held_out has 0 interactions; at least 1 is needed to measure")
    if not cutoffs or min(cutoffs) < 1:
        raise ParameterError(f"cutoffs is {cutoffs}; numbers of at least 1 are needed")
    if sampled_only and held_out.negatives is None:
        raise ParameterError("held_out has no negatives; without them only full ranking is there")


def _finite(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(scores).all():
        raise TrainingDivergedError(
            "scores are not finite, the model has diverged; a lower learning_rate may help"
        )
    return scores


def _candidate_scores(
    scorer: Any, users: NDArray[np.int64], items: NDArray[np.int64], rivals: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Returns the scores of held-out items and their rivals, (b, 1 + k)."""
    candidates = np.column_stack([items, rivals])
    if getattr(scorer, "score_candidates", None) is not None:
        return _finite(np.asarray(scorer.score_candidates(users, candidates)))
    distinct, rows = np.unique(users, return_inverse=True)
    return _finite(np.asarray(scorer.score(distinct))[rows[:, None], candidates])


def _ranks(
    scores: NDArray[np.float32], rows: NDArray[np.int64], targets: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns how many of its row's scores are above and equal to each target, (b,) and (b,)."""
    if (np.diff(rows) == 1).all():  # one target a row: no need to sort
        return _compare(scores, targets)
    ordered = np.sort(scores, axis=1)
    bounds = np.array(
        [
            [np.searchsorted(ordered[row], target, side) for side in ("left", "right")]
            for row, target in zip(rows, targets, strict=True)
        ]
    )
    return scores.shape[1] - bounds[:, 1], bounds[:, 1] - bounds[:, 0]


def _contains(
    matrix: Any, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tells which entries of rows (b,) and columns (b, k) are stored, (b, k)."""
    found: NDArray[np.bool_] = matrix[rows[:, None], columns].toarray() > 0
    return found


def _compare(
    rivals: NDArray[np.float32], targets: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return (rivals > targets[:, None]).sum(axis=1), (rivals == targets[:, None]).sum(axis=1)


def _count(
    counts: dict[str, list[tuple[NDArray[Any], ...]]],
    group: str,
    ranks: tuple[NDArray[np.int64], NDArray[np.int64]],
    targets: NDArray[np.float32],
) -> None:
    counts.setdefault(group, []).append((*ranks, targets))


def _best_lists(scores: NDArray[np.float32], length: int) -> NDArray[np.int64]:
    """Returns the columns of the best scores, -1 where only minus infinity is left, (B, length)."""
    best = best_columns(scores, min(length, scores.shape[1]))
    return np.where(np.isfinite(np.take_along_axis(scores, best, axis=1)), best, -1)


def _measure_lists(
    best: NDArray[np.int64],
    users: NDArray[np.int64],
    seen: sparse.csr_array,
    cutoffs: tuple[int, ...],
) -> dict[str, float]:
    popularity = np.bincount(seen.indices, minlength=seen.shape[1])
    own = seen[users]
    profiles = (own @ popularity) / np.maximum(own.sum(axis=1), 1)
    measured: dict[str, float] = {}
    for cutoff in cutoffs:
        lists = of_lists(best[:, :cutoff], popularity, profiles, seen.shape[0])
        measured |= {f"{name}@{cutoff}": value for name, value in lists.items()}
    return measured
