"""Candidates: scores of a few items for each user, by the network pair by pair.

Letters: B users, n candidates of each, d the embedding size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmn.model import CMNNetwork
    from cmn.neighbourhoods import Neighbourhoods

MEMBERS_AT_A_TIME = 2**17  # of the neighbourhoods gathered in one go; d floats each


class CandidateScorer:
    """Scores given items for given users: cheaper than the whole catalogue if they are few.

    Args:
        network: the model.
        neighbourhoods: N(i) of its items.
    """

    def __init__(self, network: CMNNetwork, neighbourhoods: Neighbourhoods) -> None:
        self._network, self._neighbourhoods = network, neighbourhoods

    @torch.no_grad()
    def score(self, users: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns r_ui, (B, n), for users (B,) and items (B, n)."""
        rows = torch.from_numpy(np.repeat(users, candidates.shape[1]))
        columns = torch.from_numpy(candidates.ravel())
        ends = (self._neighbourhoods.lengths[columns] + 1).cumsum(0)
        parts = torch.div(ends, MEMBERS_AT_A_TIME, rounding_mode="floor")
        sizes = torch.unique_consecutive(parts, return_counts=True)[1].tolist()
        scores = [
            self._network(part_rows, part_columns, self._neighbourhoods.gather(part_columns))
            for part_rows, part_columns in zip(
                torch.split(rows, sizes), torch.split(columns, sizes), strict=True
            )
        ]
        return torch.cat(scores).view(candidates.shape).numpy()
