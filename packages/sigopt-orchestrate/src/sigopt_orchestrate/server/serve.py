"""Runs the application on uvicorn until a signal ends it."""

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from sigopt_orchestrate.server.application import build_application
from sigopt_orchestrate.server.observability import log_to_stderr
from sigopt_orchestrate.server.settings import Settings


@dataclass(frozen=True)
class Listen:
    """Where the server listens.

    Attributes:
        port: 0 takes a free one, which the log names.
        certificate: In PEM; with `key` the server speaks TLS.
    """

    host: str = "127.0.0.1"
    port: int = 8700
    certificate: Path | None = None
    key: Path | None = None

    @property
    def exposed(self) -> bool:
        """Whether other machines may see tokens go by: reachable by them, and without TLS."""
        if self.certificate is not None or self.host == "localhost":
            return False
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return True


def serve(settings: Settings, listen: Listen, log_level: str) -> None:
    """Serves until SIGINT or SIGTERM; requests under way are answered first.

    Raises:
        StoreError: If the store cannot be opened.
    """
    log_to_stderr(log_level)
    application = build_application(settings)
    config = uvicorn.Config(
        application,
        host=listen.host,
        port=listen.port,
        ssl_certfile=listen.certificate,
        ssl_keyfile=listen.key,
        log_config=None,
        access_log=False,  # ours names addresses by their template, never with a token in them
        server_header=False,
        proxy_headers=False,  # anyone could claim an address; --public-url says where a proxy is
        timeout_graceful_shutdown=30,
        h11_max_incomplete_event_size=64 << 10,
    )
    _Server(config, application).run()


class _Server(uvicorn.Server):
    """Ends the streams of events, which have no end of their own, when the server ends."""

    def __init__(self, config: uvicorn.Config, application: Starlette) -> None:
        super().__init__(config)
        self._closing = application.state.closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Has the streams end, so that only requests under way are waited for."""
        self._closing.set()
        await super().shutdown(sockets)
