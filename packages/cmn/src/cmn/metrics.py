"""Metrics: expected values of ranking metrics over all orders of tied items, per user.

A held-out item is *relevant*, every other candidate a *rival*. Where scores tie, every order of the
tied items is as likely as any other, and the value is the mean over these orders (McSherry and
Najork, 2008): a constant scorer gets what chance gives.

Letters: n held-out interactions, m users who have some, G tie groups, k the cutoff.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Counts = NDArray[np.int64]


@dataclass(frozen=True)
class TieGroups:
    """The relevant items of each user, those with equal scores in one group, best group first.

    Attributes:
        users: (G,), 0 to m - 1, in ascending order.
        relevant: (G,), r, relevant items in the group, at least 1.
        size: (G,), N, relevant items and rivals in the group.
        above: (G,), t, items ranked above the group.
        relevant_above: (G,), R, relevant ones among them.
    """

    users: Counts
    relevant: Counts
    size: Counts
    above: Counts
    relevant_above: Counts

    @classmethod
    def of(cls, users: Counts, scores: Values, greater: Counts, ties: Counts) -> TieGroups:
        """Groups held-out interactions, each array (n,).

        Args:
            users: 0 to m - 1.
            scores: of the held-out items.
            greater: how many rivals score above each.
            ties: how many rivals score the same.
        """
        order = np.lexsort((-scores, users))
        users, scores = users[order], scores[order]
        first = np.ones(users.size, dtype=bool)
        first[1:] = (users[1:] != users[:-1]) | (scores[1:] != scores[:-1])
        starts = np.flatnonzero(first)
        relevant = np.diff(np.append(starts, users.size))
        users = users[starts]
        before = np.arange(users.size) - np.searchsorted(users, users)  # groups of the same user
        sums = np.concatenate([[0], np.cumsum(relevant)])
        relevant_above = sums[np.arange(users.size)] - sums[np.arange(users.size) - before]
        rivals_above = greater[order][starts]
        size = relevant + ties[order][starts]
        return cls(users, relevant, size, rivals_above + relevant_above, relevant_above)

    @property
    def totals(self) -> Counts:
        """Returns each user's number of relevant items, (m,)."""
        return np.bincount(self.users, self.relevant).astype(np.int64)

    def per_user(self, values: Values) -> Values:
        """Returns the sum of values (G,) over each user's groups, (m,)."""
        return np.bincount(self.users, values).astype(np.float64, copy=False)

    def places(self, cutoff: int) -> tuple[Counts, NDArray[np.bool_]]:
        """Returns the ranks (from 0) of a group's first k places, (G, k), and which count."""
        offset = np.arange(cutoff)
        ranks = self.above[:, None] + offset
        return ranks, (offset < self.size[:, None]) & (ranks < cutoff)


def discounts(cutoff: int) -> Values:
    """Returns 1 / log2(rank + 2) for ranks 0 to k - 1."""
    return 1 / np.log2(np.arange(cutoff) + 2)


def recall(groups: TieGroups, cutoff: int) -> Values:
    """Returns the share of a user's relevant items among the first k, (m,)."""
    return groups.per_user(_hits(groups, cutoff)) / groups.totals


def _hits(groups: TieGroups, cutoff: int) -> Values:
    slots = np.clip(cutoff - groups.above, 0, groups.size)
    return groups.relevant * slots / groups.size


def hit_ratio(groups: TieGroups, cutoff: int) -> Values:
    """Returns the chance that a relevant item is among the first k, (m,).

    Only the best group matters: with s = k - t places for its N items, r of them relevant, all
    miss with probability C(N - s, r) / C(N, r).
    """
    best, relevant, size = _best(groups)
    slots = np.clip(cutoff - groups.above[best], 0, size)
    return 1 - np.exp(_log_choose(size - slots, relevant) - _log_choose(size, relevant))


