"""Evidence network: an unnormalised memory read joined with the affinity of user and item memory.

    r_ui = mass (log(Z_ui + floor) - beta log d_i)
           + affinity cos(m_u, e_i) / T + items asinh(Y_ui / .02)
    Z_ui = sum over v in N(i) of exp(gamma (log s_uv - s0) - delta (log d_v - d0))
    Y_ui = sum over j in I(u) of B_ji

Z is the total attention that N(i) gives to u, its logits being evidence from walks (`evidence`).
The paper's softmax divides by it; but how many neighbours agree, and how strongly, is the best
signal there is. The centres s0 and d0 are means over the members of many neighbourhoods, so that Z
counts in members of average evidence whatever gamma and delta are. Y is the same for the items: a
linear read over what u has, by the weights B of EASE (Steck, 2019), which need no training. With
gamma = mass = 1, delta = alpha, a tiny floor and neither affinity nor items the ranking is
RP3beta's: this is where learning starts.

Letters: B users, C candidates of each, P users, Q items, S members in all, d the embedding size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

    from cmn.evidence import WalkEvidence

TINY_FLOOR = 1e-12
FLOOR = 0.2  # once Z counts in members of average evidence
LINEAR_UNIT = 0.02  # Y well below it enters in proportion, well above by its logarithm
USERS_AT_A_TIME = 256


class LinearRead(Protocol):
    """A linear model of items, such as EASE."""

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users (B,)."""

    def score_histories(self, histories: sparse.csr_array) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users with these items, binary CSR (B, Q)."""


@dataclass(frozen=True)
class Candidates:
    """What the score of C candidates of each of B users is made of.

    Attributes:
        log_evidence: log s_uv of the members with evidence, (S,).
        log_member_degrees: log d_v of the same, (S,).
        cells: int64 (S,), the place b C + c of the pair each member belongs to.
        log_item_degrees: log d_i, (B, C).
        affinity: cos(m_u, e_i) / T, (B, C).
        linear: asinh(Y_ui / .02), (B, C).
    """

    log_evidence: Tensor
    log_member_degrees: Tensor
    cells: Tensor
    log_item_degrees: Tensor
    affinity: Tensor
    linear: Tensor


class EvidenceNetwork(nn.Module):
    """The memories M and E and the scalars of the two equations above.

    Args:
        n_users: P.
        n_items: Q.
        embedding_dim: d.
        alpha: where delta starts.
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
        self.gamma = nn.Parameter(torch.tensor(1.0))
        self.delta = nn.Parameter(torch.tensor(float(alpha)))
        self.beta = nn.Parameter(torch.tensor(float(beta)))
        self.log_floor = nn.Parameter(torch.tensor(float(np.log(TINY_FLOOR))))
        self.mass = nn.Parameter(torch.tensor(1.0))
        self.affinity = nn.Parameter(torch.tensor(0.0))
        self.items = nn.Parameter(torch.tensor(0.0))
        self.evidence_centre = nn.Buffer(torch.tensor(0.0))
        self.degree_centre = nn.Buffer(torch.tensor(0.0))

    def forward(self, candidates: Candidates) -> Tensor:
        """Returns r_ui of the candidates, (B, C)."""
        logits = self.gamma * (candidates.log_evidence - self.evidence_centre)
        logits = logits - self.delta * (candidates.log_member_degrees - self.degree_centre)
        log_degrees = candidates.log_item_degrees
        total = torch.exp(self.log_floor).expand(log_degrees.numel())
        total = total.index_add(0, candidates.cells, logits.exp())
        read = total.log().view_as(log_degrees) - self.beta * log_degrees
        others = self.affinity * candidates.affinity + self.items * candidates.linear
        return self.mass * read + others

    def scalars(self) -> dict[str, nn.Parameter]:
        """Returns what is learnt beside the memories, by name."""
        return {name: weight for name, weight in self.named_parameters() if weight.ndim == 0}

    @torch.no_grad()
    def centre(self, log_evidence: Tensor, log_degree: Tensor) -> None:
        """Sets s0 and d0, and the floor to a fifth of a member of average evidence."""
        self.evidence_centre.copy_(log_evidence)
        self.degree_centre.copy_(log_degree)
        self.log_floor.fill_(float(np.log(FLOOR)))

    def log_scale(self) -> float:
        """Returns the logarithm of what the centres divide Z by."""
        return float(self.gamma * self.evidence_centre - self.delta * self.degree_centre)

    def affinities(self, users: Tensor) -> Tensor:
        """Returns cos(m_u, e_i) / T for users (B,) and all items, (B, Q)."""
        return self.affinities_of(self.user_memory[users])

    def affinities_of(self, memories: Tensor) -> Tensor:
        """Returns cos(m_u, e_i) / T for m_u (B, d) and all items, (B, Q)."""
        user = functional.normalize(memories, dim=1) / self.temperature
        return user @ functional.normalize(self.item_memory, dim=1).T


