"""Retrieval: what two stages find and cost against exact scores of the whole catalogue.

python packages/cmn/benchmarks/retrieval.py MODEL    # a folder that `cmn train` has written
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from cmn import CMN

USERS = 256


def milliseconds(work: Callable[[], Any]) -> float:
    """Returns the CPU time of some work for each of the users."""
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started) / USERS


def main() -> None:
    """Prints a Markdown table."""
    torch.set_num_threads(1)
    model = CMN.load(sys.argv[1])
    labels = model.interactions.user_ids
    users = np.random.default_rng(0).choice(labels, min(USERS, labels.size), replace=False)
    print("| candidates | recall of the exact 10 best | CPU per user |")
    print("| --- | --- | --- |")
    exact = milliseconds(lambda: model.recommend(users))
    print(f"| all {len(model.interactions.item_ids):,} | 1 | {exact:.1f} ms |")
    for candidates in (200, 500, 2000):
        fast = model.two_stage(candidates)
        cost = milliseconds(lambda fast=fast: fast.recommend(users))
        print(f"| {candidates:,} | {fast.recall(users):.3f} | {cost:.1f} ms |")


if __name__ == "__main__":
    main()
