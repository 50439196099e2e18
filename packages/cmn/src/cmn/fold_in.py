"""Fold-in: users who were not there at training, known by their histories alone.

Their m_u are predicted from their items' memories and then improved by a few steps on the pairwise
loss in which nothing else moves. The model stays as it is.

Letters: B newcomers, P users, Q items, d the embedding size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse

from cmn.growth import with_users
from cmn.objective import bpr_loss
from cmn.optimisers import Adam
from cmn.ranking import Ranker
from cmn.sampling import NegativeSampler
from cmn.scoring import CatalogueScorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmn.interactions import Interactions
    from cmn.model import CMNNetwork
    from cmn.neighbourhoods import Neighbourhoods

EPOCHS, BATCH_SIZE, NEGATIVES, RATE = 2, 512, 4, 5e-3


class Newcomers(Ranker):
    """Users folded into a model: `score`, `recommend` and `evaluate` work as on the model.

    Args:
        network: the model with the newcomers' rows behind its own P.
        n_known: P.
        neighbourhoods: N(i) of its items, newcomers not among them.
        histories: the newcomers' interactions and ids.
    """

    def __init__(
        self,
        network: CMNNetwork,
        n_known: int,
        neighbourhoods: Neighbourhoods,
        histories: Interactions,
    ) -> None:
        self._scorer = CatalogueScorer(network, neighbourhoods)
        self._n_known = n_known
        self._remember(histories)

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._scorer.score(rows + self._n_known)


def fold_in(
    network: CMNNetwork,
    known: sparse.csr_array,
    neighbourhoods: Neighbourhoods,
    histories: Interactions,
    seed: int,
) -> Newcomers:
    """Returns newcomers that a fitted network can serve.

    Args:
        network: fitted, left as it is.
        known: binary CSR (P, Q) that it was trained on.
        neighbourhoods: N(i) of its items.
        histories: binary CSR (B, Q) with the newcomers' ids.
        seed: of order and negatives.
    """
    n_known = known.shape[0]
    grown = with_users(network, known, histories.matrix).requires_grad_(False)
    memory = torch.nn.Parameter(grown.user_memory[n_known:].clone())
    optimiser = Adam([(memory, RATE)])
    sampler = NegativeSampler(sparse.vstack([known, histories.matrix], format="csr"))
    theirs = sampler.users >= n_known
    sampler.users, sampler.items = sampler.users[theirs], sampler.items[theirs]
    generator = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        for users, items in sampler.epoch(BATCH_SIZE, NEGATIVES, generator):
            columns = torch.from_numpy(items.reshape(-1))
            rows = torch.from_numpy(np.repeat(users - n_known, items.shape[1]))
            neighbours = neighbourhoods.gather(columns)
            scores = grown.respond(memory[rows], columns, neighbours).view(items.shape)
            optimiser.minimise(bpr_loss(scores[:, 0], scores[:, 1:]))
    grown.user_memory[n_known:] = memory.detach()
    return Newcomers(grown, n_known, neighbourhoods, histories)
