"""The network written out slowly: unit by unit, loops and float64 numpy, nothing of the package."""

from __future__ import annotations

import numpy as np


def dense_logits(blocks, task, x):
    """Returns logits (batch, classes) of an MLP task; blocks as the package stores them."""
    x = x.astype(np.float64).reshape(len(x), -1)
    block = blocks[task]
    levels = len(block.growth.widths)
    if block.view.order is not None:
        x = x[:, block.view.order.numpy()]
    features = []  # features[j][l - 1]: list of units (batch,)
    for j in range(task + 1):
        features.append([])
        for level in range(1, levels + 1):
            below = inputs_of(blocks[j], j, level, x, features)
            width = blocks[j].growth.widths[level - 1]
            units = []
            for unit in range(width):
                weight = blocks[j].weights[f"{level}.weight"].numpy().astype(np.float64)[unit]
                bias = float(blocks[j].weights[f"{level}.bias"][unit])
                total = np.full(len(x), bias)
                for place, column in enumerate(below):
                    total = total + weight[place] * column
                units.append(np.maximum(total, 0.0))
            features[j].append(units)
    below = inputs_of(block, task, levels + 1, x, features)
    weight = block.weights["head.weight"].numpy().astype(np.float64)
    result = np.tile(block.weights["head.bias"].numpy().astype(np.float64), (len(x), 1))
    for place, column in enumerate(below):
        result = result + np.outer(column, weight[:, place])
    return result


def inputs_of(block, j, level, x, features):
    """Returns what a level of block j reads: gated earlier units, then its own."""
    if level == 1:
        kept = range(x.shape[1]) if block.inputs is None else block.inputs.tolist()
        return [x[:, i] for i in kept]
    columns = []
    gate = block.weights.get(f"gate.{level - 1}.fixed")
    for source, units in enumerate(block.reads[level - 2]):
        for unit in units.tolist():
            factor = 1.0 if gate is None else float(gate[len(columns)])
            columns.append(factor * features[source][level - 2][unit])
    return columns + features[j][level - 2]
