"""Trunks by name: multi-layer perceptron, LeNet, small ResNet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bocl.errors import DataError, SettingsError
from bocl.settings import TRUNKS
from bocl.trunks.levels import Convolution, Dense, Level, Pooled, Residual

if TYPE_CHECKING:
    from torch import Tensor


FLATTENED = 9  # nine growths of a LeNet then weigh at most one and a half first networks


@dataclass(frozen=True)
class Trunk:
    """The layers that every task's block has, and how wide the first task's are.

    Attributes:
        input_shape: of one sample, without the batch.
        levels: bottom first.
        base: units per level of the first task.
    """

    name: str
    input_shape: tuple[int, ...]
    levels: tuple[Level, ...]
    base: tuple[int, ...]

    @property
    def flat(self) -> bool:
        """Whether inputs enter as a vector, so that single inputs can be left out."""
        return self.name.startswith("mlp")

    @property
    def flattening(self) -> int | None:
        """Number of the level, from 2, that flattens the places of the one below; None without."""
        levels = enumerate(self.levels[1:], start=2)
        return next((number for number, level in levels if level.places_below > 1), None)

    @property
    def most_growth(self) -> tuple[int, ...]:
        """Most new units per level that a search tries: the base's.

        A dense level that flattens places holds nearly all weights of its network, so that a later
        task is offered a ninth of it, beside the first network's as it is (`lending`).
        """
        return tuple(
            -(-width // FLATTENED) if level.places_below > 1 else width
            for level, width in zip(self.levels, self.base, strict=True)
        )

    @property
    def most_read(self) -> tuple[int, ...]:
        """Most earlier units per level that a later task reads: the base's, or none.

        None where a unit read costs its reader more than one weight: a kernel's, or one per place.
        There the same weights are worth more as a task's own units.
        """
        readers = (*self.levels[1:], self.head)
        return tuple(
            width if isinstance(reader, Dense) and reader.places_below == 1 else 0
            for width, reader in zip(self.base, readers, strict=True)
        )

    @property
    def input_units(self) -> int:
        """Units that the input offers to the first level."""
        return math.prod(self.input_shape) if self.flat else self.input_shape[0]

    @property
    def head(self) -> Dense:
        """The level that gives logits."""
        return Dense(math.prod(self.levels[-1].places), rectified=False)

    def enter(self, inputs: Tensor) -> Tensor:
        """Returns inputs (batch, *input_shape) as the first level takes them.

        Raises:
            DataError: inputs of another shape.
        """
        if tuple(inputs.shape[1:]) != self.input_shape:
            raise DataError(
                f"inputs have shape {tuple(inputs.shape[1:])}; this learner began with "
                f"{self.input_shape}"
            )
        return inputs.flatten(1) if self.flat else inputs


def make_trunk(
    name: str, input_shape: tuple[int, ...], base: tuple[int, ...] | None = None
) -> Trunk:
    """Returns a trunk for inputs of a shape.

    Args:
        name: `mlp` (312-128 units), `mlp-small` (64-32), `lenet` (20-50 filters, 500 units) or
            `resnet` (three residual levels, 16-32-64).
        input_shape: of one sample.
        base: other widths for the first task, one per level.

    Raises:
        SettingsError: unknown name, or widths that do not fit the levels.
        DataError: inputs that the trunk cannot take.
    """
    if name not in TRUNKS:
        raise SettingsError(f"trunk {name!r} is unknown; there are: {', '.join(TRUNKS)}")
    levels: tuple[Level, ...]
    usual: tuple[int, ...]
    if name.startswith("mlp"):
        usual = (312, 128) if name == "mlp" else (64, 32)
        levels = tuple(Dense() for _ in base or usual)
    else:
        if len(input_shape) != 3 or input_shape[1] != input_shape[2] or input_shape[1] < 16:
            raise DataError(
                f"inputs have shape {input_shape}; trunk {name} takes (channels, size, size) with "
                "a size of at least 16"
            )
        size = input_shape[1]
        if name == "lenet":
            first = Convolution(size)
            second = Convolution(first.places[0])
            levels, usual = (first, second, Dense(math.prod(second.places))), (20, 50, 500)
        else:
            below = Residual(size, stride=2)
            middle = Residual(below.places[0], stride=2)
            top = Pooled(Residual(middle.places[0], stride=2))
            levels, usual = (below, middle, top), (16, 32, 64)
    widths = base or usual
    if len(widths) != len(levels) or min(widths) < 1:
        raise SettingsError(
            f"base widths are {widths}; trunk {name} needs {len(levels)} whole numbers from 1"
        )
    return Trunk(name, tuple(input_shape), levels, tuple(widths))