def mrr(groups: TieGroups, cutoff: int) -> Values:
    """Returns the mean of 1 / (rank + 1) of the first relevant item, 0 from rank k on, (m,).

    It is the i-th of its group with probability C(N - i, r - 1) / C(N, r).
    """
    best, relevant, size = _best(groups)
    ranks, counted = (part[best] for part in groups.places(cutoff))
    place = np.arange(1, cutoff + 1)
    left = np.maximum(size[:, None] - place, 0)
    chance = np.exp(_log_choose(left, relevant[:, None] - 1) - _log_choose(size, relevant)[:, None])
    return (counted * chance / (ranks + 1)).sum(axis=1)


def mean_precision(groups: TieGroups, cutoff: int) -> Values:
    """Returns average precision at k, the precision at each relevant rank over min(k, relevant).

    The i-th of a group's N items is relevant with probability r / N, and then (i - 1) (r - 1) /
    (N - 1) of those before it in the group are expected to be.
    """
    ranks, counted = groups.places(cutoff)
    relevant, size = groups.relevant[:, None], groups.size[:, None]
    earlier = np.arange(cutoff) * (relevant - 1) / np.maximum(size - 1, 1)
    precision = (groups.relevant_above[:, None] + 1 + earlier) / (ranks + 1)
    values = (counted * precision * relevant / size).sum(axis=1)
    return groups.per_user(values) / np.minimum(groups.totals, cutoff)


def ndcg(groups: TieGroups, cutoff: int) -> Values:
    """Returns the sum of 1 / log2(rank + 2) over relevant ranks below k over its maximum, (m,)."""
    sums = np.concatenate([[0.0], np.cumsum(discounts(cutoff))])
    first = np.minimum(groups.above, cutoff)
    last = np.minimum(groups.above + groups.size, cutoff)
    gains = groups.relevant * (sums[last] - sums[first]) / groups.size
    return groups.per_user(gains) / sums[np.minimum(groups.totals, cutoff)]


def _best(groups: TieGroups) -> tuple[Counts, Counts, Counts]:
    """Returns the number, the relevant items and the size of each user's best group, (m,)."""
    best = np.flatnonzero(groups.relevant_above == 0)
    return best, groups.relevant[best], groups.size[best]


def _log_choose(n: Counts, r: Counts) -> Values:
    """Returns log C(n, r), minus infinity where r > n."""
    possible = n >= r
    rest = np.where(possible, n - r, 0)
    value = gammaln(n + 1.0) - gammaln(r + 1.0) - gammaln(rest + 1.0)
    return np.where(possible, value, -np.inf)


METRICS = {"hr": hit_ratio, "ndcg": ndcg, "mrr": mrr, "map": mean_precision, "recall": recall}


def of_lists(lists: Counts, popularity: Counts, profiles: Values, n_users: int) -> dict[str, float]:
    """Returns what recommendation lists are like, whether they hit or not.

    - `coverage`: the share of the catalogue that is recommended to anyone.
    - `gini`: how unequally recommendations fall on items, from 0, all alike, towards 1.
    - `novelty`: the mean of -log2 of the share of users who have a recommended item.
    - `popularity_lift`: the mean popularity of the recommended over that of users' own items,
      less 1 (Abdollahpouri et al., 2019); 0 is no popularity bias.

    Args:
        lists: item numbers (m, k), -1 where a list ends early.
        popularity: users of each item in training, (Q,).
        profiles: mean popularity of each user's own items, (m,).
        n_users: P.
    """
    shown = lists[lists >= 0]
    exposure = np.sort(np.bincount(shown, minlength=popularity.size))
    weights = 2 * np.arange(1, exposure.size + 1) - exposure.size - 1
    spread = max(1, exposure.size * int(exposure.sum()))
    own = profiles.mean()
    return {
        "coverage": float((exposure > 0).mean()),
        "gini": float(weights @ exposure / spread),
        "novelty": float(-np.log2(np.maximum(popularity[shown], 1) / n_users).mean()),
        "popularity_lift": float(popularity[shown].mean() / own - 1) if own > 0 else 0.0,
    }
