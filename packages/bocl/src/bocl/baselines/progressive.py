"""Progressive networks (Rusu et al., arXiv 1606.04671): a column per task, reading all earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from bocl import seeds
from bocl.baselines.plain import Baseline
from bocl.blocks import Block
from bocl.cache import Batch, FeatureCache
from bocl.candidate import Candidate
from bocl.growth import Growth
from bocl.network import Network
from bocl.parameters import Parameters
from bocl.training import train
from bocl.views import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from bocl.streams.samples import Samples


class Progressive(Baseline):
    """Adds the same column for every task; each level reads all earlier columns' levels below.

    Lateral connections are direct (equation 1 of the paper), without its optional adapters: what
    this package's growth is without search, gates and pruning.

    Args:
        widths: units per level of every column after the first; the base widths if not given.
    """

    name = "progressive"

    def __init__(self, *args: Any, widths: tuple[int, ...] | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.widths = widths or self.trunk.base
        self.network = Network(self.trunk)

    @property
    def parameters(self) -> int:
        """All columns' weights, lateral ones included."""
        return self.network.parameters

    def _logits(self, inputs: Tensor, task: int) -> Tensor:
        return self.network.logits(task, inputs)

    def _learn(self, samples: Samples, task: int) -> None:
        first = task == 0
        growth = Growth(self.trunk.base, reuse=False) if first else Growth(self.widths)
        levels = range(1, len(self.trunk.levels) + 1)
        old = [self.network.widths(level) for level in levels]
        candidate = Candidate(
            self.trunk,
            growth,
            classes=self.classes[task],
            inputs=self.trunk.input_units,
            old_units=old,
            gate_kind="none",
        )
        key = (self.seed, self.name, task)
        parameters = Parameters(candidate.initial(seeds.generator(*key, "weights")))

        def loss(leaves: Mapping[str, Tensor], batch: Batch, _: torch.Generator) -> Tensor:
            return functional.cross_entropy(candidate.logits(leaves, growth, batch), batch.targets)

        data = FeatureCache(self.network, samples, View(), None, flips=self.flips)
        if not first:
            data.hold()
        train(parameters, data, loss, self.schedule, key)
        reads = tuple(tuple(torch.arange(units) for units in level) for level in old)
        block = Block(growth, self.classes[task], View(), None, reads, parameters.copies())
        self.network.blocks.append(block)
