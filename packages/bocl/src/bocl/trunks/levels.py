"""One growing layer of each kind: its weights' shapes, its function, its cost.

A level maps features (batch, units, *places) to features of `width` units. Each dimension of a
weight plays a role: `out` (this level's units), `in` (units below, times the places that a dense
layer flattens), or a fixed size. The roles are all that slicing, counting and growing need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch.nn import functional

from bocl.trunks.layout import pixelwise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

Role = str | int


class Level(Protocol):
    """What the network asks of a layer."""

    @property
    def roles(self) -> Mapping[str, tuple[Role, ...]]:
        """Name of each weight and the roles of its dimensions."""
        ...

    @property
    def places_below(self) -> int:
        """Inputs that one unit below gives: 1, or the places that a dense layer flattens."""
        ...

    @property
    def places(self) -> tuple[int, ...]:
        """Spatial shape of what comes out, () for dense layers."""
        ...

    def __call__(self, weights: Mapping[str, Tensor], features: Tensor) -> Tensor:
        """Returns the features (batch, width, *places)."""
        ...

    def macs(self, units_below: int, width: int) -> int:
        """Returns multiply-accumulates per sample."""
        ...


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, rectified unless it is a head."""

    places_below: int = 1
    rectified: bool = True

    @property
    def roles(self) -> Mapping[str, tuple[Role, ...]]:
        """Weight (out, in) and bias (out,)."""
        return {"weight": ("out", "in"), "bias": ("out",)}

    @property
    def places(self) -> tuple[int, ...]:
        """Nothing spatial is left."""
        return ()

    def __call__(self, weights: Mapping[str, Tensor], features: Tensor) -> Tensor:
        """Returns (batch, width)."""
        result = functional.linear(features.flatten(1), weights["weight"], weights["bias"])
        return functional.relu(result) if self.rectified else result

    def macs(self, units_below: int, width: int) -> int:
        """Returns units_below · places · width."""
        return units_below * self.places_below * width


@dataclass(frozen=True)
class Convolution:
    """A convolution with ReLU and max-pooling by two, as in LeNet."""

    size_below: int
    kernel: int = 5
    places_below: int = 1

    @property
    def roles(self) -> Mapping[str, tuple[Role, ...]]:
        """Weight (out, in, kernel, kernel) and bias (out,)."""
        return {"weight": ("out", "in", self.kernel, self.kernel), "bias": ("out",)}

    @property
    def places(self) -> tuple[int, ...]:
        """Valid convolution, then half."""
        size = (self.size_below - self.kernel + 1) // 2
        return (size, size)

    def __call__(self, weights: Mapping[str, Tensor], features: Tensor) -> Tensor:
        """Returns (batch, width, size, size)."""
        result = functional.conv2d(pixelwise(features), weights["weight"], weights["bias"])
        # pooling first gives the same values and rectifies a quarter of them
        return functional.relu(functional.max_pool2d(result, 2))

    def macs(self, units_below: int, width: int) -> int:
        """Returns the convolution's products at every valid place."""
        reach = self.size_below - self.kernel + 1
        return units_below * width * self.kernel**2 * reach**2


@dataclass(frozen=True)
class Residual:
    """Two 3 x 3 convolutions with normalisation over all of a sample's units, and a 1 x 1 shortcut.

    Normalisation has one group, keeps no statistics and has its own affine in every block, so that
    no task can move another's.
    """

    size_below: int
    stride: int = 1
    places_below: int = 1

    @property
    def roles(self) -> Mapping[str, tuple[Role, ...]]:
        """First and second convolution, shortcut, and each normalisation's scale and shift."""
        return {
            "first": ("out", "in", 3, 3),
            "first_scale": ("out",),
            "first_shift": ("out",),
            "second": ("out", "out", 3, 3),
            "second_scale": ("out",),
            "second_shift": ("out",),
            "shortcut": ("out", "in", 1, 1),
        }

    @property
    def places(self) -> tuple[int, ...]:
        """Size below, divided by the stride, rounded up."""
        size = math.ceil(self.size_below / self.stride)
        return (size, size)

    def __call__(self, weights: Mapping[str, Tensor], features: Tensor) -> Tensor:
        """Returns relu(shortcut(x) + norm(conv(relu(norm(conv(x))))))."""
        features = pixelwise(features)
        inner = functional.conv2d(features, weights["first"], stride=self.stride, padding=1)
        inner = functional.relu(
            functional.group_norm(inner, 1, weights["first_scale"], weights["first_shift"])
        )
        inner = functional.conv2d(inner, weights["second"], padding=1)
        inner = functional.group_norm(inner, 1, weights["second_scale"], weights["second_shift"])
        return functional.relu(
            inner + functional.conv2d(features, weights["shortcut"], stride=self.stride)
        )

    def macs(self, units_below: int, width: int) -> int:
        """Returns the products of the three convolutions."""
        area = math.prod(self.places)
        return area * width * (9 * units_below + 9 * width + units_below)


@dataclass(frozen=True)
class Pooled:
    """A level followed by the mean over all places: what comes before a head in a ResNet."""

    level: Residual

    @property
    def roles(self) -> Mapping[str, tuple[Role, ...]]:
        """The level's."""
        return self.level.roles

    @property
    def places_below(self) -> int:
        """The level's."""
        return self.level.places_below

    @property
    def places(self) -> tuple[int, ...]:
        """Nothing spatial is left."""
        return ()

    def __call__(self, weights: Mapping[str, Tensor], features: Tensor) -> Tensor:
        """Returns (batch, width)."""
        return self.level(weights, features).mean((2, 3))

    def macs(self, units_below: int, width: int) -> int:
        """Returns the level's."""
        return self.level.macs(units_below, width)


def shapes(level: Level, units_below: int, width: int) -> dict[str, tuple[int, ...]]:
    """Returns each weight's shape for a number of units below and of units here."""
    sizes = {"in": units_below * level.places_below, "out": width}
    return {
        name: tuple(sizes[role] if isinstance(role, str) else role for role in roles)
        for name, roles in level.roles.items()
    }
