"""Starts supervisors by forking itself: two milliseconds each, where an interpreter takes forty.

It is started as a file and imports nothing but the standard library. Each line that it reads is an
attempt to supervise; each line that it writes is the folder of one whose supervisor has ended. At
the end of its input it ends, and the supervisors live on.

Usage: python -I -S fork_server.py    with a socket as standard input
"""

import gc
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any


def load_supervisor() -> ModuleType:
    """Imports `supervisor.py` as a file: as part of the package it would bring all of that."""
    path = Path(__file__).with_name("supervisor.py")
    spec = importlib.util.spec_from_file_location("supervisor", path)
    assert spec is not None  # noqa: S101
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ForkServer:
    """Reads attempts from `requests` and forks a supervisor for each."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._supervisor = load_supervisor()
        self._folders: dict[int, str] = {}
        self._received = b""
        self._wake, wake = os.pipe()
        for end in (self._wake, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # it ends with its input
        gc.freeze()  # what is never collected is never copied after a fork

    def serve(self) -> None:
        """Works until the input ends."""
        while True:
            ready = select.select([self._requests.fileno(), self._wake], [], [])[0]
            if self._wake in ready:
                os.read(self._wake, 4096)
                self._reap()
            if self._requests.fileno() in ready:
                received = self._requests.recv(1 << 20)
                if not received:
                    return
                *lines, self._received = (self._received + received).split(b"\n")
                for line in lines:
                    self._start(json.loads(line))

    def _start(self, order: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_supervisor(order)
        self._folders[pid] = order["folder"]

    def _become_supervisor(self, order: dict[str, Any]) -> None:
        """Never returns."""
        status = 1
        try:
            os.setsid()  # the terminal's Ctrl-C is for orchestrate alone
            signal.set_wakeup_fd(-1)
            log = os.open(Path(order["folder"]) / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the requests' socket is gone with it
            for output in (1, 2):
                os.dup2(log, output)
            os.closerange(3, max(log, self._wake, self._requests.fileno()) + 8)
            self._supervisor.run(order)
            status = 0
        except BaseException:  # noqa: BLE001 - nothing may unwind into the server's loop
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def _reap(self) -> None:
        while self._folders:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._requests.sendall(self._folders.pop(pid).encode() + b"\n")


if __name__ == "__main__":
    ForkServer(socket.socket(fileno=0)).serve()
