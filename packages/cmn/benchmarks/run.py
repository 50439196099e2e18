"""Training steps: ragged segments against padded lists, triples per CPU second, side by side.

Both variants see the same batches of the same data in one process with one thread and start from
the same weights; the ratio is what counts. Run it with: python packages/cmn/benchmarks/run.py
"""

import argparse
import time

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from cmn.hyperparameters import Hyperparameters
from cmn.model import CMNNetwork
from cmn.neighbourhoods import Neighbourhoods
from cmn.objective import bpr_loss
from cmn.sampling import NegativeSampler
from cmn.train import NetworkTrainer

NEGATIVES = 4


def citations(seed: int = 0) -> sparse.csr_array:
    """Returns a made matrix of citeulike-a's size and spread: N(i) has mean 12, p99 some 57."""
    generator = np.random.default_rng(seed)
    appeal = generator.lognormal(0, 0.8, 16_980)
    users = generator.integers(5551, size=200_000)
    items = generator.choice(16_980, size=200_000, p=appeal / appeal.sum())
    ones = np.ones(200_000, dtype=np.float32)
    matrix = sparse.csr_array((ones, (users, items)), (5551, 16_980))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


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
    """Returns the pairwise loss of users (B,) and items (B, 1 + k) over padded lists."""
    pair_users = torch.from_numpy(np.repeat(users, items.shape[1]))
    members, mask = lists(items.reshape(-1))
    keys = torch.nn.functional.embedding(members, network.user_memory)
    values = torch.nn.functional.embedding(members, network.external_memory)
    user = network.user_memory[pair_users]
    item = network.item_memory[torch.from_numpy(items.reshape(-1))]

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
    scores = (hidden @ network.output_weight).view(items.shape)
    return bpr_loss(scores[:, 0], scores[:, 1:])


def main() -> None:
    """Times both variants at each batch size and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--hops", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    matrix = citations()
    sampler, neighbourhoods, lists = (
        NegativeSampler(matrix),
        Neighbourhoods(matrix),
        PaddedLists(matrix),
    )
    longest = int(neighbourhoods.lengths.max())
    print(f"made data {matrix.shape}, {matrix.nnz} interactions, longest N(i) {longest}")
    print(f"d = 50, {arguments.hops} hops, {NEGATIVES} negatives, 1 thread, float32")
    print("| positives in a step | ragged triples / CPU s | padded triples / CPU s | ratio |")
    print("| --- | --- | --- | --- |")
    for batch_size in arguments.batch_sizes:
        generator = np.random.default_rng(0)
        network = CMNNetwork(*matrix.shape, 50, arguments.hops, torch.Generator().manual_seed(0))
        trainer = NetworkTrainer(
            network, neighbourhoods, sampler, Hyperparameters(l2=0.0), generator
        )
        epoch = sampler.epoch(batch_size, NEGATIVES, generator)
        spent = {"ragged": 0.0, "padded": 0.0}
        for step in range(arguments.steps + 1):
            users, items = next(epoch)
            losses = {}
            for variant in spent:
                network.zero_grad()
                started = time.process_time()
                if variant == "ragged":
                    loss = trainer.loss(users, items)
                else:
                    loss = padded_loss(network, lists, users, items)
                loss.backward()
                if step:  # the first step warms up
                    spent[variant] += time.process_time() - started
                losses[variant] = loss.item()
            if not np.isclose(losses["ragged"], losses["padded"], rtol=1e-4):
                raise SystemExit(f"the variants disagree: {losses}")
        triples = arguments.steps * batch_size * NEGATIVES
        ragged, padded = (triples / spent[variant] for variant in ("ragged", "padded"))
        print(
            f"| {batch_size} | {ragged:,.0f} | {padded:,.0f} | {ragged / padded:.1f} |", flush=True
        )


if __name__ == "__main__":
    main()
