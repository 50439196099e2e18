"""Cost: rows C3 to C6, in CPU seconds of one thread, ratios and times of this machine."""

import resource
import subprocess
import sys
import time

import numpy as np
import torch
from matrices import citeulike, shop
from padded import PaddedLists, padded_loss

from cmn.baselines.random_walk import RP3beta
from cmn.contrastive import ContrastiveTrainer
from cmn.evaluation import evaluate
from cmn.evidence_fitting import build_evidence_network, build_evidence_scorer
from cmn.hyperparameters import Hyperparameters
from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.sampling import NegativeSampler
from cmn.scoring import CatalogueScorer
from cmn.splits import leave_one_out
from cmn.train import NetworkTrainer

NEGATIVES, HOPS, DIM = 4, 2, 50


def training_step(batch_size: int, steps: int = 3) -> list[str]:
    """C3: the same batches from the same weights, ragged and padded in turn."""
    matrix = citeulike()
    sampler, neighbourhoods = NegativeSampler(matrix), Neighbourhoods(matrix)
    lists, generator = PaddedLists(matrix), np.random.default_rng(0)
    network = CMNNetwork(*matrix.shape, DIM, HOPS, torch.Generator().manual_seed(0))
    trainer = NetworkTrainer(network, neighbourhoods, sampler, Hyperparameters(l2=0.0), generator)
    epoch = sampler.epoch(batch_size // NEGATIVES, NEGATIVES, generator)
    spent = {"ragged": 0.0, "padded": 0.0}
    for step in range(steps + 1):
        users, items = next(epoch)
        losses = {}
        for variant in spent:
            network.zero_grad()
            started = time.process_time()
            if variant == "ragged":
                loss = trainer.loss(users, items)
            else:
                loss = padded_loss(network, lists, users, items)
            loss.backward()
            if step:  # the first step warms up
                spent[variant] += time.process_time() - started
            losses[variant] = loss.item()
        if not np.isclose(losses["ragged"], losses["padded"], rtol=1e-4):
            raise SystemExit(f"the variants disagree: {losses}")
    ragged, padded = (steps * batch_size / spent[variant] for variant in ("ragged", "padded"))
    name = f"C3, training step of {batch_size:,} triples, ragged against padded"
    wanted = "30" if batch_size >= 2048 else "10"
    measured = f"{ragged / padded:.1f} x ({ragged:,.0f} against {padded:,.0f} triples / CPU s)"
    return [f"| {name} | >= {wanted} x | {measured} |"]


def catalogue_scores(users: int = 64) -> list[str]:
    """C4: scores of all items by the paper's network, and against the network pair by pair."""
    matrix = citeulike()
    network = CMNNetwork(*matrix.shape, DIM, HOPS, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for weight in (network.user_memory, network.item_memory, network.external_memory):
            weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    neighbourhoods = Neighbourhoods(matrix)
    scorer, rows = CatalogueScorer(network, neighbourhoods), np.arange(users)
    scorer.score(rows)
    started = time.process_time()
    scores = scorer.score(rows)
    cost = 1000 * (time.process_time() - started) / users
    items = torch.arange(matrix.shape[1])
    with torch.no_grad():
        direct = network(torch.zeros_like(items), items, neighbourhoods.gather(items)).numpy()
    apart = np.abs(scores[0] - direct).max()
    name = "C4, exact scores of all 16,980 items, 2 hops, d = 50, CPU per user"
    return [f"| {name} | <= 15 ms | {cost:.1f} ms; {apart:.0e} from the direct model |"]


def full_evaluation() -> list[str]:
    """C5: ranking of every user's held-out item among all items, by RP3beta's scores."""
    train, held_out = leave_one_out(citeulike(), np.random.default_rng(0))
    model = RP3beta().fit(train)
    started = time.process_time()
    evaluate(model.scorer, held_out, train)
    cost = time.process_time() - started
    name = f"C5, evaluation of {held_out.users.size:,} users, full ranking, CPU"
    return [f"| {name} | <= 60 s | {cost:.1f} s |"]


def growth() -> list[str]:
    """C6: memory and time per interaction of `best`, each size in a process of its own."""
    rows = []
    for size in (100_000, 1_000_000, 10_000_000):
        command = [sys.executable, __file__, str(size)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        step, walk, peak = (float(word) for word in said)
        name = f"C6, `best` at {size:,} made interactions, d = 64, walks through 100 members"
        measured = (
            f"{step:.0f} us CPU / interaction and epoch, {walk:.1f} ms / user's scores,"
            f" peak {peak:.1f} GB"
        )
        rows.append(f"| {name} | flat, <= 8 GB | {measured} |")
    return rows


def _grow(size: int, steps: int = 30) -> None:
    """Prints us per interaction of the memories, ms per user's scores, and peak GB."""
    torch.set_num_threads(1)
    matrix = shop(size)
    settings = Hyperparameters(protocol="best", embedding_dim=64, max_neighbours=100, linear_l2=0.0)
    network = build_evidence_network(*matrix.shape, settings, torch.Generator().manual_seed(0))
    generator = np.random.default_rng(0)
    trainer = ContrastiveTrainer(network, matrix, settings, generator)
    users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    batches = [generator.integers(users.size, size=1024) for _ in range(steps)]
    started = time.process_time()
    for chosen in batches:
        shared = generator.integers(matrix.shape[1], size=512)
        items = matrix.indices[chosen].astype(np.int64)
        trainer.optimiser.minimise(trainer.loss(users[chosen], items, shared), 1e-3)
    step = (time.process_time() - started) / (1024 * steps)
    scorer = build_evidence_scorer(network, matrix, settings)
    some = np.unique(users)[:64]
    started = time.process_time()
    for user in some:
        scorer.score(user[None])
    walk = (time.process_time() - started) / some.size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(1e6 * step, 1e3 * walk, peak)


if __name__ == "__main__":
    _grow(int(sys.argv[1]))
