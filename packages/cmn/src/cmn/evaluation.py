"""Evaluation: HR@k and NDCG@k of held-out items, over the full catalogue and over published rivals.

Letters: B users in a batch, Q items, n held-out users, k negatives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from cmn.errors import TrainingDivergedError
from cmn.interactions import check_indices

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from cmn.interactions import HeldOut

CUTOFFS = (5, 10)
USERS_AT_A_TIME = 256


class Scorer(Protocol):
    """What can be evaluated: anything that scores all items for a batch of users."""

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users (B,); a higher score ranks earlier."""


def hit_ratio(
    greater: NDArray[np.int64], ties: NDArray[np.int64], cutoff: int
) -> NDArray[np.float64]:
    """Returns the expected hit in the first `cutoff` ranks when ties are broken by chance, (n,).

    Args:
        greater: (n,), how many rivals score above the target.
        ties: (n,), how many rivals score the same.
        cutoff: ranks that count, at least 1.
    """
    return np.clip(cutoff - greater, 0, ties + 1) / (ties + 1)


def ndcg(greater: NDArray[np.int64], ties: NDArray[np.int64], cutoff: int) -> NDArray[np.float64]:
    """Returns the expected 1 / log2(rank + 2), rank from 0, over the same ties, (n,).

    Ranks from `cutoff` on give 0; arguments are those of `hit_ratio`.
    """
    gains = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(cutoff) + 2))])
    first = np.minimum(greater, cutoff)
    last = np.minimum(greater + ties + 1, cutoff)
    return (gains[last] - gains[first]) / (ties + 1)


def evaluate(
    scorer: Scorer, held_out: HeldOut, seen: sparse.csr_array, cutoffs: tuple[int, ...] = CUTOFFS
) -> dict[str, float]:
    """Returns mean HR and NDCG at each cutoff, keyed `hr@10`, `ndcg@10` and so on.

    Full ranking: the held-out item against every item the user has not seen. Where the held-out
    set has published negatives there are two more groups: `raw_`, against those negatives as they
    are, and `masked_`, without the negatives the user is known to have interacted with.

    Args:
        scorer: the model, by row and column numbers.
        held_out: one item for each of n users.
        seen: binary CSR (P, Q) of the interactions to mask; the held-out ones not among them.
        cutoffs: ranks that count.

    Raises:
        InteractionsError: a held-out user, item or negative is out of range.
        TrainingDivergedError: a score is NaN or infinite.
    """
    check_indices("held-out users", held_out.users, seen.shape[0])
    check_indices("held-out items", held_out.items, seen.shape[1])
    if held_out.negatives is not None:
        check_indices("held-out negatives", held_out.negatives.ravel(), seen.shape[1])
    counts: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {}
    for start in range(0, held_out.users.size, USERS_AT_A_TIME):
        batch = slice(start, start + USERS_AT_A_TIME)
        users, items = held_out.users[batch], held_out.items[batch]
        scores = np.array(scorer.score(users))
        if not np.isfinite(scores).all():
            raise TrainingDivergedError(
                "scores are not finite, the model has diverged; a lower learning_rate may help"
            )
        rows = np.arange(users.size)
        targets = scores[rows, items][:, None]
        groups = {"": scores}
        if held_out.negatives is not None:
            groups["raw_"] = scores[rows[:, None], held_out.negatives[batch]]
        scores[seen[users].nonzero()] = -np.inf
        scores[rows, items] = -np.inf
        if held_out.negatives is not None:
            groups["masked_"] = scores[rows[:, None], held_out.negatives[batch]]
        for name, rivals in groups.items():
            above, equal = (rivals > targets).sum(1), (rivals == targets).sum(1)
            counts.setdefault(name, []).append((above, equal))
    metrics = {}
    for name, parts in counts.items():
        greater, ties = (np.concatenate(column) for column in zip(*parts, strict=True))
        for cutoff in cutoffs:
            metrics[f"{name}hr@{cutoff}"] = float(hit_ratio(greater, ties, cutoff).mean())
            metrics[f"{name}ndcg@{cutoff}"] = float(ndcg(greater, ties, cutoff).mean())
    return metrics
