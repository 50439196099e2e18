from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for made_tasks and dense_reference


@pytest.fixture(autouse=True)
def _one_thread():
    """Small nets gain nothing from threads, and the same count makes runs equal."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def bocl_data() -> str:
    root = os.environ.get("BOCL_DATA")
    if not root:
        pytest.skip("needs MNIST and CIFAR-100 in a folder named by BOCL_DATA")
    return root
