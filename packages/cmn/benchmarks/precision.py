"""Precision: do bfloat16 and torch.compile pay on this machine's CPU?

Each line compares CPU seconds of the same work, done alternately, on made data of citeulike-a's
size; one thread. Run it with: python packages/cmn/benchmarks/precision.py
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from matrices import citations

from cmn.contrastive import ContrastiveTrainer
from cmn.evidence_fitting import build_evidence_network
from cmn.hyperparameters import Hyperparameters
from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.scoring import CatalogueScorer

ROUNDS = 7


def ratio(plain: Callable[[], object], other: Callable[[], object]) -> tuple[float, float, float]:
    """Returns the CPU seconds a call takes first, of the other, and of that the first seconds."""
    started = time.process_time()
    other()
    first = time.process_time() - started
    plain()
    spent = [0.0, 0.0]
    for _ in range(ROUNDS):
        for k, work in enumerate((plain, other)):
            started = time.process_time()
            work()
            spent[k] += time.process_time() - started
    return spent[0] / ROUNDS, spent[1] / ROUNDS, first


def show(name: str, plain: Callable[[], object], other: Callable[[], object]) -> None:
    """Prints a table row."""
    before, after, first = ratio(plain, other)
    print(
        f"| {name} | {1000 * before:.1f} ms | {1000 * after:.1f} ms | {before / after:.2f} x |"
        f" {first:.1f} s |",
        flush=True,
    )


def autocast(work: Callable[[], object]) -> Callable[[], object]:
    """Returns some work with dense products in bfloat16."""

    def lowered() -> object:
        with torch.autocast("cpu", torch.bfloat16):
            return work()

    return lowered


def main() -> None:
    """Prints a Markdown table."""
    torch.set_num_threads(1)
    matrix = citations()
    generator = np.random.default_rng(0)
    settings = Hyperparameters(protocol="best")
    evidence = build_evidence_network(*matrix.shape, settings, torch.Generator().manual_seed(0))
    trainer = ContrastiveTrainer(evidence, matrix, settings, generator)
    rows, columns = matrix.nonzero()
    chosen = generator.integers(rows.size, size=settings.batch_size)
    shared = generator.integers(matrix.shape[1], size=settings.shared_negatives)
    users, items = rows[chosen].astype(np.int64), columns[chosen].astype(np.int64)

    def contrastive(loss: Callable[..., torch.Tensor] = trainer.loss) -> None:
        trainer.optimiser.minimise(loss(users, items, shared), 1e-6)

    network = CMNNetwork(*matrix.shape, 50, 2, torch.Generator().manual_seed(0))
    scorer, some = CatalogueScorer(network, Neighbourhoods(matrix)), np.arange(64)
    compiled_loss = torch.compile(trainer.loss, dynamic=True)
    print("| work | float32 | other | gain | first call of the other |")
    print("| --- | --- | --- | --- | --- |")
    show("`best`, contrastive step, bfloat16", contrastive, autocast(contrastive))
    show(
        "`default`, scores of 64 users, bfloat16",
        lambda: scorer.score(some),
        autocast(lambda: scorer.score(some)),
    )
    show(
        "`best`, contrastive step, torch.compile",
        contrastive,
        lambda: contrastive(compiled_loss),
    )


if __name__ == "__main__":
    main()
