"""News between ranks: small JSON datagrams, dispatched by kind."""

import json
from collections.abc import Callable
from typing import Any

from gossipgrad.transports import SIGNAL_BYTES, Transport

Handler = Callable[[int, dict[str, Any]], None]


class Signalling:
    """Sends and dispatches signals of one rank.

    Args:
        transport: what carries them.

    Attributes:
        admits: says of a sender and a kind whether the signal is handled or thrown away.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._handlers: dict[str, Handler] = {}
        self.admits: Callable[[int, str], bool] = lambda *_: True

    def on(self, kind: str, handler: Handler) -> None:
        """Calls `handler(sender, content)` for each signal of `kind`."""
        self._handlers[kind] = handler

    def send(self, peer: int, kind: str, **content: Any) -> None:
        """Sends a signal without waiting."""
        payload = json.dumps({"kind": kind, **content}, separators=(",", ":")).encode()
        if len(payload) >= SIGNAL_BYTES:
            raise AssertionError(f"signal {kind!r} has {len(payload)} bytes, over {SIGNAL_BYTES}")
        self._transport.signal(peer, payload)

    def poll(self) -> None:
        """Handles what has arrived."""
        for sender, payload in self._transport.signals():
            content = json.loads(payload)
            kind = content.pop("kind")
            handler = self._handlers.get(kind)
            if handler is not None and self.admits(sender, kind):
                handler(sender, content)
