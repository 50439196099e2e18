"""Turning images about their centre."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def rotate(images: Tensor, degrees: float) -> Tensor:
    """Returns images (n, channels, height, width) turned counter-clockwise, bilinearly.

    What comes in from outside takes the value of the border, which is the background's.
    """
    if degrees % 360 == 0:
        return images
    grid = turning_grid(degrees, tuple(images.shape[1:]))
    turned = [
        functional.grid_sample(
            part,
            grid.expand(len(part), -1, -1, -1),
            padding_mode="border",
            align_corners=False,
        )
        for part in torch.split(images, 4096)
    ]
    return torch.cat(turned)


def turning_grid(degrees: float, shape: tuple[int, ...]) -> Tensor:
    """Returns where each pixel comes from, (1, height, width, 2), for images of a shape."""
    angle = math.radians(degrees)
    turn = torch.tensor(
        [[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]]
    )
    return functional.affine_grid(turn[None], [1, *shape], align_corners=False)
