"""Growth: memories for users and items that training has not seen, from those it has.

A newcomer's row is predicted from the rows of what it interacted with, by a ridge regression that
is fitted on the known rows: what m_u came out for users with which e_i, and likewise the other way.

Letters: P users, Q items, d the embedding size.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import nn

from cmn.model import CMNNetwork

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

    from cmn.evidence_network import EvidenceNetwork

Network = TypeVar("Network", "CMNNetwork", "EvidenceNetwork")

RIDGE = 1e-3  # weight of the penalty, as a share of the features' mean square


def features(matrix: sparse.csr_array, memory: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns what a row's interactions have in memory, (n, 2 d + 2).

    With n_r interactions of row r: the mean of their memories, their sum over sqrt(n_r), log(1 +
    n_r) and 1.

    Args:
        matrix: binary CSR (n, m).
        memory: (m, d).
    """
    counts = np.asarray(matrix.sum(axis=1)).ravel()
    sums = np.asarray(matrix @ memory)
    safe = np.maximum(counts, 1)[:, None]
    rest = np.column_stack([np.log1p(counts), np.ones(counts.size)])
    return np.hstack([sums / safe, sums / np.sqrt(safe), rest])


class MemoryMap:
    """Predicts rows of one memory from interactions with rows of another.

    Args:
        matrix: binary CSR (n, m) of known rows.
        source: (m, d), the other memory.
        target: (n, d'), what is to be predicted; rows without interactions are left out.
    """

    def __init__(self, matrix: sparse.csr_array, source: Tensor, target: Tensor) -> None:
        self._source = source.numpy().astype(np.float64)
        known = np.diff(matrix.indptr) > 0
        inputs = features(matrix[known], self._source)
        gram = inputs.T @ inputs
        gram[np.diag_indices(len(gram))] += RIDGE * np.trace(gram) / len(gram)
        wanted = target.numpy().astype(np.float64)[known]
        self._weights = np.linalg.solve(gram, inputs.T @ wanted)

    def __call__(self, matrix: sparse.csr_array) -> Tensor:
        """Returns predicted rows, (k, d'), for the interactions of k others, CSR (k, m)."""
        predicted = features(matrix, self._source) @ self._weights
        return torch.from_numpy(predicted.astype(np.float32))


@torch.no_grad()
def with_users(network: Network, known: sparse.csr_array, newcomers: sparse.csr_array) -> Network:
    """Returns a network whose P user and external memories are followed by k newcomers'.

    Args:
        network: left as it is.
        known: binary CSR (P, Q) that the network was trained on.
        newcomers: binary CSR (k, Q).
    """
    predict = MemoryMap(known, network.item_memory, network.user_memory)
    grown = copy.deepcopy(network)
    grown.user_memory = _followed_by(network.user_memory, predict(newcomers))
    if isinstance(network, CMNNetwork):
        external = MemoryMap(known, network.item_memory, network.external_memory)
        grown.external_memory = _followed_by(network.external_memory, external(newcomers))
    return grown


@torch.no_grad()
def with_items(network: Network, known: sparse.csr_array, newcomers: sparse.csr_array) -> Network:
    """Returns a network whose Q item memories are followed by k newcomers'.

    Args:
        network: left as it is.
        known: binary CSR (Q, P) of items and their users that the network was trained on.
        newcomers: binary CSR (k, P).
    """
    predict = MemoryMap(known, network.user_memory, network.item_memory)
    grown = copy.deepcopy(network)
    grown.item_memory = _followed_by(network.item_memory, predict(newcomers))
    return grown


def _followed_by(memory: Tensor, rows: Tensor) -> nn.Parameter:
    return nn.Parameter(torch.cat([memory, rows]))
