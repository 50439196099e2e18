"""Keeps the last views that were made, so that many who look on cost no more than one."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

_MOST = 64
Key = tuple[str, int, str, str]


class Memo:
    """What was made of an experiment at one version; may be used by several threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[Key, tuple[str, Any]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key, version: str, make: Callable[[], Any]) -> Any:
        """Returns what `make` returns, or returned for the same key and version before.

        Args:
            key: The experiment's kind and id, the view, and its query.
            version: Of the experiment; see `relation.version`.
            make: Makes the view; what it returns must not be changed.
        """
        with self._lock:
            held = self._held.get(key)
            if held is not None and held[0] == version:
                self._held.move_to_end(key)
                return held[1]
        made = make()
        with self._lock:
            self._held[key] = (version, made)
            self._held.move_to_end(key)
            while len(self._held) > _MOST:
                self._held.popitem(last=False)
        return made
