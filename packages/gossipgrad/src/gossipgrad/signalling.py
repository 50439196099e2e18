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
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._handlers: dict[str, Handler] = {}

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
            handler = self._handlers.get(content.pop("kind"))
            if handler is not None:
                handler(sender, content)
