"""A task's samples with the frozen features of earlier blocks that its new units read.

They are computed once per task where its growths read them. Where only a growth that is seldom
chosen does, its short trial has them computed of its own batches, and no other sample.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from bocl.offering import by_block
from bocl.trunks.layout import pixelwise, select_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from bocl.network import Network
    from bocl.streams.samples import Samples
    from bocl.views import View


@dataclass(frozen=True)
class Seen:
    """What a task sees of its inputs and of earlier tasks.

    Attributes:
        view: how it looks at its inputs.
        inputs: (kept,) sorted input units that its level 1 may read, None for all.
        units: for each level the sorted earlier units, counted over all blocks in order, that it
            may read; None for all.
    """

    view: View
    inputs: Tensor | None = None
    units: list[Tensor] | None = None

    def cache(self, network: Network, samples: Samples, *, flips: bool = False) -> FeatureCache:
        """Returns a cache of all that the task sees of samples."""
        offered = self.by_block(network)
        return FeatureCache(network, samples, self.view, self.inputs, offered=offered, flips=flips)

    def by_block(self, network: Network) -> list[list[Tensor]]:
        """Returns, for each level and block, the units of the block that the task may read."""
        levels = range(1, len(network.trunk.levels) + 1)
        if self.units is None:
            return [[torch.arange(width) for width in network.widths(level)] for level in levels]
        return [
            by_block(units, network.widths(level))
            for level, units in zip(levels, self.units, strict=True)
        ]


JUDGED = 5000  # rows by which inputs are weighed, unless only constants are to go


@dataclass(frozen=True)
class Batch:
    """Some samples as a block reads them.

    Attributes:
        entry: (batch, kept inputs...).
        targets: (batch,).
        earlier: gives `old`; called once, if at all.
    """

    entry: Tensor
    targets: Tensor
    earlier: Callable[[], tuple[Tensor, ...]]

    @cached_property
    def old(self) -> tuple[Tensor, ...]:
        """For each level, earlier blocks' features (batch, units, *places)."""
        return self.earlier()


class _Earlier:
    """Features of earlier blocks for a fixed set of samples: on demand until they are held.

    Args:
        entry: (n, input units...) of all samples.
        offered: for each level and block, which of its units; None for all.
    """

    def __init__(
        self, network: Network, entry: Tensor, offered: Sequence[Sequence[Tensor]] | None
    ) -> None:
        self._network, self._offered = network, offered
        self._entry: Tensor | None = entry
        self._held: tuple[Tensor, ...] = ()

    def hold(self) -> None:
        """Computes all, once."""
        if self._entry is not None:
            self._held, self._entry = self._features(self._entry), None

    def __call__(self, rows: Tensor) -> tuple[Tensor, ...]:
        if self._entry is not None:
            return self._features(select_rows(self._entry, rows))
        return tuple(select_rows(features, rows) for features in self._held)

    def _features(self, entry: Tensor) -> tuple[Tensor, ...]:
        features = self._network.features(entry, self._offered)
        return tuple(pixelwise(part) for part in features)


class FeatureCache:
    """Samples of a task, entered under its view, and the features of earlier blocks.

    Args:
        offered: for each level and block, which of its units; None for all.
        flips: also hold every image mirrored; training then draws one of the two.

    Attributes:
        rows: the samples that this cache is about, of all that it holds.
    """

    def __init__(
        self,
        network: Network,
        samples: Samples,
        view: View,
        inputs: Tensor | None,
        *,
        offered: Sequence[Sequence[Tensor]] | None = None,
        flips: bool = False,
    ) -> None:
        images = samples.inputs
        if flips:
            images = torch.cat([images, images.flip(-1)])
        entry = pixelwise(network.trunk.enter(view(images)))
        self._earlier = _Earlier(network, entry, offered)
        self._entry = entry if inputs is None else entry[:, inputs].contiguous()
        self._targets = samples.targets
        self._flips = flips
        self.rows = range(len(samples))

    def __len__(self) -> int:
        return len(self.rows)

    def hold(self) -> None:
        """Computes the features of all samples now, for all parts: many batches will read them."""
        self._earlier.hold()

    def part(self, rows: range) -> FeatureCache:
        """Returns a run of the rows as a cache of its own, which holds nothing twice."""
        found = copy.copy(self)
        found.rows = self.rows[rows.start : rows.stop]
        return found

    def batch(self, rows: Tensor, coin: torch.Generator | None = None) -> Batch:
        """Returns some rows; with a coin, of flipping caches each row mirrored at even odds."""
        rows = rows + self.rows.start
        places = rows
        if self._flips and coin is not None:
            places = rows + len(self._targets) * torch.randint(0, 2, rows.shape, generator=coin)
        return Batch(
            select_rows(self._entry, places),
            self._targets.index_select(0, rows),
            lambda: self._earlier(places),
        )


def kept_inputs(entry: Tensor, share: float) -> Tensor | None:
    """Returns the fewest input units that hold a share of all variance, sorted; None for all.

    Args:
        entry: (n, inputs) of the training samples.
        share: 1.0 drops only inputs that never change.
    """
    if share == 1:
        kept = (entry != entry[0]).any(0).nonzero().flatten()
        return None if len(kept) == entry.shape[1] else kept
    variance = entry[:: max(1, len(entry) // JUDGED)].var(0, correction=0)
    order = variance.argsort(descending=True)
    held = variance[order].double().cumsum(0)
    count = int((held < share * held[-1] * (1 - 1e-7)).sum()) + 1
    count = min(count, int((variance > 0).sum()))
    return None if count == entry.shape[1] else order[:count].sort().values
