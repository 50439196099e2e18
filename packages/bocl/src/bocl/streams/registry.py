"""Streams by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bocl.errors import DataError
from bocl.streams import cifar, digits, five, mnist

if TYPE_CHECKING:
    from collections.abc import Callable

    from bocl.streams.samples import Stream


@dataclass(frozen=True)
class StreamKind:
    """How a named stream is made, and what fits it by default."""

    make: Callable[[int, int], Stream]
    tasks: int
    most_tasks: int
    trunk: str
    settings: dict[str, Any] = field(default_factory=dict)


# every task has classes of its own: none is an earlier one in disguise
IMAGES = {
    "epochs": 8,
    "flips": True,
    "batch": 64,
    "rate": 2e-3,
    "alpha": 0.01,
    "limit": 1 / 6,
    "views": "none",
    "fidelity": "short",
}
STREAMS = {
    "permuted-digits": StreamKind(digits.permuted, 5, 1000, "mlp-small", {"epochs": 30}),
    "permuted-mnist": StreamKind(mnist.permuted, 10, 1000, "mlp"),
    "rotated-mnist": StreamKind(mnist.rotated, 10, 180, "mlp"),
    "mnist-mix": StreamKind(mnist.mix, 10, 1000, "mlp"),
    "five-mix": StreamKind(five.mix, 5, 5, "mlp"),
    "split-mnist": StreamKind(mnist.split, 5, 5, "mlp"),
    "split-cifar100": StreamKind(cifar.split, 10, 10, "lenet", IMAGES),
    "superclass-cifar100": StreamKind(cifar.superclasses, 20, 20, "lenet", IMAGES),
}


def make_stream(name: str, tasks: int | None = None, seed: int = 0) -> Stream:
    """Returns a named stream.

    Args:
        name: a key of `STREAMS`.
        tasks: how many; the stream's usual number if not given.
        seed: of what is drawn, such as permutations.

    Raises:
        DataError: an unknown name, or a number of tasks that the stream does not have.
    """
    kind = STREAMS.get(name)
    if kind is None:
        raise DataError(f"stream {name!r} is unknown; there are: {', '.join(STREAMS)}")
    tasks = kind.tasks if tasks is None else tasks
    if not 1 <= tasks <= kind.most_tasks:
        raise DataError(f"tasks is {tasks}; {name} has 1 to {kind.most_tasks}")
    return kind.make(tasks, seed)
