"""Recommender: the estimator, from a matrix of interactions to recommendations."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from scipy import sparse

from cmn.early_stopping import Epoch, train_until_best
from cmn.errors import ModelFileError, NotFittedError, ParameterError
from cmn.evaluation import evaluate
from cmn.hyperparameters import Hyperparameters
from cmn.interactions import HeldOut, binary_csr, check_indices
from cmn.model import CMNNetwork
from cmn.model_files import load_model, save_model
from cmn.neighbourhoods import Neighbourhoods
from cmn.pretrain import GMF, GMFTrainer
from cmn.sampling import NegativeSampler
from cmn.scoring import CatalogueScorer
from cmn.splits import leave_one_out
from cmn.train import NetworkTrainer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


def _ignore(_epoch: Epoch) -> None:
    """Hears of an epoch and does nothing."""


@dataclass
class CMN(Hyperparameters):
    """Collaborative Memory Network with the interface of a scikit-learn estimator.

    Its arguments are the fields of `Hyperparameters`. After `fit` it has `best_epoch_`,
    `validation_metrics_` and `fit_seconds_`.

    Example:
        >>> import numpy as np
        >>> from scipy import sparse
        >>> from cmn import CMN
        >>> generator = np.random.default_rng(0)
        >>> interactions = sparse.csr_array(generator.random((40, 30)) < 0.2)
        >>> model = CMN(embedding_dim=8, epochs=2, pretrain_epochs=2).fit(interactions)
        >>> ids, scores = model.recommend([0, 1, 2], n=5)
        >>> ids.shape
        (3, 5)
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._network: CMNNetwork | None = None
        self.notes_: dict[str, Any] = {}

    def fit(
        self,
        interactions: sparse.csr_array,
        validation: HeldOut | None = None,
        report: Callable[[Epoch], None] = _ignore,
    ) -> Self:
        """Learns from a users x items matrix; returns itself.

        Pre-trains a factorisation, starts the memories from it, trains the network, and keeps of
        each the epoch with the best full-ranking NDCG@10 on validation.

        Args:
            interactions: sparse (P, Q); every stored value above 0 is an interaction.
            validation: held-out interactions that are not in the matrix. Without it, one random
                interaction of every user with at least two is cut off the matrix.
            report: hears of each epoch.

        Raises:
            InteractionsError: the matrix is not usable.
            TrainingDivergedError: a loss or score is not finite.
        """
        started = time.perf_counter()
        train = binary_csr(interactions)
        generator = np.random.default_rng(self.seed)
        torch_generator = torch.Generator().manual_seed(self.seed)
        if validation is None:
            train, validation = leave_one_out(train, generator)
        held_out = validation
        sampler, neighbourhoods = NegativeSampler(train), Neighbourhoods(train)
        network = CMNNetwork(*train.shape, self.embedding_dim, self.hops, torch_generator)
        if self.pretrain_epochs > 0:
            gmf = GMF(*train.shape, self.embedding_dim, torch_generator)
            train_until_best(
                gmf,
                phase="pretrain",
                epochs=self.pretrain_epochs,
                patience=self.pretrain_epochs,
                train_epoch=GMFTrainer(gmf, sampler, self, generator).train_epoch,
                validate=lambda: evaluate(gmf, held_out, train),
                report=report,
            )
            network.start_from(gmf.user_factors, gmf.item_factors)
        trainer = NetworkTrainer(network, neighbourhoods, sampler, self, generator)
        scorer = CatalogueScorer(network, neighbourhoods)
        best = train_until_best(
            network,
            phase="train",
            epochs=self.epochs,
            patience=self.patience,
            train_epoch=trainer.train_epoch,
            validate=lambda: evaluate(scorer, held_out, train),
            report=report,
        )
        self._install(network, scorer, train)
        self.best_epoch_, self.validation_metrics_ = best.number, best.metrics
        self.fit_seconds_ = time.perf_counter() - started
        return self

    def _install(
        self, network: CMNNetwork, scorer: CatalogueScorer, train: sparse.csr_array
    ) -> None:
        self._network, self._scorer, self._train = network, scorer, train

    def _fitted(self) -> CMNNetwork:
        if self._network is None:
            raise NotFittedError("CMN has not been fitted; call fit or load first")
        return self._network

    @property
    def train_matrix(self) -> sparse.csr_array:
        """The binary CSR (P, Q) that was learnt from, validation cut off."""
        self._fitted()
        return self._train

    def score(self, users: ArrayLike) -> NDArray[np.float32]:
        """Returns scores of all items, (B, Q), for row numbers `users` (B,).

        Raises:
            InteractionsError: a row number is out of range.
            NotFittedError: before `fit`.
        """
        self._fitted()
        return self._scorer.score(check_indices("users", users, self._train.shape[0]))

    def recommend(
        self,
        users: ArrayLike,
        n: int = 10,
        filter_seen: bool = True,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns the best items of each user and their scores, best first, each (B, n).

        Where a user has fewer than n items left, the rest is -1 with a score of minus infinity.

        Args:
            users: row numbers (B,).
            n: items wanted, from 1 to Q.
            filter_seen: leave out the items the user was trained on.

        Raises:
            InteractionsError: a row number is out of range.
            ParameterError: n is out of range.
            NotFittedError: before `fit`.
        """
        self._fitted()
        n_items = self._train.shape[1]
        if not 1 <= n <= n_items:
            raise ParameterError(f"n is {n}; 1 to {n_items} is allowed")
        rows = check_indices("users", users, self._train.shape[0])
        scores = self._scorer.score(rows)
        if filter_seen:
            scores[self._train[rows].nonzero()] = -np.inf
        items = np.argsort(-scores, axis=1, kind="stable")[:, :n]
        best = np.take_along_axis(scores, items, axis=1)
        return np.where(np.isfinite(best), items, -1), best

    def evaluate(self, held_out: HeldOut, seen: sparse.csr_array | None = None) -> dict[str, float]:
        """Returns HR and NDCG at 5 and 10 of held-out items; see `cmn.evaluate`.

        Args:
            held_out: one item for each of n users.
            seen: interactions to mask; those trained on by default.

        Raises:
            NotFittedError: before `fit`.
        """
        self._fitted()
        return evaluate(self._scorer, held_out, self._train if seen is None else seen)

    def save(self, folder: str | Path, notes: dict[str, Any] | None = None) -> None:
        """Writes the model to a folder as JSON and plain arrays, atomically.

        Args:
            folder: made if need be; a model already there is replaced.
            notes: what else to remember, as JSON values.

        Raises:
            NotFittedError: before `fit`.
        """
        network = self._fitted()
        arrays = {f"network.{name}": value.numpy() for name, value in network.state_dict().items()}
        arrays |= {"train.indptr": self._train.indptr, "train.indices": self._train.indices}
        config = {
            "hyperparameters": self.get_params(),
            "shape": list(self._train.shape),
            "best_epoch": self.best_epoch_,
            "validation_metrics": self.validation_metrics_,
            "fit_seconds": self.fit_seconds_,
            "notes": notes or {},
        }
        save_model(Path(folder), config, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Returns a saved model; its `notes_` are those given to `save`.

        Raises:
            ModelFileError: the folder is missing, corrupt or not of this format.
        """
        config, arrays = load_model(Path(folder))
        try:
            model = cls(**config["hyperparameters"])
            n_users, n_items = config["shape"]
            network = CMNNetwork(n_users, n_items, model.embedding_dim, model.hops)
            weights = {
                name: torch.from_numpy(arrays[f"network.{name}"]) for name in network.state_dict()
            }
            network.load_state_dict(weights)
            indices = arrays["train.indices"]
            ones = np.ones(indices.size, dtype=np.float32)
            train = binary_csr(
                sparse.csr_array((ones, indices, arrays["train.indptr"]), (n_users, n_items))
            )
            model._install(network, CatalogueScorer(network, Neighbourhoods(train)), train)
            model.best_epoch_ = config["best_epoch"]
            model.validation_metrics_ = config["validation_metrics"]
            model.fit_seconds_ = config["fit_seconds"]
            model.notes_ = config["notes"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFileError(f"model {str(folder)!r} is corrupt: {error}") from error
        return model
