"""Fitting: the phases of a training one after the other, from a matrix to a trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn.checkpoints import Checkpoints, fingerprint
from cmn.early_stopping import Epoch, Schedule, train_until_best
from cmn.evaluation import evaluate
from cmn.evidence_fitting import build_evidence_network, fit_evidence_network
from cmn.fused_step import check_engine
from cmn.interactions import HeldOut
from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.pretrain import GMF, GMFTrainer
from cmn.sampling import NegativeSampler
from cmn.scoring import CatalogueScorer
from cmn.train import NetworkTrainer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scipy import sparse

    from cmn.evidence_network import EvidenceNetwork
    from cmn.hyperparameters import Hyperparameters


def build_network(
    n_users: int,
    n_items: int,
    settings: Hyperparameters,
    generator: torch.Generator | None = None,
) -> CMNNetwork | EvidenceNetwork:
    """Returns an untrained network of P users and Q items with the settings' size and variant."""
    if settings.evidence:
        return build_evidence_network(n_users, n_items, settings, generator)
    return build_memory_network(n_users, n_items, settings, generator)


def build_memory_network(
    n_users: int,
    n_items: int,
    settings: Hyperparameters,
    generator: torch.Generator | None = None,
) -> CMNNetwork:
    """Returns the paper's network, untrained."""
    return CMNNetwork(
        n_users,
        n_items,
        settings.embedding_dim,
        settings.hops,
        generator,
        attention=settings.attention,
        activation=settings.activation,
    )


def fit_network(
    train: sparse.csr_array,
    validation: HeldOut,
    settings: Hyperparameters,
    *,
    generator: np.random.Generator,
    report: Callable[[Epoch], None],
    folder: Path | None,
) -> tuple[CMNNetwork | EvidenceNetwork, Epoch]:
    """Trains the network that the settings ask for.

    The paper's: pre-trains a factorisation, starts the memories from it, trains everything. The
    evidence network: see `cmn.evidence_fitting`.

    Args:
        train: binary CSR (P, Q).
        validation: held-out interactions, by which epochs are chosen or only reported.
        settings: everything that can be set.
        generator: source of order and negatives.
        report: hears of each epoch.
        folder: where progress is kept after each epoch; None keeps nothing.

    Returns:
        The network with the weights of the epoch kept, and that epoch.

    Raises:
        ParameterError: several processes with `engine="numba"`.
        MissingDependencyError: numba is not installed and asked for.
        ModelFileError: the folder's progress is corrupt or of another training.
        TrainingDivergedError: a loss or score is not finite.
    """
    check_engine(settings.engine)
    checkpoints = Checkpoints(folder, fingerprint(settings.get_params(), train, validation))
    if settings.evidence:
        return fit_evidence_network(
            train,
            validation,
            settings,
            generator=generator,
            report=report,
            checkpoints=checkpoints,
        )
    progress = checkpoints.load()
    initial = torch.Generator().manual_seed(settings.seed)
    some = _some(validation, settings)
    sampler, neighbourhoods = NegativeSampler(train), Neighbourhoods(train)
    network = build_memory_network(*train.shape, settings, initial)
    pretrained = progress is not None and progress.facts["phase"] == "train"
    if settings.pretrain_epochs > 0 and not pretrained:
        gmf = GMF(*train.shape, settings.embedding_dim, initial, relu=settings.pretrain_relu)
        patience = settings.pretrain_epochs
        train_until_best(
            gmf,
            GMFTrainer(gmf, sampler, settings, generator),
            Schedule("pretrain", settings.pretrain_epochs, patience, settings.keep),
            generator=generator,
            checkpoints=checkpoints,
            validate=lambda: evaluate(gmf, some, train),
            report=report,
        )
        network.start_from(gmf.user_factors, gmf.item_factors)
    scorer = CatalogueScorer(network, neighbourhoods)
    best = train_until_best(
        network,
        NetworkTrainer(network, neighbourhoods, sampler, settings, generator),
        Schedule("train", settings.epochs, settings.patience, settings.keep),
        generator=generator,
        checkpoints=checkpoints,
        validate=lambda: evaluate(scorer, some, train),
        report=report,
    )
    return network, best


def _some(validation: HeldOut, settings: Hyperparameters) -> HeldOut:
    """Returns as many held-out interactions as an epoch is measured on, the same every time."""
    size, most = validation.users.size, settings.validation_users
    if not 0 < most < size:
        return validation
    drawn = np.random.default_rng(settings.seed).choice(size, most, replace=False)
    return HeldOut(validation.users[drawn], validation.items[drawn])
