"""The accuracy matrix of a grown network, each row by the network as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bocl.network import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bocl.streams.samples import Stream


def accuracy_matrix(network: Network, stream: Stream) -> NDArray[np.float64]:
    """Returns R (tasks, tasks): R[i, j] is the accuracy on task j after task i.

    Row i is computed by the first i + 1 blocks. Above the diagonal, task i's head is asked about a
    task not learned yet; NaN where classes differ.
    """
    tasks = min(len(network), len(stream))
    then = [Network(network.trunk, network.blocks[: i + 1]) for i in range(tasks)]
    classes = [block.classes for block in network.blocks]
    matrix = np.full((tasks, tasks), np.nan)
    for j in range(tasks):
        test = stream[j].test
        for i in range(tasks):
            if i >= j or classes[i] == classes[j]:
                right = then[i].logits(min(i, j), test.inputs).argmax(1) == test.targets
                matrix[i, j] = float(right.double().mean())
    return matrix
