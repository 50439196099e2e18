"""Small made tasks shared by the tests."""

from __future__ import annotations

import torch

from bocl.streams.samples import Samples


def made_samples(
    count: int = 120, shape: tuple[int, ...] = (12,), classes: int = 3, seed: int = 0
) -> Samples:
    """Returns samples that a small network can learn: a class centre plus noise."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % classes
    centres = torch.randn(classes, *shape, generator=generator)
    noise = torch.randn(count, *shape, generator=generator)
    return Samples(centres[targets] * 1.5 + 0.5 * noise, targets)
