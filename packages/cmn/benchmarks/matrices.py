"""Data: citeulike-a where it is at hand, and made matrices of any size."""

import os

import numpy as np
from scipy import sparse

from cmn.datasets import load_dataset


def citations(seed: int = 0) -> sparse.csr_array:
    """Returns a made matrix of citeulike-a's size and spread: N(i) has mean 12, p99 some 57."""
    return _drawn(5551, 16_980, 200_000, 0.8, seed)


def citeulike() -> sparse.csr_array:
    """Returns citeulike-a's training matrix where CMN_DATA has it, otherwise a made one."""
    if "CMN_DATA" in os.environ:
        return load_dataset("citeulike-a").interactions.matrix
    return citations()


def shop(interactions: int, seed: int = 0) -> sparse.csr_array:
    """Returns a made matrix of so many interactions: ten of each user, fifty of each item."""
    return _drawn(interactions // 10, interactions // 50, interactions, 1.0, seed)


def _drawn(n_users: int, n_items: int, size: int, spread: float, seed: int) -> sparse.csr_array:
    generator = np.random.default_rng(seed)
    appeal = np.cumsum(generator.lognormal(0, spread, n_items))
    users = generator.integers(n_users, size=size)
    items = np.searchsorted(appeal, generator.random(size) * appeal[-1])
    ones = np.ones(size, dtype=np.float32)
    matrix = sparse.csr_array((ones, (users, items)), (n_users, n_items))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
