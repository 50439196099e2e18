"""Small made data shared by the tests."""

import numpy as np
import pytest
import torch
from scipy import sparse

torch.set_num_threads(1)  # the tensors are small, and a second thread only waits


@pytest.fixture
def blocks() -> sparse.csr_array:
    """60 users in 3 groups who prefer their own third of 45 items: there is something to learn."""
    generator = np.random.default_rng(7)
    chance = np.full((60, 45), 0.03)
    for group in range(3):
        chance[group * 20 : group * 20 + 20, group * 15 : group * 15 + 15] = 0.5
    return sparse.csr_array((generator.random((60, 45)) < chance).astype(np.float32))


@pytest.fixture
def ragged_matrix() -> sparse.csr_array:
    """9 users x 12 items with neighbourhoods of 0, 1, 2 and up to 9 members."""
    dense = np.random.default_rng(3).random((9, 12)) < 0.4
    dense[:, 2] = False
    dense[:, 5] = [True] + [False] * 8
    dense[:, 8] = True
    dense[:, 11] = False
    return sparse.csr_array(dense.astype(np.float32))
