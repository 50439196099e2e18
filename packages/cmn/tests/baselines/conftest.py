"""Random matrices, wide and tall, with an item and a user that have nothing."""

import numpy as np
import pytest
from scipy import sparse


@pytest.fixture(params=[(14, 23), (23, 14)], ids=["wide", "tall"])
def small(request) -> sparse.csr_array:
    dense = np.random.default_rng(11).random(request.param) < 0.35
    dense[:, 4] = False
    dense[6] = False
    return sparse.csr_array(dense.astype(np.float32))
