"""What users of a model wait for, on citeulike-a: C5, evaluation, and C7, newcomers.

Two whole trainings of a protocol, the same but that one has not seen 1,000 of the users; then these
users' test items, ranked among all items: trained in by the one, folded in by the other. CPU
seconds on one thread; what is there already is kept in results.json.

    CMN_DATA=... python packages/cmn/benchmarks/use.py [default] [best]
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from results import measured

from cmn import CMN, HeldOut, assess, load_dataset, split_dataset

DATA = "citeulike-a"
NEWCOMERS = 1000
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


def measure(protocol: str) -> dict[str, float]:
    """Returns the figures of one protocol by name."""
    split = split_dataset(load_dataset(DATA))
    generator = np.random.default_rng(0)
    n_users = split.train.shape[0]
    size = min(NEWCOMERS, n_users // 4)
    new = np.sort(generator.choice(n_users, size, replace=False))
    old = np.setdiff1d(np.arange(n_users), new)
    everyone = CMN(protocol=protocol).fit(split.train, split.validation)
    others = CMN(protocol=protocol).fit(split.train[old], part(split.validation, old))
    held_out, seen = split.part("test")
    figures = {"users": float(held_out.users.size), "newcomers": float(size)}
    if held_out.negatives is not None:
        figures["sampled_s"], _ = cpu_seconds(
            lambda: assess(everyone, held_out, seen, sampled_only=True)
        )
    first = HeldOut(held_out.users[:TIMED], held_out.items[:TIMED])
    full, _ = cpu_seconds(lambda: assess(everyone, first, seen))
    figures["full_s"] = full * held_out.users.size / first.users.size
    figures["fold_in_s"], newcomers = cpu_seconds(lambda: others.fold_in(split.train[new]))
    theirs = np.isin(held_out.users, new)
    mine = HeldOut(held_out.users[theirs], held_out.items[theirs])
    figures["trained_in"] = everyone.evaluate(mine, seen)["ndcg@10"]
    figures["folded_in"] = newcomers.evaluate(part(held_out, new), seen[new])["ndcg@10"]
    return figures


def main() -> None:
    """Measures and prints a Markdown table."""
    torch.set_num_threads(1)
    print("| figure | measured |")
    print("| --- | --- |")
    for protocol in sys.argv[1:] or ["default", "best"]:
        found = measured(f"{DATA} use, {protocol}", lambda protocol=protocol: measure(protocol))
        users, newcomers = f"{found['users']:,.0f}", f"{found['newcomers']:,.0f}"
        if "sampled_s" in found:
            name = f"C5, `{protocol}`, 101 candidates, all {users} users"
            print(f"| {name} | {found['sampled_s']:.1f} CPU s |")
        name = f"C5, `{protocol}`, full ranking, all {users} users, from {TIMED} of them"
        print(f"| {name} | {found['full_s']:.0f} CPU s |")
        name = f"C7, `{protocol}`, fold_in of {newcomers} users"
        print(f"| {name} | {found['fold_in_s']:.2f} CPU s |")
        both = f"{found['folded_in']:.4f} / {found['trained_in']:.4f}"
        print(f"| C7, `{protocol}`, their NDCG@10, folded in / trained in | {both} |", flush=True)


if __name__ == "__main__":
    main()
