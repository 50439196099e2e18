"""The orchestrate's side of the fork server."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sigopt_orchestrate.executors import fork_server

_PATIENCE_S = 5


class Starter:
    """Has supervisors forked, and knows which of them are alive.

    A fork server that dies is replaced with the next start; the supervisors that it has forked are
    then no longer known here, and are found by their claims.
    """

    def __init__(self, log_path: Path) -> None:
        """Makes a starter, whose fork server begins with the first start.

        Args:
            log_path: A file that the fork server's messages are appended to.
        """
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._alive: set[str] = set()
        self._received = b""

    def start(self, order: Mapping[str, Any]) -> None:
        """Starts a supervisor for `order`, see `supervisor.run`; whether it lives is seen later.

        Raises:
            OSError: If there is no fork server and none can be started.
        """
        line = json.dumps(order).encode() + b"\n"
        try:
            self._connected().sendall(line)
        except (BrokenPipeError, ConnectionResetError):
            self.close()
            self._connected().sendall(line)
        self._alive.add(order["folder"])

    def has(self, folder: str) -> bool:
        """Returns whether the supervisor of the attempt in `folder` is alive, or about to be."""
        if folder in self._alive:
            self._hear()
        return folder in self._alive

    def close(self) -> None:
        """Ends the fork server; the supervisors live on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            try:
                self._process.wait(timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._alive.clear()
        self._received = b""

    def _connected(self) -> socket.socket:
        if self._socket is not None:
            return self._socket
        ours, theirs = socket.socketpair()
        with theirs, self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", fork_server.__file__],
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C is for orchestrate alone
            )
        self._socket = ours
        return ours

    def _hear(self) -> None:
        """Takes note of the supervisors that have ended."""
        assert self._socket is not None  # noqa: S101 - something is alive
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    received = self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
                except ConnectionResetError:
                    received = b""
                if not received:
                    self.close()
                    return
                *folders, self._received = (self._received + received).split(b"\n")
                self._alive.difference_update(folder.decode() for folder in folders)
