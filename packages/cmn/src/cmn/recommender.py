"""Recommender: the estimator, from a matrix of interactions to recommendations."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from cmn.candidates import CandidateScorer
from cmn.early_stopping import Epoch
from cmn.errors import ModelFileError, NotFittedError, ParameterError
from cmn.evidence_fitting import build_evidence_scorer, learn_memories
from cmn.evidence_network import EvidenceNetwork
from cmn.evidence_scoring import EvidenceScorer
from cmn.explain import Explanation, explanation, trace, trace_evidence
from cmn.export import export_onnx
from cmn.fitting import build_network, fit_network
from cmn.fold_in import EvidenceFoldIn, FoldIn, Newcomers, fold_in_of
from cmn.hyperparameters import Hyperparameters
from cmn.interactions import HeldOut, Interactions, align
from cmn.learn_more import learn_more
from cmn.model import CMNNetwork
from cmn.model_files import load_model, pack_interactions, save_model, unpack_interactions
from cmn.neighbourhoods import Neighbourhoods
from cmn.ranking import RowScorer
from cmn.readers import as_interactions
from cmn.retrieval import TwoStage
from cmn.scoring import CatalogueScorer
from cmn.similarity import MemoryRanker
from cmn.splits import leave_one_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def _ignore(_epoch: Epoch) -> None:
    """Hears of an epoch and does nothing."""


@dataclass(eq=False)
class CMN(MemoryRanker, Hyperparameters):
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
        self._network: CMNNetwork | EvidenceNetwork | None = None
        self.notes_: dict[str, Any] = {}

    def set_params(self, **params: Any) -> Self:
        """Changes settings by name, as scikit-learn asks; returns itself.

        A new `protocol` brings its own values for the settings that are not named beside it.

        Raises:
            ParameterError: an unknown name, or a value out of its range; nothing is changed.
        """
        unknown = params.keys() - self.get_params().keys()
        if unknown:
            raise ParameterError(
                f"{min(unknown)!r} is no setting; {', '.join(self.get_params())} are"
            )
        kept = {} if "protocol" in params else self.get_params()
        for name, value in type(self)(**{**kept, **params}).get_params().items():
            setattr(self, name, value)
        return self

    def fit(
        self,
        X: Any,
        validation: HeldOut | None = None,
        report: Callable[[Epoch], None] = _ignore,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Learns from interactions; returns itself.

        Pre-trains a factorisation, starts the memories from it, trains the network, and keeps of
        each the epoch with the best full-ranking NDCG@10 on validation, or the last (`keep`).
        With `evidence` it learns memories, then how much neighbours, memories and items count; and
        once that is chosen, the memories again from all of `X`, which is then what users have seen.

        Args:
            X: a scipy.sparse array (P, Q), every stored value above 0 an interaction and ids the
                row and column numbers; or a table of pandas, polars or Arrow with columns user
                and item, perhaps rating; or `Interactions`; or the path of a file.
            validation: held-out interactions that are not in `X`, by row and column numbers.
                Without it, one random interaction of every user with at least two is cut off.
            report: hears of each epoch.
            checkpoint: a folder that holds the training's whole state after each epoch; a fit that
                finds one there, of the same settings and data, continues to the same weights.

        Raises:
            InteractionsError: the interactions are not usable.
            ModelFileError: the checkpoint is corrupt or of another training.
            DataError: a table or file has no columns user and item, or cannot be read.
            TrainingDivergedError: a loss or score is not finite.
        """
        started = time.perf_counter()
        interactions = as_interactions(X)
        train = interactions.matrix
        generator = np.random.default_rng(self.seed)
        cut_off = validation is None
        if validation is None:
            train, validation = leave_one_out(train, generator)
        folder = None if checkpoint is None else Path(checkpoint)
        network, best = fit_network(
            train, validation, self, generator=generator, report=report, folder=folder
        )
        if isinstance(network, EvidenceNetwork) and cut_off:
            train = interactions.matrix
            learn_memories(network, train, self, best.number)
        self._fitted = type(self)(**self.get_params())
        self._install(network, replace(interactions, matrix=train, times=None))
        self.best_epoch_, self.validation_metrics_ = best.number, best.metrics
        self.notes_ = {}
        self.fit_seconds_ = time.perf_counter() - started
        return self

    def _install(self, network: CMNNetwork | EvidenceNetwork, interactions: Interactions) -> None:
        self._network = network.requires_grad_(False)
        self._fold_in: FoldIn | EvidenceFoldIn | None = None  # made when first asked for
        self._neighbourhoods = Neighbourhoods(interactions.matrix)
        self._scorer: CatalogueScorer | EvidenceScorer
        if isinstance(network, EvidenceNetwork):
            self._scorer = build_evidence_scorer(network, interactions.matrix, self._fitted)
        else:
            self._scorer = CatalogueScorer(network, self._neighbourhoods)
        self._remember(interactions)

    @property
    def network(self) -> Any:
        """The fitted network: a `CMNNetwork`, or with `evidence` an `EvidenceNetwork`.

        Raises:
            NotFittedError: before `fit`.
        """
        if self._network is None:
            raise NotFittedError("CMN has not been fitted; call fit or load first")
        return self._network

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._scorer.score(rows)

    @property
    def scorer(self) -> RowScorer:
        """This model by row and column numbers, which can also score a few candidates only."""
        network = self.network
        if isinstance(self._scorer, EvidenceScorer):
            return RowScorer(self._scores, self._scorer.score_candidates)
        candidates = CandidateScorer(network, self._neighbourhoods)
        return RowScorer(self._scores, candidates.score)

    def two_stage(self, candidates: int = 500) -> TwoStage:
        """Returns this model with approximate retrieval before its exact scores.

        It pays where scoring the whole catalogue takes too long; `recall` says what it misses.

        Args:
            candidates: unseen items of each user that are scored, from 1 to Q.

        Raises:
            ParameterError: candidates is out of range.
            MissingDependencyError: faiss is not installed.
            NotFittedError: before `fit`.
        """
        return TwoStage(self.scorer, self.network, self.interactions, candidates)

    def explain(self, user: Any, item: Any) -> Explanation:
        """Returns which users of an item spoke for it, hop by hop.

        Args:
            user: an id.
            item: an id; of any item, also one the user has.

        Raises:
            InteractionsError: an id is unknown.
            NotFittedError: before `fit`.
        """
        network = self.network
        row, column = self._users.numbers([user]).item(), self._items.numbers([item]).item()
        if isinstance(self._scorer, EvidenceScorer):
            pair = trace_evidence(network, self._scorer, row, column)
        else:
            pair = trace(network, self._neighbourhoods, row, column)
        return explanation(pair, self.interactions, row, column)

    def fold_in(self, histories: Any) -> Newcomers:
        """Returns users who were not there at training, known by their histories alone.

        The model stays as it is; what is returned scores, recommends and evaluates like it.

        Args:
            histories: what `fit` takes, of known items: a matrix with Q columns, or a table or file
                whose user ids are the newcomers'.

        Raises:
            InteractionsError: unknown items, another number of columns, or nothing to fold in.
            NotFittedError: before `fit`.
        """
        network, matrix = self.network, self.train_matrix
        theirs = align(as_interactions(histories), self._items)
        if self._fold_in is None:
            self._fold_in = fold_in_of(self._scorer, network, matrix)
        return self._fold_in.newcomers(theirs)

    def partial_fit(self, X: Any) -> Self:
        """Learns new interactions, of known or new users and items; returns itself.

        Newcomers' memories start from those of what they interacted with; then one epoch over the
        new interactions moves all weights. An evidence network reads the new interactions at once
        and needs no epoch. Before the first `fit` this is `fit`.

        Args:
            X: what `fit` takes, ids as in `fit`; of a matrix, row and column numbers are ids.

        Raises:
            InteractionsError: the interactions are not usable, or all are known already.
            TrainingDivergedError: the loss is not finite.
        """
        interactions = as_interactions(X)
        if self._network is None:
            return self.fit(interactions)
        self._install(*learn_more(self.network, self.interactions, interactions, self))
        return self

    def export_onnx(self, folder: str | Path, n: int = 10) -> dict[str, Path]:
        """Writes scorer.onnx, top_n.onnx and ids.json; see `cmn.export.export_onnx`."""
        return export_onnx(self.network, self._scorer, self.interactions, Path(folder), n)

    def save(self, folder: str | Path, notes: dict[str, Any] | None = None) -> None:
        """Writes the model to a folder as JSON and safetensors, atomically.

        Args:
            folder: made if need be; a model already there is replaced.
            notes: what else to remember, as JSON values; a loaded model's own if not given.

        Raises:
            ParameterError: ids of a type that a plain file cannot hold.
            NotFittedError: before `fit`.
        """
        network = self.network
        arrays = {f"network.{name}": value.numpy() for name, value in network.state_dict().items()}
        arrays |= pack_interactions(self.interactions)
        config = {
            "hyperparameters": self._fitted.get_params(),  # which may have been set anew since
            "shape": list(self.train_matrix.shape),
            "best_epoch": self.best_epoch_,
            "validation_metrics": self.validation_metrics_,
            "fit_seconds": self.fit_seconds_,
            "notes": self.notes_ if notes is None else notes,
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
            model._fitted = cls(**model.get_params())
            network = build_network(n_users, n_items, model)
            weights = {
                name: torch.from_numpy(arrays[f"network.{name}"]) for name in network.state_dict()
            }
            network.load_state_dict(weights)
            model._install(network, unpack_interactions(arrays, (n_users, n_items)))
            model.best_epoch_ = config["best_epoch"]
            model.validation_metrics_ = config["validation_metrics"]
            model.fit_seconds_ = config["fit_seconds"]
            model.notes_ = config["notes"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFileError(f"model {str(folder)!r} is corrupt: {error}") from error
        return model
