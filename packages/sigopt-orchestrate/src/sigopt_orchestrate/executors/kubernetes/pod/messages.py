"""How the nodes of a gang talk: lines of JSON over TCP, after proof of the attempt's key."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
from pathlib import Path
from typing import Any

from sigopt_orchestrate.executors.kubernetes.pod.places import KEY, PORT

_TIMEOUT_S = 10.0


class Line:
    """One side of a connection: whole messages, one a line."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._received = b""

    def say(self, **message: Any) -> None:
        """Sends one message.

        Raises:
            OSError: If the other side is gone.
        """
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any] | None:
        """Returns the next message; None once the other side has closed.

        Raises:
            OSError: If the connection is broken or silent for too long.
        """
        while b"\n" not in self._received:
            chunk = self.socket.recv(1 << 16)
            if not chunk:
                return None
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return dict(json.loads(line))

    def close(self) -> None:
        """Ends the connection."""
        self.socket.close()


def call(host: str, **request: Any) -> Line:
    """Opens a connection to a node, proves the key and sends the request.

    Raises:
        OSError: If the node does not answer.
    """
    line = Line(socket.create_connection((host, PORT), timeout=_TIMEOUT_S))
    greeting = line.hear()
    if greeting is None:
        line.close()
        raise ConnectionResetError(f"{host} closed the connection")
    body = json.dumps(request)
    line.say(body=body, proof=_proof(greeting["nonce"], body))
    return line


def answer(connection: socket.socket) -> tuple[Line, dict[str, Any] | None]:
    """Greets a caller; returns its request, or None where it does not have the key."""
    connection.settimeout(_TIMEOUT_S)
    line, nonce = Line(connection), secrets.token_hex(32)
    line.say(nonce=nonce)
    message = line.hear() or {}
    body, proof = str(message.get("body")), str(message.get("proof"))
    if not hmac.compare_digest(proof, _proof(nonce, body)):
        return line, None
    return line, json.loads(body)


def _proof(nonce: str, body: str) -> str:
    key = Path(KEY).read_bytes()
    return hmac.new(key, f"{nonce} {body}".encode(), hashlib.sha256).hexdigest()
