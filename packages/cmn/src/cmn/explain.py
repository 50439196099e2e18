"""Explain: which neighbours spoke for a recommendation, hop by hop, and what they have in common.

Letters: H hops, N members of the item's neighbourhood, d the embedding size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cmn.identifiers import plain
from cmn.memory import read
from cmn.segments import Ragged

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from cmn.evidence_network import EvidenceNetwork
    from cmn.evidence_scoring import EvidenceScorer
    from cmn.interactions import Interactions
    from cmn.model import CMNNetwork
    from cmn.neighbourhoods import Neighbourhoods

DELETED_AT_MOST = 50  # neighbours whose absence is tried out


@dataclass(frozen=True)
class Attention:
    """What a network does with one user-item pair, by row numbers.

    Attributes:
        score: r_ui.
        without_memory: the score with a neighbourhood that says nothing, o = 0.
        members: int64 (N,), the neighbourhood, most attended in the last hop first.
        weights: (H, N), p_uiv of each hop; rows add up to 1 where N > 0.
        effects: (min(N, 50),), by how much the score would fall without this member.
    """

    score: float
    without_memory: float
    members: NDArray[np.int64]
    weights: NDArray[np.float32]
    effects: NDArray[np.float32]


def trace(network: CMNNetwork, neighbourhoods: Neighbourhoods, row: int, column: int) -> Attention:
    """Follows one pair through the network."""
    users, items = torch.tensor([row]), torch.tensor([column])
    neighbours = neighbourhoods.gather(items)
    query = network.user_memory[users] + network.item_memory[items]
    weights = []
    for layer in (*network.hop_layers, None):
        weights.append(network.weigh(query, neighbours, network.user_memory))
        if layer is not None:
            output = read(weights[-1], network.external_memory, neighbours)
            query = network.activate(layer(query) + output)
    order = torch.argsort(weights[-1], descending=True, stable=True)
    members = neighbours.members[order]
    kept = min(len(members), DELETED_AT_MOST)
    nobody = Ragged.from_lengths(members[:0], torch.zeros(1, dtype=torch.int64))
    score = network(users, items, neighbours).item()
    without = [torch.cat([members[:place], members[place + 1 :]]) for place in range(kept)]
    lengths = torch.full((kept,), len(members) - 1)
    everyone = torch.cat([*without, members[:0]])
    effects = score - network(
        users.expand(kept), items.expand(kept), Ragged.from_lengths(everyone, lengths)
    )
    return Attention(
        score,
        network(users, items, nobody).item(),
        members.numpy(),
        torch.stack(weights)[:, order].numpy(),
        effects.numpy(),
    )


@torch.no_grad()
def trace_evidence(
    network: EvidenceNetwork, scorer: EvidenceScorer, row: int, column: int
) -> Attention:
    """Follows one pair through an evidence network, whose one hop does not divide by its total.

    Weights are shares of Z; all are 0 where no neighbour has evidence. An effect leaves the
    neighbour's share of Z out and everything else as it is.
    """
    evidence = scorer.evidence
    members = evidence.members.gather(torch.tensor([column])).members.numpy()
    strengths = evidence.rows(np.array([row])).toarray()[0, members].astype(np.float64)
    known = strengths > 0
    logits = network.gamma.item() * np.log(strengths, where=known, out=np.zeros(members.size))
    degrees = np.log(np.maximum(evidence.user_degrees[members], 1))
    logits -= network.delta.item() * degrees
    shares = np.where(known, np.exp(logits), 0.0)
    order = np.argsort(-shares, kind="stable")
    members, shares = members[order], shares[order]
    total, floor = shares.sum(), float(network.log_floor.exp())
    score = float(scorer.score(np.array([row]))[0, column])
    rest = np.maximum(total - shares[:DELETED_AT_MOST], 0)
    effects = np.log(total + floor) - np.log(rest + floor)
    return Attention(
        score,
        score - float(np.log(total + floor) - np.log(floor)),
        members,
        (shares / max(total, 1e-300))[None].astype(np.float32),
        effects.astype(np.float32),
    )


@dataclass(frozen=True)
class Explanation:
    """Why an item is recommended to a user, by ids.

    Attributes:
        user: id.
        item: id.
        score: what the model gives the pair.
        without_memory: what it would give it if the neighbourhood said nothing.
        neighbours: (N,) ids of the users who have the item, most attended in the last hop first.
        weights: (H, N) attention of each hop; rows add up to 1 where N > 0.
        effects: by how much the score would fall without a neighbour, of the first 50.
        shared: (N,), how many items user and neighbour have in common.
        shared_items: for each of the first 50 neighbours up to 3 of these, the rarest first.
    """

    user: Any
    item: Any
    score: float
    without_memory: float
    neighbours: NDArray[Any]
    weights: NDArray[np.float32]
    effects: NDArray[np.float32]
    shared: NDArray[np.int64]
    shared_items: list[list[Any]]

    @property
    def entropies(self) -> NDArray[np.float64]:
        """How widely each hop spreads its attention, (H,): 0 one neighbour, 1 all alike."""
        weights = self.weights.astype(np.float64)
        logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
        widest = np.log(max(2, self.neighbours.size))
        return np.asarray(np.abs((weights * logs).sum(axis=1)) / widest)  # never -0

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """Returns plain JSON values, of the first `top` neighbours or of all."""
        kept = self.neighbours.size if top is None else min(top, self.neighbours.size)
        neighbours = [
            {
                "user": plain(self.neighbours[place]),
                "weights": [round(float(weight), 6) for weight in self.weights[:, place]],
                "effect": float(self.effects[place]) if place < self.effects.size else None,
                "shared": int(self.shared[place]),
                "shared_items": [
                    plain(item)
                    for item in (self.shared_items[place] if place < len(self.shared_items) else [])
                ],
            }
            for place in range(kept)
        ]
        return {
            "user": plain(self.user),
            "item": plain(self.item),
            "score": self.score,
            "without_memory": self.without_memory,
            "neighbourhood": int(self.neighbours.size),
            "entropies": [round(float(value), 6) for value in self.entropies],
            "neighbours": neighbours,
        }

    def text(self, top: int = 10) -> str:
        """Returns a few lines for people, with the first `top` neighbours."""
        facts = self.to_dict(top)
        size = facts["neighbourhood"]
        first = (
            f"{facts['item']} for {facts['user']}: score {self.score:.4f},"
            f" {self.without_memory:.4f} if its {size} user{'' if size == 1 else 's'} said nothing"
        )
        lines = [first]
        if not facts["neighbours"]:
            return first
        hops = [f"hop {hop + 1}" for hop in range(len(self.weights))]
        width = max(len("neighbour"), *(len(str(row["user"])) for row in facts["neighbours"]))
        lines.append("  ".join(["neighbour".ljust(width), *hops, " effect", "shared items"]))
        for row in facts["neighbours"]:
            weights = [f"{weight:.3f}" for weight in row["weights"]]
            effect = "      -" if row["effect"] is None else f"{row['effect']:+.4f}"
            items = ", ".join(str(item) for item in row["shared_items"])
            shared = f"{row['shared']}" + (f": {items}" if items else "")
            lines.append("  ".join([str(row["user"]).ljust(width), *weights, effect, shared]))
        spread = ", ".join(f"{value:.2f}" for value in self.entropies)
        lines.append(f"attention's spread per hop (0 one neighbour, 1 all alike): {spread}")
        return "\n".join(lines)


def explanation(pair: Attention, known: Interactions, row: int, column: int) -> Explanation:
    """Returns what happens with a pair by ids, and what user and neighbours share.

    Args:
        pair: by row numbers.
        known: what the model was fitted to.
        row: the user.
        column: the item.
    """
    counts, rarest = shared_items(known.matrix, row, pair.members)
    return Explanation(
        known.user_ids[row],
        known.item_ids[column],
        pair.score,
        pair.without_memory,
        known.user_ids[pair.members],
        pair.weights,
        pair.effects,
        counts,
        [known.item_ids[columns].tolist() for columns in rarest],
    )


def shared_items(
    matrix: sparse.csr_array, row: int, members: NDArray[np.int64], top: int = 3
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Returns how many items a user shares with each member, and the rarest of them.

    Args:
        matrix: binary CSR (P, Q).
        row: the user.
        members: (N,) other rows.
        top: columns to return of each of the first 50 members.
    """
    own = matrix[[row]]
    counts = np.asarray((matrix[members] @ own.T).toarray()).ravel().astype(np.int64)
    popularity = np.bincount(matrix.indices, minlength=matrix.shape[1])
    rarest = []
    for member in members[:DELETED_AT_MOST]:
        theirs = matrix.indices[matrix.indptr[member] : matrix.indptr[member + 1]]
        common = np.intersect1d(own.indices, theirs).astype(np.int64)
        rarest.append(common[np.argsort(popularity[common], kind="stable")][:top])
    return counts, rarest
