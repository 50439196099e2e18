"""Evidence network: an unnormalised memory read joined with the affinity of user and item memory.

    r_ui = log(Z_ui + floor) - beta log d_i + affinity cos(m_u, e_i) / T + items asinh(Y_ui / .02)
    Z_ui = sum over v in N(i) of exp(gamma log s_uv - delta log d_v)
    Y_ui = sum over j in I(u) of B_ji

Z is the total attention that N(i) gives to u, its logits being evidence from walks (`evidence`).
The paper's softmax divides by it; but how many neighbours agree, and how strongly, is the best
signal there is. Y is the same for the items: a linear read over what u has, by the weights B of
EASE (Steck, 2019), which need no training. With gamma = 1, delta = alpha, a tiny floor and neither
affinity nor items the ranking is RP3beta's: this is where calibration starts.

Letters: B users, C candidates of each, P users, Q items, d the embedding size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

LOG_TINY = -69.0  # of a floor below any Z
LINEAR_UNIT = 0.02  # Y well below it enters in proportion, well above by its logarithm


@dataclass(frozen=True)
class Reads:
    """What scores are made of; the arrays have one shape, (B, Q) or (B, C).

    Attributes:
        evidence: Z_ui.
        log_degrees: log d_i.
        affinity: cos(m_u, e_i) / T.
        linear: asinh(Y_ui / .02).
    """

    evidence: NDArray[np.float32]
    log_degrees: NDArray[np.float32]
    affinity: NDArray[np.float32]
    linear: NDArray[np.float32]


class EvidenceNetwork(nn.Module):
    """The memories M and E, trained, and the scalars of the equations above, calibrated.

    Args:
        n_users: P.
        n_items: Q.
        embedding_dim: d.
        alpha: where alpha and delta start.
        beta: where beta starts.
        temperature: T.
        generator: source of the memories' initial values.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        embedding_dim: int,
        *,
        alpha: float,
        beta: float,
        temperature: float,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.user_memory = nn.Parameter(torch.randn(n_users, embedding_dim, generator=generator))
        self.item_memory = nn.Parameter(torch.randn(n_items, embedding_dim, generator=generator))
        with torch.no_grad():
            self.user_memory.mul_(0.1)
            self.item_memory.mul_(0.1)
        self.alpha = _scalar(alpha)
        self.gamma = _scalar(1.0)
        self.delta = _scalar(alpha)
        self.beta = _scalar(beta)
        self.log_floor = _scalar(LOG_TINY)
        self.affinity = _scalar(0.0)
        self.items = _scalar(0.0)

    def scalars(self) -> dict[str, float]:
        """Returns what is calibrated, by name."""
        return {name: value.item() for name, value in self.named_buffers()}

    def set_scalars(self, values: Mapping[str, float]) -> None:
        """Sets some of the scalars."""
        for name, value in values.items():
            getattr(self, name).fill_(value)

    def joined(self, reads: Reads) -> NDArray[np.float32]:
        """Returns r_ui in the shape of the reads."""
        value = {name: np.float32(scalar) for name, scalar in self.scalars().items()}
        scores = reads.evidence + np.exp(value["log_floor"])
        np.log(scores, out=scores)
        scores -= value["beta"] * reads.log_degrees
        for name, read in (("affinity", reads.affinity), ("items", reads.linear)):
            if value[name]:
                scores += value[name] * read
        return scores

    def affinities(self, users: Tensor) -> Tensor:
        """Returns cos(m_u, e_i) / T for users (B,) and all items, (B, Q)."""
        user = functional.normalize(self.user_memory[users], dim=1) / self.temperature
        return user @ functional.normalize(self.item_memory, dim=1).T

    def affinities_to(self, memories: Tensor, items: Tensor) -> Tensor:
        """Returns cos(m_u, e_i) / T for m_u (B, d) and items (B, n), (B, n)."""
        user = functional.normalize(memories, dim=1) / self.temperature
        item = functional.normalize(self.item_memory[items], dim=2)
        return (item @ user[:, :, None]).squeeze(2)


def _scalar(value: float) -> nn.Buffer:
    return nn.Buffer(torch.tensor(float(value)))
