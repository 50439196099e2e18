"""Somebody has to call MPI for a transfer to advance.

Un-polled, MPICH and Open MPI hide next to nothing of a transfer behind computing. A thread that
looks every millisecond hides nearly all of it; where MPI allows only one thread, hooks on the
model's layers look instead (the authors' way). gloo and the simulator drive themselves.
"""

import threading
import time
from collections.abc import Callable

from torch import nn
from torch.utils.hooks import RemovableHandle

from gossipgrad.errors import ConfigurationError

DRIVERS = ("auto", "thread", "hooks", "none")
_THREAD_NAP_S = 1e-3
_IDLE_NAP_S = 1e-2  # nothing but news can come
_WAIT_NAP_S = 5e-5
_LONGEST_NAP_S = 1e-3


class Progress:
    """Calls `poll` while the training computes.

    Args:
        poll: looks after the network; called with `lock` held. Returns whether nothing is under
            way, so that the thread looks less often until it is woken.
        lock: shared with everybody who touches the same network.
        driver: "thread", "hooks" or "none".

    Attributes:
        error: what `poll` raised on the thread, to be raised where the training can see it.
    """

    def __init__(self, poll: Callable[[], bool], lock: threading.RLock, driver: str) -> None:
        if driver not in DRIVERS[1:]:
            raise ConfigurationError(f"driver is {driver!r}; allowed: {', '.join(DRIVERS)}")
        self.driver = driver
        self.error: BaseException | None = None
        self._poll = poll
        self._lock = lock
        self._stopping = False
        self._begun = threading.Event()
        self._handles: list[RemovableHandle] = []
        self._thread: threading.Thread | None = None

    def start(self, model: nn.Module) -> None:
        """Starts the thread, or puts the hooks on `model`; once."""
        if self._thread is not None or self._handles:
            return
        if self.driver == "thread":
            self._thread = threading.Thread(
                target=self._run, name="gossipgrad-progress", daemon=True
            )
            self._thread.start()
        elif self.driver == "hooks":
            for module in model.modules():
                if not any(True for _ in module.children()):
                    self._handles.append(module.register_forward_pre_hook(self._look))
            for parameter in model.parameters():
                if parameter.requires_grad:
                    handle = parameter.register_post_accumulate_grad_hook(self._look)  # type: ignore[no-untyped-call]
                    self._handles.append(handle)

    def wake(self) -> None:
        """Says that something is under way again."""
        self._begun.set()

    def stop(self) -> None:
        """Ends the thread, or takes the hooks off."""
        self._stopping = True
        self._begun.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _run(self) -> None:
        idle = False
        while not self._stopping:
            # A thousand looks a second of every rank are felt where ranks share a processor, and
            # a plain sleep costs less than waiting for an event.
            if idle:
                self._begun.wait(_IDLE_NAP_S)
            else:
                time.sleep(_THREAD_NAP_S)
            self._begun.clear()
            try:
                with self._lock:
                    idle = self._poll()
            except BaseException as error:  # noqa: BLE001 - handed to the training thread
                self.error = error
                return

    def _look(self, *_: object) -> None:
        # Somebody who holds the lock is driving already.
        if self._lock.acquire(blocking=False):
            try:
                self._poll()
            finally:
                self._lock.release()


class Nap:
    """Sleeps between two looks of a waiting rank: shortly at first, then longer."""

    def __init__(self) -> None:
        self._next_s = _WAIT_NAP_S

    def __call__(self) -> None:
        """Sleeps once."""
        time.sleep(self._next_s)
        self._next_s = min(1.5 * self._next_s, _LONGEST_NAP_S)
