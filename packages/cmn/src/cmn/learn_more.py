"""Learn more: new interactions, users and items for a network that is trained already.

Letters: P users, Q items.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from cmn.errors import InteractionsError, TrainingDivergedError
from cmn.growth import Network, with_items, with_users
from cmn.identifiers import Identifiers
from cmn.interactions import Interactions, binary_csr
from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.sampling import NegativeSampler
from cmn.train import NetworkTrainer

if TYPE_CHECKING:
    from cmn.hyperparameters import Hyperparameters


def learn_more(
    network: Network, known: Interactions, more: Interactions, settings: Hyperparameters
) -> tuple[Network, Interactions]:
    """Returns a network that knows more, and all the interactions it knows now.

    Args:
        network: left as it is.
        known: what it was trained on.
        more: other interactions; known ones among them count once.
        settings: of one more epoch, over what is new alone.

    Raises:
        InteractionsError: nothing is new.
        TrainingDivergedError: the loss is not finite.
    """
    users = Identifiers("users", known.user_ids).extended(more.user_ids)
    items = Identifiers("items", known.item_ids).extended(more.item_ids)
    n_users, n_items = known.matrix.shape
    shape = (len(users), len(items))
    before = _resized(known.matrix, shape)
    entries = more.matrix.tocoo()
    rows = users.numbers(more.user_ids)[entries.row]
    columns = items.numbers(more.item_ids)[entries.col]
    union = binary_csr(before + sparse.csr_array((entries.data, (rows, columns)), shape))
    fresh = sparse.csr_array(union - before)
    fresh.eliminate_zeros()
    if fresh.nnz == 0:
        raise InteractionsError(
            f"all {entries.nnz} interactions are known already; at least 1 new one is needed"
        )
    grown = copy.deepcopy(network)
    if shape[1] > n_items:
        by_item = union.T.tocsr()
        grown = with_items(grown, known.matrix.T.tocsr(), by_item[n_items:, :n_users])
    if shape[0] > n_users:
        grown = with_users(grown, before[:n_users], union[n_users:])
    if isinstance(grown, CMNNetwork):
        loss = _trainer(grown, union, fresh, settings).train_epoch(settings.warmup_epochs + 1)
        if not math.isfinite(loss):
            raise TrainingDivergedError(f"the loss is {loss}; a lower learning_rate may help")
    return grown, Interactions(union, users.labels, items.labels)


def _resized(matrix: sparse.csr_array, shape: tuple[int, int]) -> sparse.csr_array:
    """Returns a matrix with empty rows and columns behind its own."""
    entries = matrix.tocoo()
    return sparse.csr_array((entries.data, (entries.row, entries.col)), shape)


def _trainer(
    network: CMNNetwork,
    union: sparse.csr_array,
    fresh: sparse.csr_array,
    settings: Hyperparameters,
) -> NetworkTrainer:
    """Returns a trainer whose positives are the fresh interactions alone."""
    sampler = NegativeSampler(union)
    width = union.shape[1]
    new = np.isin(
        sampler.users * width + sampler.items,
        fresh.nonzero()[0].astype(np.int64) * width + fresh.nonzero()[1],
    )
    sampler.users, sampler.items = sampler.users[new], sampler.items[new]
    generator = np.random.default_rng(settings.seed)
    network.requires_grad_(True)
    return NetworkTrainer(network, Neighbourhoods(union), sampler, settings, generator)
