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
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

    from cmn.evidence import WalkEvidence

LOG_TINY = -69.0  # of a floor below any Z
LINEAR_UNIT = 0.02  # Y well below it enters in proportion, well above by its logarithm
USERS_AT_A_TIME = 256
NUMBERS_AT_A_TIME = 2**22  # entries of the largest temporary array


class LinearRead(Protocol):
    """A linear model of items: EASE.

    Attributes:
        l2: its penalty.
    """

    l2: float

    @property
    def inverse(self) -> NDArray[np.float64]:
        """Of EASE's regularised Gram matrix of users or items, whichever are fewer."""

    @property
    def diagonal(self) -> NDArray[np.float64]:
        """Of the items' inverse, (Q,)."""

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users (B,)."""

    def score_candidates(
        self, users: NDArray[np.int64], candidates: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Returns scores (B, n) for users (B,) and items (B, n)."""

    def score_histories(self, histories: sparse.csr_array) -> NDArray[np.float32]:
        """Returns scores (B, Q) for users with these items, binary CSR (B, Q)."""


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
        return self.affinities_of(self.user_memory[users])

    def affinities_of(self, memories: Tensor) -> Tensor:
        """Returns cos(m_u, e_i) / T for m_u (B, d) and all items, (B, Q)."""
        user = functional.normalize(memories, dim=1) / self.temperature
        return user @ functional.normalize(self.item_memory, dim=1).T

    def affinities_to(self, memories: Tensor, items: Tensor) -> Tensor:
        """Returns cos(m_u, e_i) / T for m_u (B, d) and items (B, n), (B, n)."""
        user = functional.normalize(memories, dim=1) / self.temperature
        item = functional.normalize(self.item_memory[items], dim=2)
        return (item @ user[:, :, None]).squeeze(2)


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
        self.network, self._evidence, self.linear = network, evidence, linear
        self._log_degrees = np.log(np.maximum(evidence.item_degrees, 1)).astype(np.float32)

    @property
    def evidence(self) -> WalkEvidence:
        """Walks with the network's alpha."""
        return self._evidence.at(self.network.alpha.item())

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, Q) for users (B,)."""
        scores = np.empty((users.size, self._log_degrees.size), dtype=np.float32)
        for start in range(0, users.size, USERS_AT_A_TIME):
            part = slice(start, start + USERS_AT_A_TIME)
            scores[part] = self.joined(self.reads(users[part]))
        return scores

    def joined(self, reads: Reads) -> NDArray[np.float32]:
        """Returns r_ui in the shape of the reads."""
        return self.network.joined(reads)

    @torch.no_grad()
    def reads(self, users: NDArray[np.int64], *, everything: bool = False) -> Reads:
        """Returns what the scores of users (B,) and all items are made of.

        Args:
            users: row numbers.
            everything: compute reads whose weight is zero, too; else they are zeros.
        """
        memories = self.network.user_memory[torch.from_numpy(users)]
        rows = self.evidence.rows(users)
        return self._reads(rows, memories, lambda read: read.score(users), everything=everything)

    @torch.no_grad()
    def score_candidates(
        self, users: NDArray[np.int64], candidates: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, n) for users (B,) and items (B, n)."""
        network = self.network
        at_a_time = max(1, NUMBERS_AT_A_TIME // max(len(network.user_memory), 1))
        scores = np.empty(candidates.shape, dtype=np.float32)
        for start in range(0, users.size, at_a_time):
            some = users[start : start + at_a_time]
            columns = candidates[start : start + at_a_time]
            evidence = self.evidence.candidates(
                self.evidence.rows(some), columns, network.gamma.item(), network.delta.item()
            )
            affinity = linear = np.zeros_like(evidence)
            if network.affinity.item():
                memories = network.user_memory[torch.from_numpy(some)]
                affinity = network.affinities_to(memories, torch.from_numpy(columns)).numpy()
            if self.linear is not None and network.items.item():
                linear = _bent(self.linear.score_candidates(some, columns))
            reads = Reads(evidence, self._log_degrees[columns], affinity, linear)
            scores[start : start + at_a_time] = self.joined(reads)
        return scores

    @torch.no_grad()
    def of_histories(self, histories: sparse.csr_array, memories: Tensor) -> NDArray[np.float32]:
        """Returns r_ui of shape (B, Q) for users who are not in the graph.

        Args:
            histories: binary CSR (B, Q).
            memories: their m_u, (B, d).
        """
        rows = self.evidence.rows_of(histories)
        reads = self._reads(rows, memories, lambda read: read.score_histories(histories))
        return self.joined(reads)

    def _reads(
        self,
        rows: sparse.csr_array,
        memories: Tensor,
        read_linear: Callable[[LinearRead], NDArray[np.float32]],
        *,
        everything: bool = False,
    ) -> Reads:
        network = self.network
        evidence = self._evidence.catalogue(rows, network.gamma.item(), network.delta.item())
        affinity = linear = np.broadcast_to(np.float32(0), evidence.shape)
        if network.affinity.item() or everything:
            affinity = network.affinities_of(memories).numpy()
        if self.linear is not None and (network.items.item() or everything):
            linear = _bent(read_linear(self.linear))
        log_degrees = np.broadcast_to(self._log_degrees, evidence.shape)
        return Reads(evidence, log_degrees, affinity, linear)


def _scalar(value: float) -> nn.Buffer:
    return nn.Buffer(torch.tensor(float(value)))


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
