"""Calibration: learns the evidence network's few scalars by the ranks of single held-out edges.

Each example ranks one edge (u, i) among the items that rank highest for u and some drawn at
random. An edge of the training graph is taken out of it first, so that the features are those of an
item yet to be found; an edge of a validation set is not in it anyway.

The loss is one minus a smooth NDCG over the first kind of rivals, to which one minus a smooth hit
ratio over the second kind may be added, which keeps the rest of the ranking in order. Unlike a
softmax over the same rivals it spends nothing on edges that no setting would rank near the top: on
citeulike-a's validation the softmax gave NDCG@10 .1775 where this gave .1895, from one feature.

Letters: B users, C candidates of each, the target first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.optimize import minimize

from cmn.evidence_network import Candidates, EvidenceNetwork, EvidenceScorer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor


TOP, RANDOM = 200, 100  # candidates of both kinds
SOFTNESS = 0.3  # score difference over which a smooth rank counts a rival half-way
CUTOFF = 10
ITERATIONS = 30
BOUNDS = {  # beyond them smooth ranks turn into steps, which have no gradient to come back by
    "gamma": (0.25, 4.0),
    "delta": (0.0, 4.0),
    "beta": (-1.0, 2.0),
    "mass": (0.5, 10.0),
    "affinity": (0.0, 10.0),
    "items": (0.0, 10.0),
}
USERS_AT_A_TIME = 64
SCRATCH = 2**24  # entries of the largest dense table of evidence, users x P


@dataclass(frozen=True)
class Example:
    """A batch of held-out edges with their rivals.

    Attributes:
        candidates: features; column 0 is the target, then `TOP`, then `RANDOM` rivals.
        valid: bool (B, C), False for what is no rival: the target and items the user has.
    """

    candidates: Candidates
    valid: Tensor


def examples(
    network: EvidenceNetwork,
    scorer: EvidenceScorer,
    edges: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    inside: bool,
    generator: np.random.Generator,
) -> Iterator[Example]:
    """Yields the edges (users, items) in batches, with rivals chosen by the network as it is.

    Args:
        network: gives the rivals that rank highest, and cosines.
        scorer: of the network over the graph.
        edges: at most one of each user.
        inside: the edges are in the graph and are left out of it, one at a time.
        generator: source of the random rivals.
    """
    size = max(1, min(USERS_AT_A_TIME, SCRATCH // scorer.evidence.matrix.shape[0]))
    for start in range(0, edges[0].size, size):
        part = edges[0][start : start + size], edges[1][start : start + size]
        yield _example(network, scorer, part, inside=inside, generator=generator)


@torch.no_grad()
def _example(
    network: EvidenceNetwork,
    scorer: EvidenceScorer,
    edges: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    inside: bool,
    generator: np.random.Generator,
) -> Example:
    users, items = edges
    evidence = scorer.evidence
    count, n_items = users.size, evidence.item_degrees.size
    rows = evidence.rows(users, items if inside else None)
    scores = scorer.from_rows(users, rows)
    seen = evidence.matrix[users]
    scores[np.repeat(np.arange(count), np.diff(seen.indptr)), seen.indices] = -np.inf
    scores[np.arange(count), items] = -np.inf
    top = np.argpartition(-scores, min(TOP, n_items - 1), axis=1)[:, :TOP]
    drawn = generator.integers(n_items, size=(count, RANDOM))
    chosen = np.column_stack([items, top, drawn])
    valid = np.isfinite(np.take_along_axis(scores, chosen, axis=1))
    degrees = evidence.item_degrees[chosen]
    if inside:
        degrees[:, 0] -= 1
    lists = evidence.members.gather(torch.from_numpy(chosen.ravel()))
    pairs = lists.segments.numpy()
    found = rows.toarray()[pairs // chosen.shape[1], lists.members.numpy()]
    reached = np.flatnonzero(found)
    member_degrees = evidence.user_degrees[lists.members.numpy()[reached]]
    affinities = network.affinities(torch.from_numpy(users))
    candidates = Candidates(
        torch.from_numpy(np.log(found[reached])),
        torch.from_numpy(np.log(member_degrees).astype(np.float32)),
        torch.from_numpy(pairs[reached]),
        torch.from_numpy(np.log(np.maximum(degrees, 1)).astype(np.float32)),
        torch.gather(affinities, 1, torch.from_numpy(chosen)),
        torch.from_numpy(np.take_along_axis(scorer.linear(users), chosen, axis=1)),
    )
    return Example(candidates, torch.from_numpy(valid))


def smooth_loss(scores: Tensor, valid: Tensor, random_share: float) -> Tensor:
    """Returns the mean loss of a batch, a scalar.

    A smooth rank is the sum over rivals of sigmoid((r_rival - r_target) / `SOFTNESS`). Among the
    top rivals it gains 1 / log2(rank + 2), among the random ones sigmoid((`CUTOFF` - rank) / 2).

    Args:
        scores: (B, C), as in `Example`.
        valid: (B, C).
        random_share: weight of the part over random rivals.
    """
    above = torch.sigmoid((scores - scores[:, :1]) / SOFTNESS) * valid
    last = scores.shape[1] - RANDOM
    top, drawn = above[:, 1:last].sum(1), above[:, last:].sum(1)
    hit = torch.sigmoid((CUTOFF - drawn) / 2)
    return 1 - (1 / torch.log2(top + 2)).mean() + random_share * (1 - hit.mean())


def calibrate(
    network: EvidenceNetwork,
    batches: Sequence[Example],
    names: Sequence[str],
    random_share: float,
) -> float:
    """Learns the scalars of these names by L-BFGS on all examples; returns the mean loss.

    Args:
        network: whose scalars are learnt.
        batches: examples.
        names: each in `BOUNDS`.
        random_share: see `smooth_loss`.
    """
    scalars = [getattr(network, name) for name in names]

    def loss_and_gradient(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        with torch.no_grad():
            for scalar, value in zip(scalars, values.tolist(), strict=True):
                scalar.fill_(value)
        total, gradient = 0.0, np.zeros(len(names))
        for batch in batches:
            loss = smooth_loss(network(batch.candidates), batch.valid, random_share)
            gradient += [float(slope) for slope in torch.autograd.grad(loss, scalars)]
            total += loss.item()
        return total / len(batches), gradient / len(batches)

    start = np.array([scalar.item() for scalar in scalars], dtype=np.float64)
    limit = {"maxiter": ITERATIONS}
    bounds = [BOUNDS[name] for name in names]
    start = np.clip(start, *np.array(bounds).T)
    found = minimize(  # type: ignore[call-overload]  # the stubs know no lambda with a gradient
        loss_and_gradient, start, jac=True, method="L-BFGS-B", bounds=bounds, options=limit
    )
    return loss_and_gradient(found.x)[0]


@torch.no_grad()
def mean_loss(network: EvidenceNetwork, batches: Sequence[Example], random_share: float) -> float:
    """Returns the mean over batches of `smooth_loss`."""
    losses = [
        smooth_loss(network(batch.candidates), batch.valid, random_share).item()
        for batch in batches
    ]
    return float(np.mean(losses))
