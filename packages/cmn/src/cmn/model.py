"""Model: the network of the paper over user memory M, item memory E and external memory C.

Letters: B pairs, P users, Q items, d the embedding size, H hops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from cmn.memory import attention, read, uniform_attention

if TYPE_CHECKING:
    from torch import Tensor

    from cmn.segments import Ragged

EXTERNAL_SD = 0.01  # standard deviation of C at the start
PRETRAINED_SCALE = 0.5  # M and E start at this share of the pre-trained factors


class CMNNetwork(nn.Module):
    """Scores user-item pairs: latent factors joined with what the item's neighbourhood says.

    Args:
        n_users: P.
        n_items: Q.
        embedding_dim: d.
        hops: H, at least 1.
        generator: source of the initial values.
        attention: `softmax` or, as an ablation, `uniform`: every member of N(i) counts the same.
        activation: `relu` or, as an ablation, `linear`: layers are followed by nothing.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        embedding_dim: int,
        hops: int,
        generator: torch.Generator | None = None,
        *,
        attention: str = "softmax",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.attention, self.activation = attention, activation
        d = embedding_dim
        self.user_memory = nn.Parameter(torch.empty(n_users, d))
        self.item_memory = nn.Parameter(torch.empty(n_items, d))
        self.external_memory = nn.Parameter(torch.empty(n_users, d))
        self.hop_layers = nn.ModuleList(nn.Linear(d, d) for _ in range(hops - 1))
        self.output_layer = nn.Linear(2 * d, d)
        self.output_weight = nn.Parameter(torch.empty(d))
        self._initialise(generator)

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator | None) -> None:
        """Sets the paper's start: He-normal layers, hop biases 1, Xavier v, small C."""
        for memory in (self.user_memory, self.item_memory, self.external_memory):
            sd = EXTERNAL_SD
            nn.init.trunc_normal_(memory, std=sd, a=-2 * sd, b=2 * sd, generator=generator)
        for layer in self.layers():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.constant_(layer.bias, 0.0 if layer is self.output_layer else 1.0)
        nn.init.xavier_uniform_(self.output_weight[:, None], generator=generator)

    def layers(self) -> list[nn.Linear]:
        """Returns the hop layers W^h, b^h for h = 2..H, then the output layer [U; W], b."""
        return [*self.hop_layers, self.output_layer]

    @torch.no_grad()
    def start_from(self, user_factors: Tensor, item_factors: Tensor) -> None:
        """Sets M (P, d) and E (Q, d) to half of the pre-trained factors."""
        self.user_memory.copy_(PRETRAINED_SCALE * user_factors)
        self.item_memory.copy_(PRETRAINED_SCALE * item_factors)

    def forward(self, users: Tensor, items: Tensor, neighbours: Ragged) -> Tensor:
        """Returns r_ui, (B,).

        - hop 1: z^0 = m_u + e_i, p^1 = attention(z^0), o^1 = read(p^1)  (eq. 1-3)
        - hop h: z^h = relu(W^h z^(h-1) + o^(h-1) + b^h), p^h = attention(z^h), o^h = read(p^h)
          (eq. 5, 6)
        - output: r_ui = v . relu(U (m_u * e_i) + W o^H + b)  (eq. 4)

        Args:
            users: int64 (B,).
            items: int64 (B,).
            neighbours: N(i) of the B items.
        """
        user = self.user_memory.index_select(0, users)
        item = self.item_memory.index_select(0, items)
        return self.respond(user, item, self.user_memory, self.external_memory, neighbours)

    def respond(
        self, user: Tensor, item: Tensor, keys: Tensor, values: Tensor, neighbours: Ragged
    ) -> Tensor:
        """Returns r_ui, (B,), by the memories that the pairs look up.

        Args:
            user: m_u, (B, d).
            item: e_i, (B, d).
            keys: rows of M that the neighbourhoods' members point to.
            values: rows of C that they point to.
            neighbours: N(i) of the B pairs.
        """
        query = user + item
        output = read(self.weigh(query, neighbours, keys), values, neighbours)
        for layer in self.hop_layers:
            query = self.activate(layer(query) + output)
            output = read(self.weigh(query, neighbours, keys), values, neighbours)
        hidden = self.activate(self.output_layer(torch.cat([user * item, output], dim=1)))
        return hidden @ self.output_weight

    def activate(self, values: Tensor) -> Tensor:
        """Applies the activation that follows each hop's layer and the output layer, in place."""
        return values.relu_() if self.activation == "relu" else values

    def weigh(self, query: Tensor, neighbours: Ragged, keys: Tensor) -> Tensor:
        """Returns p_uiv, one weight for each member of the B pairs' neighbourhoods, (S,)."""
        if self.attention == "uniform":
            return uniform_attention(query, neighbours)
        return attention(query, keys, neighbours)
