"""Fold-in: users who were not there at training, known by their histories alone.

Their m_u are predicted from their items' memories and then improved on the pairwise loss, in which
nothing else moves. The model stays as it is, and the newcomers are in no N(i).

Letters: B newcomers, P users, Q items, d the embedding size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn.growth import MemoryMap
from cmn.objective import bpr_loss
from cmn.optimisers import Adam
from cmn.ranking import Ranker

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

    from cmn.interactions import Interactions
    from cmn.model import CMNNetwork
    from cmn.neighbourhoods import Neighbourhoods

EPOCHS, BATCH_SIZE, NEGATIVES, RATE = 2, 512, 4, 5e-3


class Newcomers(Ranker):
    """Users folded into a model: `score`, `recommend` and `evaluate` work as on the model.

    Args:
        score: returns scores (b, Q) for the numbers of newcomers (b,).
        histories: the newcomers' interactions and ids.
    """

    def __init__(
        self,
        score: Callable[[NDArray[np.int64]], NDArray[np.float32]],
        histories: Interactions,
    ) -> None:
        self._score = score
        self._remember(histories)

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._score(rows)


class FoldIn:
    """Finds newcomers' m_u for one fitted network.

    Args:
        network: fitted; none of its weights needs a gradient.
        known: binary CSR (P, Q) that it was fitted to.
        neighbourhoods: N(i) of its items.
    """

    def __init__(
        self, network: CMNNetwork, known: sparse.csr_array, neighbourhoods: Neighbourhoods
    ) -> None:
        self._network, self._neighbourhoods = network, neighbourhoods
        self._predict = MemoryMap(known, network.item_memory, network.user_memory)
        self._negatives = np.unique(known.indices).astype(np.int64)

    def memories(self, histories: sparse.csr_array, seed: int) -> Tensor:
        """Returns m_u, (B, d), of the newcomers with these histories, binary CSR (B, Q).

        Negatives are drawn from all items with users; the odd one that is in the user's own history
        is no harm to the user's two hundred others.
        """
        memory = torch.nn.Parameter(self._predict(histories))
        optimiser = Adam([(memory, RATE)])
        generator = np.random.default_rng(seed)
        users, positives = (part.astype(np.int64) for part in histories.nonzero())
        for _ in range(EPOCHS):
            order = generator.permutation(users.size)
            for start in range(0, order.size, BATCH_SIZE):
                some = order[start : start + BATCH_SIZE]
                negatives = generator.choice(self._negatives, (some.size, NEGATIVES))
                items = np.column_stack([positives[some], negatives])
                columns = torch.from_numpy(items.ravel())
                rows = torch.from_numpy(np.repeat(users[some], items.shape[1]))
                neighbours = self._neighbourhoods.gather(columns)
                scores = self._network.respond(memory[rows], columns, neighbours)
                pairs = scores.view(items.shape)
                optimiser.minimise(bpr_loss(pairs[:, 0], pairs[:, 1:]))
        return memory.detach()
