"""Evidence fitting: the phases of `protocol="best"`.

1. memories: M and E by the contrastive loss; the epoch with the best validation NDCG@10 stays.
2. evidence: gamma, delta, beta and mass by ranking training edges, each left out of the graph.
3. blend: beta, mass and the weights of affinity and linear read by ranking validation edges. Each
   half of the users is measured with what the other half taught; the reads whose loss is then the
   smallest stay, which may be none beside the neighbours'.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn.baselines.ease import EASE
from cmn.calibration import calibrate, examples, mean_loss
from cmn.contrastive import ContrastiveTrainer
from cmn.early_stopping import Epoch, Schedule, train_until_best
from cmn.errors import ParameterError
from cmn.evaluation import evaluate
from cmn.evidence import WalkEvidence
from cmn.evidence_network import AffinityScorer, EvidenceNetwork, EvidenceScorer
from cmn.interactions import HeldOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scipy import sparse

    from cmn.calibration import Example
    from cmn.checkpoints import Checkpoints
    from cmn.hyperparameters import Hyperparameters

MOST_EXAMPLES = 10_000
READS: tuple[tuple[str, ...], ...] = ((), ("affinity",), ("items",), ("affinity", "items"))
START_OF_READ = 1.0
RANDOM_SHARE = 1.0  # in the blend, of the loss over random rivals


def build_evidence_network(
    n_users: int,
    n_items: int,
    settings: Hyperparameters,
    generator: torch.Generator | None = None,
) -> EvidenceNetwork:
    """Returns an untrained network of P users and Q items that ranks like RP3beta."""
    return EvidenceNetwork(
        n_users,
        n_items,
        settings.embedding_dim,
        alpha=settings.alpha,
        beta=settings.beta,
        temperature=settings.temperature,
        generator=generator,
    )


def build_evidence_scorer(
    network: EvidenceNetwork, matrix: sparse.csr_array, settings: Hyperparameters
) -> EvidenceScorer:
    """Returns a scorer of the network over the graph of a binary CSR (P, Q).

    The linear read is left out where its inverse would not fit EASE's bound on memory.
    """
    evidence = WalkEvidence(matrix, settings.alpha, settings.max_neighbours)
    try:
        linear = EASE(settings.linear_l2).fit(matrix) if settings.linear_l2 else None
    except ParameterError:
        linear = None
    return EvidenceScorer(network, evidence, linear)


def fit_evidence_network(
    train: sparse.csr_array,
    validation: HeldOut,
    settings: Hyperparameters,
    *,
    generator: np.random.Generator,
    report: Callable[[Epoch], None],
    checkpoints: Checkpoints,
) -> tuple[EvidenceNetwork, Epoch]:
    """Runs the three phases; arguments and errors are those of `cmn.fitting.fit_network`.

    Returns:
        The network and the blend as an epoch, its metrics being those of the crossed halves; its
        number is the epoch of the memories.
    """
    initial = torch.Generator().manual_seed(settings.seed)
    network = build_evidence_network(*train.shape, settings, initial)
    affinity = AffinityScorer(network)
    memories = train_until_best(
        network,
        ContrastiveTrainer(network, train, settings, generator),
        Schedule("memories", settings.epochs, settings.patience, settings.keep),
        generator=generator,
        checkpoints=checkpoints,
        validate=lambda: evaluate(affinity, validation, train),
        report=report,
    )
    started = time.perf_counter()
    scorer = build_evidence_scorer(network, train, settings)
    drawn = np.random.default_rng(settings.seed)
    loss = _learn_evidence(network, scorer, _inside_edges(train, drawn), drawn)
    metrics = evaluate(scorer, validation, train)
    report(Epoch("evidence", 1, loss, metrics, time.perf_counter() - started))
    started = time.perf_counter()
    loss, metrics = _learn_blend(network, scorer, validation, train, drawn)
    blend = Epoch("blend", memories.number, loss, metrics, time.perf_counter() - started)
    report(blend)
    return network, blend


def learn_memories(
    network: EvidenceNetwork,
    matrix: sparse.csr_array,
    settings: Hyperparameters,
    epochs: int,
) -> None:
    """Learns the memories again, from all interactions, for a number of epochs known to be good."""
    start = torch.Generator().manual_seed(settings.seed)
    fresh = build_evidence_network(*matrix.shape, settings, start)
    trainer = ContrastiveTrainer(fresh, matrix, settings, np.random.default_rng(settings.seed))
    for number in range(1, epochs + 1):
        trainer.train_epoch(number)
    with torch.no_grad():
        network.user_memory.copy_(fresh.user_memory)
        network.item_memory.copy_(fresh.item_memory)


def _inside_edges(
    train: sparse.csr_array, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns one random edge of each user that has another one, of at most `MOST_EXAMPLES`."""
    degrees = np.diff(train.indptr)
    users = np.flatnonzero(degrees >= 2)
    if users.size > MOST_EXAMPLES:
        users = np.sort(generator.choice(users, MOST_EXAMPLES, replace=False))
    places = train.indptr[users] + generator.integers(degrees[users])
    return users, train.indices[places].astype(np.int64)


