"""The networks that the examples train: LeNet, residual networks, and GoogLeNet.

Shapes: images (batch, channels, side, side); every network returns scores (batch, classes).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu


def lenet(classes: int = 10) -> nn.Sequential:
    """Returns LeNet-5 (LeCun et al., 1998) for 28 x 28 grey images, with ReLU and max pooling."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)),
    )


def convolution(inside: int, outside: int, size: int, stride: int = 1) -> nn.Sequential:
    """Returns a convolution that keeps the side (but for its stride), with batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outside),
    )


class Residual(nn.Module):
    """relu(f(x) + x), with a projection of x where f changes the shape (He et al., 2015)."""

    def __init__(self, function: nn.Module, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.function = function
        same = inside == outside and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inside, outside, 1, stride)

    def forward(self, images: Tensor) -> Tensor:
        """Returns (batch, outside, side / stride, side / stride)."""
        return relu(self.function(images) + self.shortcut(images))


def plain_block(inside: int, outside: int, stride: int) -> Residual:
    """Returns two 3 x 3 convolutions with a way round them."""
    function = nn.Sequential(
        convolution(inside, outside, 3, stride), nn.ReLU(), convolution(outside, outside, 3)
    )
    return Residual(function, inside, outside, stride)


def bottleneck(inside: int, outside: int, stride: int) -> Residual:
    """Returns 1 x 1, 3 x 3, 1 x 1 convolutions, a quarter as wide inside, with a way round."""
    inner = outside // 4
    function = nn.Sequential(
        convolution(inside, inner, 1),
        nn.ReLU(),
        convolution(inner, inner, 3, stride),
        nn.ReLU(),
        convolution(inner, outside, 1),
    )
    return Residual(function, inside, outside, stride)


def cifar_resnet(classes: int, depth: int = 8, width: int = 16) -> nn.Sequential:
    """Returns the residual network for 32 x 32 images (He et al., 4.2); depth is 6 n + 2."""
    layers: list[nn.Module] = [convolution(3, width, 3), nn.ReLU()]
    inside = width
    for stage in range(3):
        outside = width << stage
        for block in range((depth - 2) // 6):
            layers.append(plain_block(inside, outside, 2 if stage and block == 0 else 1))
            inside = outside
    return nn.Sequential(*layers, *_head(inside, classes))


def resnet50(classes: int = 1000) -> nn.Sequential:
    """Returns ResNet-50, its strides in the 3 x 3 convolutions: 25,557,032 weights."""
    layers: list[nn.Module] = [convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inside = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        outside = 256 << stage
        for block in range(blocks):
            layers.append(bottleneck(inside, outside, 2 if stage and block == 0 else 1))
            inside = outside
    return nn.Sequential(*layers, *_head(inside, classes))


class Inception(nn.Module):
    """Four ways side by side: 1 x 1; 1 x 1 to 3 x 3; 1 x 1 to 5 x 5; pooled to 1 x 1."""

    def __init__(self, inside: int, widths: Sequence[int]) -> None:
        super().__init__()
        one, before3, three, before5, five, pooled = widths
        self.ways = nn.ModuleList(
            [
                nn.Sequential(convolution(inside, one, 1), nn.ReLU()),
                nn.Sequential(
                    convolution(inside, before3, 1),
                    nn.ReLU(),
                    convolution(before3, three, 3),
                    nn.ReLU(),
                ),
                nn.Sequential(
                    convolution(inside, before5, 1),
                    nn.ReLU(),
                    convolution(before5, five, 5),
                    nn.ReLU(),
                ),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), convolution(inside, pooled, 1), nn.ReLU()),
            ]
        )

    def forward(self, images: Tensor) -> Tensor:
        """Returns the ways' channels one after the other."""
        return torch.cat([way(images) for way in self.ways], dim=1)


class GoogLeNet(nn.Module):
    """GoogLeNet (Szegedy et al., 2015, table 1) with batch normalisation and without side heads.

    Normalisation does what the two auxiliary classifiers were added for.
    """

    _STAGES = (
        ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
        (
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128),
        ),
        ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
    )

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        halve = nn.MaxPool2d(3, 2, ceil_mode=True)
        layers: list[nn.Module] = [
            *(convolution(3, 64, 7, 2), nn.ReLU(), halve),
            *(convolution(64, 64, 1), nn.ReLU(), convolution(64, 192, 3), nn.ReLU(), halve),
        ]
        inside = 192
        for number, stage in enumerate(self._STAGES):
            if number:
                layers.append(halve)
            for widths in stage:
                layers.append(Inception(inside, widths))
                inside = widths[0] + widths[2] + widths[4] + widths[5]
        self.layers = nn.Sequential(*layers, *_head(inside, classes, dropout=0.4))

    def forward(self, images: Tensor) -> Tensor:
        """Returns scores (batch, classes)."""
        scores: Tensor = self.layers(images)
        return scores


def _head(inside: int, classes: int, dropout: float = 0.0) -> list[nn.Module]:
    drop = [nn.Dropout(dropout)] if dropout else []
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *drop, nn.Linear(inside, classes)]
