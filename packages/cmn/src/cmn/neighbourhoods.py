"""Neighbourhoods: N(i), the users who interacted with item i, as ragged segments without padding.

Letters: B pairs in a batch, S = sum of |N(i)| over the batch, P users, Q items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cmn.segments import Ragged

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor


class Neighbourhoods:
    """N(i) of every item, flattened: the transposed training matrix in CSR form.

    Args:
        matrix: binary training CSR (P, Q).

    Attributes:
        lengths: |N(i)|, int64 (Q,).
        bounds: where each N(i) starts among all members and, last, where they end, int64 (Q + 1,).
    """

    def __init__(self, matrix: sparse.csr_array) -> None:
        transposed = matrix.T.tocsr()
        transposed.sort_indices()
        self._starts = torch.from_numpy(transposed.indptr[:-1].astype(np.int64))
        self._users = torch.from_numpy(transposed.indices.astype(np.int64))
        self.bounds: NDArray[np.int64] = transposed.indptr.astype(np.int64)
        self.lengths = torch.from_numpy(np.diff(transposed.indptr).astype(np.int64))

    @property
    def users(self) -> NDArray[np.int64]:
        """The members of all N(i), end to end."""
        return self._users.numpy()

    def gather(self, items: Tensor) -> Ragged:
        """Returns N(i) for each of items (B,); an item without users has an empty segment."""
        lengths = self.lengths[items]
        ends = lengths.cumsum(0)
        shift = torch.repeat_interleave(self._starts[items] - (ends - lengths), lengths)
        members = self._users[shift + torch.arange(shift.numel())]
        return Ragged.from_lengths(members, lengths)
