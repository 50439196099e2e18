"""Contrastive: trains the memories so that a positive's cosine stands out among many items.

For a positive (u, i) and items S shared by the whole batch, drawn uniformly, the loss is
-log[exp(cos(m_u, e_i) / T) / (exp(cos(m_u, e_i) / T) + sum over k in S of exp(cos(m_u, e_k) / T))];
items of S that u has are left out. Being uniform, S needs no correction for popularity.

Letters: B positives, S shared negatives, P users, Q items, d the embedding size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from cmn import distributed
from cmn.optimisers import RowAdam

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

    from cmn.evidence_network import EvidenceNetwork
    from cmn.hyperparameters import Hyperparameters


class ContrastiveTrainer:
    """Trains M and E; a step reads and moves only the rows it needs.

    The step size is `learning_rate` for the first half of the epochs and falls to zero after.

    Args:
        network: whose memories are trained.
        matrix: binary training CSR (P, Q).
        settings: rate, sizes, temperature.
        generator: source of order and negatives.
    """

    def __init__(
        self,
        network: EvidenceNetwork,
        matrix: sparse.csr_array,
        settings: Hyperparameters,
        generator: np.random.Generator,
    ) -> None:
        self._matrix, self._settings, self._generator = matrix, settings, generator
        self._users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        self._place = np.full(matrix.shape[1], -1, dtype=np.int64)
        self.optimiser = RowAdam([network.user_memory, network.item_memory])

    def train_epoch(self, number: int) -> float:
        """Runs once over all positives as epoch `number`, from 1; returns the steps' mean loss."""
        settings, generator = self._settings, self._generator
        rate = settings.learning_rate * min(1.0, 2 * (1 - (number - 1) / settings.epochs))
        order = generator.permutation(self._users.size)
        losses = []
        for start in range(0, order.size, settings.batch_size):
            chosen = order[start : start + settings.batch_size]
            shared = generator.integers(self._matrix.shape[1], size=settings.shared_negatives)
            mine = chosen[distributed.share(chosen.size)]
            users, items = self._users[mine], self._matrix.indices[mine].astype(np.int64)
            loss = self.loss(users, items, shared) * (mine.size / chosen.size)
            self.optimiser.minimise(loss, rate)
            losses.append(loss.item())
        return distributed.total(float(np.mean(losses)))

    def loss(
        self, users: NDArray[np.int64], items: NDArray[np.int64], shared: NDArray[np.int64]
    ) -> Tensor:
        """Returns the mean loss of positives (users, items), each (B,), against `shared` (S,)."""
        temperature = self._settings.temperature
        user = functional.normalize(self.optimiser.look_up(0, users), dim=1)
        both = self.optimiser.look_up(1, np.concatenate([items, shared]))
        item = functional.normalize(both, dim=1)
        positive = (user * item[: items.size]).sum(1) / temperature
        negative = user @ item[items.size :].T / temperature
        rows, columns = self._seen(users, shared)
        negative = negative.index_put((rows, columns), negative.new_tensor(-torch.inf))
        everything = torch.cat([positive[:, None], negative], dim=1)
        return (torch.logsumexp(everything, dim=1) - positive).mean()

    def _seen(self, users: NDArray[np.int64], shared: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Returns the places (row, column) in (B, S) of items that the users have."""
        distinct, column_of = np.unique(shared, return_inverse=True)
        self._place[distinct] = np.arange(distinct.size)
        seen = self._matrix[users]
        places = self._place[seen.indices]
        self._place[distinct] = -1
        found = np.flatnonzero(places >= 0)
        rows = np.repeat(np.arange(users.size), np.diff(seen.indptr))[found]
        hit = np.zeros((users.size, distinct.size), dtype=bool)
        hit[rows, places[found]] = True
        at = np.nonzero(hit[:, column_of])
        return torch.from_numpy(at[0]), torch.from_numpy(at[1])
