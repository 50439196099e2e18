"""Tells a model that an optimizer of its parameters has made a step.

torch.optim has one global post-step hook, which spares users from handing their optimizer over. It
is registered once, and finds the model by the optimizer's parameters.
"""

import threading
import weakref
from collections.abc import Callable, Iterable

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

Watcher = Callable[[Optimizer], None]


class _Watch:
    def __init__(self, parameters: Iterable[Tensor], watcher: Watcher) -> None:
        self.parameters = {id(parameter) for parameter in parameters}
        # Weak, so that the registry does not keep a discarded model alive.
        self.watcher = weakref.WeakMethod(watcher)
        self.leader: weakref.ref[Optimizer] | None = None

    def concerns(self, optimizer: Optimizer) -> bool:
        # With several optimizers on one model, the steps of the first one count.
        if self.leader is not None and self.leader() is not None:
            return self.leader() is optimizer
        mine = any(
            id(p) in self.parameters for group in optimizer.param_groups for p in group["params"]
        )
        if mine:
            self.leader = weakref.ref(optimizer)
        return mine


_watches: list[_Watch] = []
_lock = threading.Lock()
_registered = False


def watch_steps(parameters: Iterable[Tensor], watcher: Watcher) -> None:
    """Calls the method `watcher(optimizer)` after each step of an optimizer of `parameters`."""
    global _registered  # noqa: PLW0603 - torch's hook is global too
    with _lock:
        _watches.append(_Watch(parameters, watcher))
        if not _registered:
            register_optimizer_step_post_hook(_after_step)
            _registered = True


def unwatch_steps(watcher: Watcher) -> None:
    """Stops calling `watcher`."""
    with _lock:
        _watches[:] = [watch for watch in _watches if watch.watcher() not in (watcher, None)]


def _after_step(optimizer: Optimizer, args: object, kwargs: object) -> None:
    del args, kwargs
    with _lock:
        concerned = [watch for watch in _watches if watch.concerns(optimizer)]
    for watch in concerned:
        watcher = watch.watcher()
        if watcher is not None:
            watcher(optimizer)