def _learn_evidence(
    network: EvidenceNetwork,
    scorer: EvidenceScorer,
    edges: tuple[np.ndarray, np.ndarray],
    generator: np.random.Generator,
) -> float:
    batches = list(examples(network, scorer, edges, inside=True, generator=generator))
    members = torch.cat([batch.candidates.log_evidence for batch in batches])
    degrees = torch.cat([batch.candidates.log_member_degrees for batch in batches])
    if members.numel():
        network.centre(members.mean(), degrees.mean())
    return calibrate(network, batches, ("gamma", "delta", "beta", "mass"), 0.0)


class _Blend:
    """Learns the weights of a choice of reads, always from the same start."""

    def __init__(
        self,
        network: EvidenceNetwork,
        scorer: EvidenceScorer,
        held_out: HeldOut,
        generator: np.random.Generator,
    ) -> None:
        self._network, self._scorer, self._held_out = network, scorer, held_out
        self._start = {name: scalar.item() for name, scalar in network.scalars().items()}
        edges = held_out.users, held_out.items
        self._batches = list(examples(network, scorer, edges, inside=False, generator=generator))

    def learn(self, reads: tuple[str, ...], batches: Sequence[Example] | None = None) -> float:
        """Sets the scalars; returns the loss."""
        with torch.no_grad():
            for name, scalar in self._network.scalars().items():
                scalar.fill_(START_OF_READ if name in reads else self._start[name])
        names = ("beta", "mass", *reads)
        return calibrate(self._network, batches or self._batches, names, RANDOM_SHARE)

    def crossed(
        self, reads: tuple[str, ...], train: sparse.csr_array
    ) -> tuple[float, dict[str, float]]:
        """Returns loss and metrics of each half with the weights that the other half taught."""
        sizes = [len(batch.valid) for batch in self._batches]
        half_of = np.repeat(np.arange(len(sizes)) % 2, sizes)
        total, metrics = 0.0, dict[str, float]()
        for half in (0, 1):
            mine = half_of == half
            if not mine.any():
                continue
            self.learn(reads, self._batches[1 - half :: 2])  # a single batch teaches itself
            share = float(mine.mean())
            total += share * mean_loss(self._network, self._batches[half::2], RANDOM_SHARE)
            part = HeldOut(self._held_out.users[mine], self._held_out.items[mine])
            for name, value in evaluate(self._scorer, part, train).items():
                metrics[name] = metrics.get(name, 0.0) + share * value
        return total, metrics


def _learn_blend(
    network: EvidenceNetwork,
    scorer: EvidenceScorer,
    validation: HeldOut,
    train: sparse.csr_array,
    generator: np.random.Generator,
) -> tuple[float, dict[str, float]]:
    """Chooses the reads and learns their weights; returns the crossed loss and metrics."""
    chosen = np.arange(validation.users.size)
    if chosen.size > MOST_EXAMPLES:
        chosen = np.sort(generator.choice(chosen, MOST_EXAMPLES, replace=False))
    held_out = HeldOut(validation.users[chosen], validation.items[chosen])
    blend = _Blend(network, scorer, held_out, generator)
    found = {
        reads: blend.crossed(reads, train) for reads in (READS if scorer.has_linear else READS[:2])
    }
    reads = min(found, key=lambda reads: found[reads][0])
    blend.learn(reads)
    return found[reads]
