"""What users of a model wait for, on citeulike-a: C5, evaluation, and C7, newcomers.

Two short trainings, the same but that one has not seen 1,000 of the users; then these users' test
items, ranked among all 16,980: trained in by the one, folded in by the other. CPU seconds on one
thread. Run it with: CMN_DATA=... python packages/cmn/benchmarks/use.py
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from cmn import CMN, HeldOut, assess, load_dataset, split_dataset

SETTINGS = {"epochs": 1, "patience": 1, "pretrain_epochs": 8, "pretrain_rate": 4e-3}
NEWCOMERS = 1000
VALIDATED = 100  # users; few, for this is not about the best epoch
TIMED = 512  # users of the full ranking


def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Returns the CPU seconds of some work and its result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def part(held_out: HeldOut, rows: np.ndarray) -> HeldOut:
    """Returns what is held out of some users, who are numbered anew in the order of `rows`."""
    kept = np.isin(held_out.users, rows)
    return HeldOut(np.searchsorted(rows, held_out.users[kept]), held_out.items[kept])


def main() -> None:
    """Measures and prints a Markdown table."""
    torch.set_num_threads(1)
    split = split_dataset(load_dataset("citeulike-a"))
    generator = np.random.default_rng(0)
    n_users = split.train.shape[0]
    new = np.sort(generator.choice(n_users, NEWCOMERS, replace=False))
    old = np.setdiff1d(np.arange(n_users), new)
    some = np.sort(generator.choice(old, VALIDATED, replace=False))
    kept = np.isin(split.validation.users, some)
    chosen_by = HeldOut(split.validation.users[kept], split.validation.items[kept])
    everyone = CMN(**SETTINGS).fit(split.train, chosen_by)
    without = HeldOut(np.searchsorted(old, chosen_by.users), chosen_by.items)
    others = CMN(**SETTINGS).fit(split.train[old], without)

    held_out, seen = split.part("test")
    sampled, _ = cpu_seconds(lambda: assess(everyone, held_out, seen, sampled_only=True))
    first = HeldOut(held_out.users[:TIMED], held_out.items[:TIMED])
    full, _ = cpu_seconds(lambda: assess(everyone, first, seen))
    folding, newcomers = cpu_seconds(lambda: others.fold_in(split.train[new]))
    theirs = np.isin(held_out.users, new)
    trained_in = everyone.evaluate(HeldOut(held_out.users[theirs], held_out.items[theirs]), seen)[
        "ndcg@10"
    ]
    folded_in = newcomers.evaluate(part(held_out, new), seen[new])["ndcg@10"]
    print("| | figure | measured |")
    print("| --- | --- | --- |")
    print(f"| C5 | 101 candidates, all {held_out.users.size:,} users | {sampled:.1f} CPU s |")
    print(
        f"| C5 | full ranking, all users, from {TIMED} of them |"
        f" {full * held_out.users.size / TIMED:.0f} CPU s |"
    )
    print(f"| C7 | fold_in of {NEWCOMERS:,} users | {folding:.2f} CPU s |")
    print(f"| C7 | their NDCG@10, folded in / trained in | {folded_in:.4f} / {trained_in:.4f} |")


if __name__ == "__main__":
    main()
