"""Scoring: exact scores of the whole catalogue.

Items are grouped by the length L of their neighbourhoods. Within a group every item has the same
number of members, so attention and read of all users at once are dense products, without padding
and without a copy of a neighbourhood per user. The output layer is applied to C beforehand. Users
come last in every shape, so that products and softmax run along them however short L is.

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

NUMBERS_AT_A_TIME = 2**20  # entries of the largest temporary tensor


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

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, Q) for users (B,)."""
        return self.respond(self._network.user_memory[torch.from_numpy(users)])

    @torch.no_grad()
    def respond(self, users: Tensor) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, Q) for users whose memories m_u are given, (B, d)."""
        network = self._network
        d = network.user_memory.shape[1]
        user = users.T.contiguous()  # (d, B)
        pairwise, projection = torch.split(network.output_layer.weight, d, dim=1)  # U, W
        scaled = (pairwise.T[:, :, None] * user[:, None]).flatten(1)  # U diag(m_u), (d, d B)
        projected = network.external_memory @ projection.T + network.output_layer.bias
        scores = torch.empty(len(network.item_memory), len(users), dtype=user.dtype)
        for items, members in self._groups:
            width = max(len(users), 1) * max(d, members.shape[1])
            for part in torch.split(torch.arange(len(items)), max(1, NUMBERS_AT_A_TIME // width)):
                item = network.item_memory[items[part]]  # (n, d)
                hidden = (item @ scaled).view(len(part), d, len(users))
                if members.shape[1]:
                    hidden.add_(self._last_read(user, item[:, :, None], members[part], projected))
                else:
                    hidden.add_(network.output_layer.bias[:, None])
                joined = network.output_weight @ network.activate(hidden)
                scores[items[part]] = joined.to(scores.dtype)  # bfloat16 under torch.autocast
        return scores.T.numpy()

    def _last_read(self, user: Tensor, item: Tensor, members: Tensor, projected: Tensor) -> Tensor:
        """Returns the last read over values `projected` (P, d), as (n, d, B) or (n, d, 1).

        The first query is m_u + e_i: its products are sums of one per user and one per item.

        Args:
            user: m_u, (d, B).
            item: e_i, (n, d, 1).
            members: N(i), (n, L), L at least 1.
            projected: W c_v + b, whose mean under weights that add up to 1 is W o + b.
        """
        network = self._network
        if members.shape[1] == 1 or network.attention == "uniform":  # nothing depends on the user
            return projected[members].mean(dim=1)[:, :, None]
        keys = network.user_memory[members]  # (n, L, d)
        values = network.external_memory[members].transpose(1, 2)  # (n, d, L)
        logits = (keys @ user).add_(keys @ item)  # (n, L, B)
        query: Tensor | None = None
        for layer in network.layers()[:-1]:
            output = values @ torch.softmax(logits, dim=1)  # (n, d, B)
            if query is None:
                output.add_(layer.weight @ user).add_(layer.weight @ item)
            else:
                output.add_(layer.weight @ query)
            query = network.activate(output.add_(layer.bias[:, None]))
            logits = keys @ query
        return projected[members].transpose(1, 2) @ torch.softmax(logits, dim=1)
