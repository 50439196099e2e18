"""EC2's instance metadata service, version 2, inside the network namespace of one host."""

import ctypes
import secrets
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

ADDRESS = "169.254.169.254"
_CLONE_NEWNET = 0x40000000


class Told(Protocol):
    """What a host's service tells.

    Attributes:
        extra: Answers by path below /latest/.
        notice: What it says of the instance's end, as JSON; nothing as long as there is none.
    """

    extra: dict[str, str]
    notice: str | None


def serve(namespace: str, told: Told) -> ThreadingHTTPServer:
    """Answers in a network namespace until the server is shut down."""
    made: list[socket.socket] = []

    def listen() -> None:  # a socket stays in the namespace that its thread was in
        with Path("/run/netns", namespace).open("rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        made.append(socket.create_server((ADDRESS, 80), backlog=16))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    handler = type("Handler", (_Imds,), {"told": told, "tokens": set()})
    server = _Quiet((ADDRESS, 80), handler, bind_and_activate=False)
    server.daemon_threads = True
    server.socket.close()
    server.socket = made[0]
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
    ).start()
    return server


class _Quiet(ThreadingHTTPServer):
    """Says nothing of callers that were killed while they called."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Imds(BaseHTTPRequestHandler):
    told: Told
    tokens: set[str]
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        known = self.path == "/latest/api/token"
        lasting = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        if not (known and lasting):
            self._answer(400, "")
            return
        token = secrets.token_hex(16)
        self.tokens.add(token)
        self._answer(200, token)

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") not in self.tokens:
            self._answer(401, "")
            return
        path = self.path.removeprefix("/latest/")
        found = self.told.extra.get(path)
        if path == "meta-data/spot/instance-action":
            found = self.told.notice
        self._answer(404 if found is None else 200, found or "")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""
