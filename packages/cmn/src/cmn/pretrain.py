"""Pretrain: generalised matrix factorisation (GMF), whose factors start the memories M and E.

Letters: B positives, k negatives of each, P users, Q items, d the embedding size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from cmn.adam import Adam
from cmn.objective import bpr_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cmn.hyperparameters import Hyperparameters
    from cmn.sampling import NegativeSampler

FACTOR_SD = 0.01


class GMF(nn.Module):
    """Scores r_ui = v . (m_u * e_i) ("GMF pre-training").

    Args:
        n_users: P.
        n_items: Q.
        embedding_dim: d.
        generator: source of the initial values.
    """

    def __init__(
        self, n_users: int, n_items: int, embedding_dim: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.user_factors = nn.Parameter(torch.empty(n_users, embedding_dim))
        self.item_factors = nn.Parameter(torch.empty(n_items, embedding_dim))
        self.output_weight = nn.Parameter(torch.empty(embedding_dim))
        with torch.no_grad():
            for factors in (self.user_factors, self.item_factors):
                sd = FACTOR_SD
                nn.init.trunc_normal_(factors, std=sd, a=-2 * sd, b=2 * sd, generator=generator)
            nn.init.xavier_uniform_(self.output_weight[:, None], generator=generator)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Returns r_ui of shape (B, n) for users (B,) and n items of each, (B, n)."""
        weighted = self.user_factors.index_select(0, users) * self.output_weight
        item = self.item_factors.index_select(0, items.flatten())
        return torch.einsum("bd,bnd->bn", weighted, item.view(*items.shape, -1))

    @torch.no_grad()
    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores of all items, (B, Q), for users (B,)."""
        weighted = self.user_factors[torch.from_numpy(users)] * self.output_weight
        return (weighted @ self.item_factors.T).numpy()


class GMFTrainer:
    """Trains a GMF by Adam on the pairwise loss.

    Args:
        gmf: what is trained.
        sampler: source of positives and negatives.
        settings: rate, batch size, negatives.
        generator: source of order and negatives.
    """

    def __init__(
        self,
        gmf: GMF,
        sampler: NegativeSampler,
        settings: Hyperparameters,
        generator: np.random.Generator,
    ) -> None:
        self._gmf, self._sampler = gmf, sampler
        self._settings, self._generator = settings, generator
        self._adam = Adam((weight, settings.pretrain_rate) for weight in gmf.parameters())

    def train_epoch(self, _number: int) -> float:
        """Runs once over all positives; returns the mean loss of the steps."""
        losses = []
        for users, positives, negatives in self._sampler.epoch(
            self._settings.batch_size, self._settings.negatives, self._generator
        ):
            items = torch.from_numpy(np.column_stack([positives, negatives]))
            scores = self._gmf(torch.from_numpy(users), items)
            loss = bpr_loss(scores[:, 0], scores[:, 1:])
            self._adam.minimise(loss)
            losses.append(loss.item())
        return float(np.mean(losses))
