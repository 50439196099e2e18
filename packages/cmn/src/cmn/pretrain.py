"""Pretrain: generalised matrix factorisation (GMF), whose factors start the memories M and E.

Letters: B positives, k negatives of each, P users, Q items, d the embedding size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from cmn import distributed
from cmn.objective import bpr_loss, weight_penalty
from cmn.optimisers import Adam

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
        relu: cut scores off below zero, as the authors' code does in training and here alone. Two
            scores cut off give no gradient, so learning starts slowly.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        embedding_dim: int,
        generator: torch.Generator,
        *,
        relu: bool = False,
    ) -> None:
        super().__init__()
        self._relu = relu
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
        scores = torch.einsum("bd,bnd->bn", weighted, item.view(*items.shape, -1))
        return scores.relu_() if self._relu else scores

    @torch.no_grad()
    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores of all items, (B, Q), for users (B,)."""
        weighted = self.user_factors[torch.from_numpy(users)] * self.output_weight
        return (weighted @ self.item_factors.T).numpy()


class GMFTrainer:
    """Trains a GMF by Adam on the pairwise loss plus a penalty on v.

    Args:
        gmf: what is trained.
        sampler: source of positives and negatives.
        settings: rate, batch size, negatives, penalty.
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
        rates = ((weight, settings.pretrain_rate) for weight in gmf.parameters())
        self.optimiser = Adam(rates, settings.clip_norm)

    def train_epoch(self, _number: int) -> float:
        """Runs once over all positives; returns the mean loss of the steps."""
        settings = self._settings
        losses = []
        for users, items in self._sampler.epoch(
            settings.batch_size,
            settings.negatives,
            self._generator,
            triples=settings.batches == "triples",
        ):
            mine = distributed.share(users.size)
            scores = self._gmf(torch.from_numpy(users[mine]), torch.from_numpy(items[mine]))
            pairwise = bpr_loss(scores[:, 0], scores[:, 1:]) if len(scores) else scores.sum()
            penalty = settings.pretrain_l2 * weight_penalty([self._gmf.output_weight])
            loss = len(scores) / users.size * pairwise + penalty / distributed.processes()
            self.optimiser.minimise(loss)
            losses.append(loss.item())
        return distributed.total(float(np.mean(losses)))
