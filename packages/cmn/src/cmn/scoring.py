"""Scoring: exact scores of the whole catalogue.

Items are grouped by the length L of their neighbourhoods. Within a group every item has the same
number of members, so attention and read of all users at once are dense products, without padding
and without a copy of a neighbourhood per user. The output layer is applied to C beforehand.

Letters: B users, Q items, n items of one group, L members each, d the embedding size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from cmn.model import CMNNetwork
    from cmn.neighbourhoods import Neighbourhoods

NUMBERS_AT_A_TIME = 2**19  # entries of the largest temporary tensor


class CatalogueScorer:
    """Scores all items for batches of users by the network as it is when called.

    A user who is a member of a neighbourhood attends to itself there; this can only concern items
    it has interacted with, which a ranking of unseen items leaves out.

    Args:
        network: the model.
        neighbourhoods: N(i) of its Q items.
    """

    def __init__(self, network: CMNNetwork, neighbourhoods: Neighbourhoods) -> None:
        self._network = network
        self._groups: list[tuple[Tensor, Tensor]] = []
        for length in torch.unique(neighbourhoods.lengths).tolist():
            items = torch.nonzero(neighbourhoods.lengths == length).flatten()
            members = neighbourhoods.gather(items).members.view(len(items), length)
            self._groups.append((items, members))

    @torch.no_grad()
    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, Q) for users (B,)."""
        network = self._network
        d = network.user_memory.shape[1]
        user = network.user_memory[torch.from_numpy(users)]  # (B, d)
        pairwise, projection = torch.split(network.output_layer.weight, d, dim=1)  # U, W
        projected = network.external_memory @ projection.T  # rows W c_v
        scores = torch.empty(len(users), len(network.item_memory), dtype=user.dtype)
        for items, members in self._groups:
            width = len(users) * max(d, members.shape[1])
            for part in torch.split(torch.arange(len(items)), max(1, NUMBERS_AT_A_TIME // width)):
                item = network.item_memory[items[part]]  # (n, d)
                # U (m_u * e_i) as a product of m_u with U scaled by e_i: no (n, B, d) on the way
                hidden = user @ (item[:, :, None] * pairwise.T)
                hidden += self._last_read(user, item[:, None], members[part], projected)
                hidden.add_(network.output_layer.bias).relu_()
                scores[:, items[part]] = (hidden @ network.output_weight).T
        return scores.numpy()

    def _last_read(self, user: Tensor, item: Tensor, members: Tensor, projected: Tensor) -> Tensor:
        """Returns W o^H, (n, B or 1, d), of users (B, d) and items (n, 1, d) over members (n, L).

        Hop 1 is linear in z^0 = m_u + e_i, so it is computed for users and items apart.
        """
        if members.shape[1] < 2:  # one member or none leaves attention no choice
            return projected[members].sum(1, keepdim=True)
        network = self._network
        keys = network.user_memory[members].transpose(1, 2)  # (n, d, L)
        weights = torch.softmax((user @ keys).add_(item @ keys), dim=-1)  # (n, B, L)
        for hop, layer in enumerate(network.layers()[:-1]):
            read = weights @ network.external_memory[members]
            if hop == 0:
                query = read.add_(user @ layer.weight.T).add_(layer(item)).relu_()
            else:
                query = layer(query).add_(read).relu_()
            weights = torch.softmax(query @ keys, dim=-1)
        return weights @ projected[members]
