"""How images lie in memory: each place's units side by side, as a CPU convolves them fastest.

Shapes stay (batch, units, height, width) throughout; only strides differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def pixelwise(features: Tensor) -> Tensor:
    """Returns features, image-like ones (batch, units, height, width) with units side by side."""
    if features.ndim != 4:
        return features
    return features.contiguous(memory_format=torch.channels_last)


def select_rows(features: Tensor, rows: Tensor) -> Tensor:
    """Returns some rows of `pixelwise` features, `pixelwise` again; `index_select` would not."""
    if features.ndim != 4:
        return features.index_select(0, rows)
    return features.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)