class EvidenceScorer:
    """Scores all items for batches of users by the network as it is when called.

    Args:
        network: the model.
        evidence: of the graph to read.
        linear: gives Y; None leaves this read out.
    """

    def __init__(
        self, network: EvidenceNetwork, evidence: WalkEvidence, linear: LinearRead | None = None
    ) -> None:
        self.evidence = evidence
        self.has_linear = linear is not None
        self._network, self._linear = network, linear
        self._log_degrees = np.log(np.maximum(evidence.item_degrees, 1)).astype(np.float32)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, Q) for users (B,)."""
        scores = np.empty((users.size, self._log_degrees.size), dtype=np.float32)
        for start in range(0, users.size, USERS_AT_A_TIME):
            part = slice(start, start + USERS_AT_A_TIME)
            scores[part] = self.from_rows(users[part], self.evidence.rows(users[part]))
        return scores

    @torch.no_grad()
    def from_rows(self, users: NDArray[np.int64], rows: sparse.csr_array) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, Q) for users (B,) whose evidence s_uv is given, CSR (B, P)."""
        user = self._network.user_memory[torch.from_numpy(users)]
        return self._joined(rows, user, lambda: self.linear(users))

    @torch.no_grad()
    def of_histories(self, histories: sparse.csr_array, memories: Tensor) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, Q) for users who are not in the graph.

        Args:
            histories: binary CSR (B, Q).
            memories: their m_u, (B, d).
        """

        def linear() -> NDArray[np.float32]:
            if self._linear is None:
                return np.zeros(histories.shape, dtype=np.float32)
            return _bent(self._linear.score_histories(histories))

        return self._joined(self.evidence.rows_of(histories), memories, linear)

    def _joined(
        self,
        rows: sparse.csr_array,
        memories: Tensor,
        linear: Callable[[], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        network = self._network
        scores = self.evidence.catalogue(rows, network.gamma.item(), network.delta.item())
        scores *= np.float32(np.exp(-network.log_scale()))
        scores += np.float32(network.log_floor.exp().item())
        np.log(scores, out=scores)
        scores -= np.float32(network.beta.item()) * self._log_degrees
        scores *= np.float32(network.mass.item())
        if network.affinity.item():
            affinities = network.affinities_of(memories).numpy()
            scores += np.float32(network.affinity.item()) * affinities
        if network.items.item():
            scores += np.float32(network.items.item()) * linear()
        return scores

    def linear(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns asinh(Y_ui / .02), (B, Q), for users (B,); zeros where the read is left out."""
        if self._linear is None:
            return np.zeros((users.size, self._log_degrees.size), dtype=np.float32)
        return _bent(self._linear.score(users))


def _bent(read: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns asinh(Y / .02), in place."""
    read /= np.float32(LINEAR_UNIT)
    return np.arcsinh(read, out=read)


class AffinityScorer:
    """Scores all items by cos(m_u, e_i) alone.

    Args:
        network: the model.
    """

    def __init__(self, network: EvidenceNetwork) -> None:
        self._network = network

    @torch.no_grad()
    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users (B,)."""
        return self._network.affinities(torch.from_numpy(users)).numpy()
