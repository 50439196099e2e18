"""Networks of random blocks, frozen as after a training, shared by the tests."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from made_tasks import made_samples

from bocl import seeds
from bocl.cache import FeatureCache
from bocl.candidate import Candidate
from bocl.freezing import freeze, silent_units, unread_units, zeroed
from bocl.growth import Growth
from bocl.inheriting import borrowable
from bocl.parameters import Parameters
from bocl.views import View

SHAPES = {"mlp": (12,), "lenet": (1, 16, 16), "resnet": (3, 16, 16)}
BASES = {"mlp": (6, 5), "lenet": (3, 4, 6), "resnet": (3, 4, 5)}


def grow(
    network,
    growth,
    *,
    gate_kind="both",
    classes=3,
    seed=0,
    prune=0.0,
    inputs=None,
    lends=False,
):
    """Adds a block of random weights and gates, pruned and frozen as after a training.

    A block that borrows reads earlier units at the head alone.
    """
    trunk = network.trunk
    units = [network.widths(level) for level in range(1, len(trunk.levels) + 1)]
    if lends:
        units[:-1] = [[0] * len(network)] * (len(units) - 1)
    offered = [[torch.arange(width) for width in level] for level in units]
    width = trunk.input_units if inputs is None else len(inputs)
    candidate = Candidate(
        trunk,
        growth,
        classes=classes,
        inputs=width,
        old_units=units,
        gate_kind=gate_kind,
        lent=borrowable(network, units) if lends else None,
    )
    parameters = Parameters(candidate.slice(candidate.initial(seeds.generator(seed)), growth))
    noise = torch.randn(len(parameters.vector), generator=seeds.generator("noise", seed))
    with torch.no_grad():
        parameters.vector.add_(noise, alpha=0.3)
    samples = made_samples(40, trunk.input_shape, classes, seed)
    data = FeatureCache(network, samples, View(), inputs, offered=offered)
    weights = parameters.leaves
    found = unread_units(candidate, growth, weights, data, prune)
    with torch.no_grad():
        parameters.vector.mul_(parameters.mask(zeroed(candidate, growth, weights, found)))
    levels = range(1, len(trunk.levels) + 1)
    silent = {level: silent_units(candidate, growth, weights, level) for level in levels}
    silent = {level: part for level, part in silent.items() if part.numel()}
    copies = parameters.copies()
    block = freeze(
        candidate, growth, copies, unread=silent, view=View(), inputs=inputs, offered=offered
    )
    rows = torch.arange(len(samples))
    with torch.no_grad():
        trained = candidate.logits(copies, growth, data.batch(rows))
    network.blocks.append(block)
    return samples, trained


def growths(levels):
    """All shapes of growth: none, some on top, everywhere, and alone."""
    most = st.integers(0, 4)

    def make(start, width, reuse):
        widths = tuple(width + k if k >= start else 0 for k in range(levels))
        return Growth(widths, reuse) if reuse else Growth(tuple(w or 1 for w in widths), reuse)

    return st.builds(make, st.integers(0, levels), most.map(lambda w: w + 1), st.booleans())
