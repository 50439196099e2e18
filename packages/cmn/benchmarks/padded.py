"""Padded: the paper's loss over neighbour lists filled up to the longest of a batch.

This is how reference codes do it, written once more as the baseline of row C3.
"""

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from cmn.model import CMNNetwork
from cmn.objective import bpr_loss


class PaddedLists:
    """Neighbour lists filled up to the longest of a batch, as reference codes do."""

    def __init__(self, matrix: sparse.csr_array) -> None:
        by_item = matrix.T.tocsr()
        self._lists = np.split(by_item.indices.astype(np.int64), by_item.indptr[1:-1])

    def __call__(self, items: np.ndarray) -> tuple[Tensor, Tensor]:
        """Returns members and mask, both (B, longest), of items (B,)."""
        lists = [self._lists[item] for item in items]
        lengths = np.array([len(members) for members in lists])
        padded = np.zeros((len(lists), max(1, lengths.max())), dtype=np.int64)
        mask = np.arange(padded.shape[1]) < lengths[:, None]
        padded[mask] = np.concatenate(lists)
        return torch.from_numpy(padded), torch.from_numpy(mask)


def padded_loss(
    network: CMNNetwork, lists: PaddedLists, users: np.ndarray, items: np.ndarray
) -> Tensor:
    """Returns the pairwise loss of users (B,) and items (B, 1 + k), triple by triple.

    As in reference codes, a triple scores its positive anew and both sides are padded apart.
    """
    repeated = np.repeat(users, items.shape[1] - 1)
    positives = np.repeat(items[:, 0], items.shape[1] - 1)
    scores = [padded_scores(network, lists, repeated, positives)]
    scores.append(padded_scores(network, lists, repeated, items[:, 1:].reshape(-1)))
    return bpr_loss(scores[0], scores[1][:, None])


def padded_scores(
    network: CMNNetwork, lists: PaddedLists, users: np.ndarray, items: np.ndarray
) -> Tensor:
    """Returns r_ui of pairs, (B,), over padded lists."""
    members, mask = lists(items)
    keys = torch.nn.functional.embedding(members, network.user_memory)
    values = torch.nn.functional.embedding(members, network.external_memory)
    user = network.user_memory[torch.from_numpy(users)]
    item = network.item_memory[torch.from_numpy(items)]

    def read(query: Tensor) -> Tensor:
        logits = (keys @ query[:, :, None]).squeeze(2).masked_fill(~mask, -1e30)
        weights = torch.softmax(logits, dim=1) * mask
        return (weights[:, None] @ values).squeeze(1)

    query = user + item
    output = read(query)
    for layer in network.hop_layers:
        query = torch.relu(layer(query) + output)
        output = read(query)
    hidden = torch.relu(network.output_layer(torch.cat([user * item, output], dim=1)))
    return hidden @ network.output_weight
