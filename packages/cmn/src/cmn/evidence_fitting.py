"""Evidence fitting: the phases of `protocol="best"`.

1. memories: M and E by the contrastive loss; the epoch with the best validation NDCG@10 stays.
2. evidence: alpha, gamma, delta and beta by a search from RP3beta's settings for the best full
   validation NDCG@10; or, with `evidence_from="training"`, NDCG@10 of training edges, each taken
   out of the graph for its own scores (leave one edge out).
3. blend: floor, beta and the weights of affinity and linear read by a search over shortlists of
   validation users. Each half of the users is measured with what the other half taught; the reads
   that are then best stay, which may be none beside the neighbours'. Undone where full NDCG@10
   falls by it.

No evidence that led to a score holds the edge it is measured by: validation edges are not in the
graph. Their reported loss is what is missing to a perfect value.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn.baselines.ease import EASE
from cmn.calibration import Range, Shortlists, floor_start, pattern_search, shortlists
from cmn.contrastive import ContrastiveTrainer
from cmn.early_stopping import CRITERION, Epoch, Schedule, train_until_best
from cmn.errors import ParameterError
from cmn.evaluation import evaluate
from cmn.evidence import WalkEvidence
from cmn.evidence_network import LOG_TINY, EvidenceNetwork
from cmn.evidence_scoring import AffinityScorer, EvidenceScorer, LeftOutScorer
from cmn.interactions import HeldOut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scipy import sparse

    from cmn.checkpoints import Checkpoints
    from cmn.hyperparameters import Hyperparameters

LEAST_EXAMPLES, MOST_EXAMPLES = 1_000, 10_000
SCORES = 10**8  # about as many for each try of the search, between these bounds
READS: tuple[tuple[str, ...], ...] = ((), ("affinity",), ("items",), ("affinity", "items"))
EVIDENCE = {
    "gamma": Range(0.25, 4.0, 0.3),
    "delta": Range(0.0, 4.0, 0.3),
    "beta": Range(-1.0, 2.0, 0.15),
    "alpha": Range(0.0, 2.0, 0.2),
}
BLEND = {
    "log_floor": Range(LOG_TINY, 30.0, 1.0),
    "beta": Range(-1.0, 2.0, 0.2),
    "affinity": Range(0.0, 30.0, 0.3),
    "items": Range(0.0, 30.0, 0.3),
}


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
    some = _some(validation, train.shape[1], drawn)
    edges = some if settings.evidence_from == "validation" else _training_edges(train, drawn)
    value = _calibrate_evidence(network, scorer, edges, train)
    metrics = evaluate(scorer, some, train)
    report(Epoch("evidence", 1, 1 - value, metrics, time.perf_counter() - started))
    started = time.perf_counter()
    value, metrics = _calibrate_blend(network, scorer, some, train, drawn)
    blend = Epoch("blend", memories.number, 2 - value, metrics, time.perf_counter() - started)
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


def _calibrate_evidence(
    network: EvidenceNetwork,
    scorer: EvidenceScorer,
    edges: HeldOut,
    train: sparse.csr_array,
) -> float:
    """Searches alpha, gamma, delta and beta; returns the NDCG@10 of the edges that they have."""
    inside = bool((train[edges.users, edges.items] != 0).any())
    measured: EvidenceScorer | LeftOutScorer = scorer
    if inside:
        measured = LeftOutScorer(scorer, edges.users, edges.items)
        train = measured.histories

    def value(scalars: Mapping[str, float]) -> float:
        network.set_scalars(scalars)
        return evaluate(measured, edges, train, (10,))[CRITERION]

    found, best = pattern_search(value, network.scalars(), EVIDENCE)
    network.set_scalars(found)
    return best


class _Blend:
    """Learns the weights of a choice of reads, always from the same start."""

    def __init__(
        self,
        network: EvidenceNetwork,
        scorer: EvidenceScorer,
        validation: HeldOut,
        generator: np.random.Generator,
    ) -> None:
        self._network, self._scorer, self._validation = network, scorer, validation
        self._lists = shortlists(scorer, validation, generator)
        self._start = {**network.scalars(), "log_floor": floor_start(self._lists)}

    def learn(self, reads: tuple[str, ...], lists: Shortlists | None = None) -> float:
        """Sets the scalars by some of the edges or all; returns their value."""
        taught = lists or self._lists

        def value(scalars: Mapping[str, float]) -> float:
            self._network.set_scalars(scalars)
            return taught.value(self._network)

        ranges = {name: BLEND[name] for name in ("log_floor", "beta", *reads)}
        found, best = pattern_search(value, self._start, ranges)
        self._network.set_scalars(found)
        return best

    def crossed(
        self, reads: tuple[str, ...], train: sparse.csr_array
    ) -> tuple[float, dict[str, float]]:
        """Returns value and metrics of each half with the weights that the other half taught."""
        even = np.arange(self._validation.users.size) % 2 == 0
        total, metrics = 0.0, dict[str, float]()
        for mine in (even, ~even):
            if not mine.any():
                continue
            self.learn(reads, self._lists.of(~mine if even.size > 1 else mine))
            share = float(mine.mean())
            total += share * self._lists.of(mine).value(self._network)
            part = HeldOut(self._validation.users[mine], self._validation.items[mine])
            for name, value in evaluate(self._scorer, part, train).items():
                metrics[name] = metrics.get(name, 0.0) + share * value
        return total, metrics


def _calibrate_blend(
    network: EvidenceNetwork,
    scorer: EvidenceScorer,
    validation: HeldOut,
    train: sparse.csr_array,
    generator: np.random.Generator,
) -> tuple[float, dict[str, float]]:
    """Chooses the reads and their weights; returns the crossed value and metrics."""
    without = network.scalars()
    untouched = evaluate(scorer, validation, train)
    blend = _Blend(network, scorer, validation, generator)
    found = {
        reads: blend.crossed(reads, train)
        for reads in (READS if scorer.linear is not None else READS[:2])
    }
    reads = max(found, key=lambda reads: found[reads][0])
    value, metrics = found[reads]
    if metrics[CRITERION] < untouched[CRITERION]:
        network.set_scalars(without)
        return value, untouched
    blend.learn(reads)
    return value, metrics


def _training_edges(train: sparse.csr_array, generator: np.random.Generator) -> HeldOut:
    """Returns a random edge of every user with two or more, as many as the search can afford."""
    degrees = np.diff(train.indptr)
    users = np.flatnonzero(degrees > 1)
    places = train.indptr[users] + generator.integers(degrees[users])
    return _some(HeldOut(users, train.indices[places].astype(np.int64)), train.shape[1], generator)


def _some(validation: HeldOut, n_items: int, generator: np.random.Generator) -> HeldOut:
    """Returns as many held-out edges as the searches can afford, without sampled rivals."""
    chosen = np.arange(validation.users.size)
    most = min(max(SCORES // n_items, LEAST_EXAMPLES), MOST_EXAMPLES)
    if chosen.size > most:
        chosen = np.sort(generator.choice(chosen, most, replace=False))
    return HeldOut(validation.users[chosen], validation.items[chosen])
