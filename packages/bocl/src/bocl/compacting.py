"""The same function in fewer numbers: zeros are not stored, gates become part of the weights.

A gate that does not depend on the sample scales an earlier unit, and the weights that read the unit
can carry that factor. Units whose weights are all zero need not be read, and a block of which
nothing is read drops out of the task's inference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from bocl import gates
from bocl.certificate import check_equal
from bocl.freezing import columns, readers_of, spread, without_inputs
from bocl.network import Network

if TYPE_CHECKING:
    from torch import Tensor

    from bocl.blocks import Block
    from bocl.trunks.architectures import Trunk


def compact_network(network: Network, seed: int) -> Network:
    """Returns a network of compact blocks, checked on made inputs.

    Args:
        network: stays as it is.
        seed: of the made inputs.

    Raises:
        CertificateError: a logit would move by more than rounding.
    """
    smaller = Network(network.trunk, [compact(network.trunk, block) for block in network.blocks])
    for task in range(len(network)):
        check_equal(network, smaller, task, seed)
    return smaller


def compact(trunk: Trunk, block: Block) -> Block:
    """Returns a block that computes the same up to rounding: nothing else is lost."""
    weights = dict(block.weights)
    reads: list[tuple[Tensor, ...]] = []
    for level, sources in enumerate(block.reads, start=1):
        units = [len(part) for part in sources]
        if not sum(units):
            reads.append(sources)
            continue
        names = readers_of(trunk, block.growth, level)
        fixed = gates.vector(weights, level, units)
        if fixed is not None:
            for name in names:
                weights[name] = _scaled(weights[name], spread(fixed, name, trunk))
            for kind in ("fixed", "unit", "task"):
                weights.pop(f"gate.{level}.{kind}", None)
        entries = torch.cat([columns(weights, name, sum(units), trunk) for name in names], 1)
        used = (entries != 0).any(1)
        down, up = f"gate.{level}.down", f"gate.{level}.up"
        if down in weights:  # a unit that nobody reads may still move the others' gates
            used |= (weights[down] != 0).any(0)
            weights[down], weights[up] = weights[down][:, used].contiguous(), weights[up][used]
            if not bool(used.any()):
                del weights[down], weights[up]
        for name in names:
            weights[name] = without_inputs(weights[name], spread(used, name, trunk))
        kept = torch.split(used, units)
        reads.append(tuple(part[keep] for part, keep in zip(sources, kept, strict=True)))
    return replace(block, weights=weights, reads=tuple(reads))


def _scaled(weight: Tensor, factors: Tensor) -> Tensor:
    """Returns a reading weight whose first inputs are multiplied by factors."""
    whole = torch.ones(weight.shape[1])
    whole[: len(factors)] = factors
    return weight * whole.view(1, -1, *(1,) * (weight.ndim - 2))
