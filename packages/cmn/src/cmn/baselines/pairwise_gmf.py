"""Pairwise GMF: the factorisation that CMN starts from, on its own (BPR's loss)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn.baselines.baseline import Baseline
from cmn.hyperparameters import Hyperparameters
from cmn.pretrain import GMF, GMFTrainer
from cmn.sampling import NegativeSampler

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse


class PairwiseGMF(Baseline):
    """Scores r_ui = v . (m_u * e_i), learnt by Adam on the pairwise loss.

    The defaults are those of `CMN`'s pre-training.

    Args:
        factors: d, at least 1.
        epochs: at least 1; all are run, there is no validation.
        learning_rate: Adam's step, above 0.
        negatives: drawn for each positive in each epoch, at least 1.
        batch_size: positives in a step, at least 1.
        seed: of initial values, negatives and order.

    Raises:
        ParameterError: a hyperparameter is out of its range.
    """

    def __init__(
        self,
        factors: int = 50,
        epochs: int = 15,
        *,
        learning_rate: float = 2e-3,
        negatives: int = 4,
        batch_size: int = 512,
        seed: int = 0,
    ) -> None:
        self._settings = Hyperparameters(
            embedding_dim=factors,
            pretrain_epochs=epochs,
            pretrain_rate=learning_rate,
            negatives=negatives,
            batch_size=batch_size,
            seed=seed,
        )

    def _learn(self, matrix: sparse.csr_array) -> None:
        settings = self._settings
        start = torch.Generator().manual_seed(settings.seed)
        self._gmf = GMF(*matrix.shape, settings.embedding_dim, start)
        generator = np.random.default_rng(settings.seed)
        trainer = GMFTrainer(self._gmf, NegativeSampler(matrix), settings, generator)
        for epoch in range(settings.pretrain_epochs):
            trainer.train_epoch(epoch + 1)

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._gmf.score(rows)
