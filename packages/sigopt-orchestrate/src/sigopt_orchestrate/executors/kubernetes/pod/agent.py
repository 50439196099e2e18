"""A node of a gang: listens, runs what the first node asks for, and ends when that one does."""

from __future__ import annotations

import base64
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from typing import Any, Callable  # noqa: UP035 - the image may have Python 3.8

from sigopt_orchestrate.executors.kubernetes.pod.command import signal_group
from sigopt_orchestrate.executors.kubernetes.pod.messages import Line, answer
from sigopt_orchestrate.executors.kubernetes.pod.places import PORT

Joined = Callable[[Line, "dict[str, Any]"], None]


def listen(joined: Joined) -> None:
    """Answers calls from now on, in threads of their own.

    Args:
        joined: Called with the first node's session and its request.
    """
    listener = socket.create_server(("", PORT), backlog=128)
    threading.Thread(target=_accept, args=(listener, joined), daemon=True).start()


def _accept(listener: socket.socket, joined: Joined) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection, joined), daemon=True).start()


def _serve(connection: socket.socket, joined: Joined) -> None:
    with connection, contextlib.suppress(OSError, ValueError):
        line, request = answer(connection)
        if request is None:
            sys.stderr.write("orchestrate: refused a caller without the key\n")
        elif request["kind"] == "exec":
            _execute(line, request["command"])
        else:
            joined(line, request)


def _execute(line: Line, command: str) -> None:
    """Runs a command line for `launch`; it ends when the caller hangs up."""
    child = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None  # noqa: S101
    assert child.stderr is not None  # noqa: S101
    line.socket.settimeout(None)
    try:
        with selectors.DefaultSelector() as ready:
            ready.register(child.stdout, selectors.EVENT_READ, 1)
            ready.register(child.stderr, selectors.EVENT_READ, 2)
            ready.register(line.socket, selectors.EVENT_READ, 0)
            opened = 2
            while opened:
                for key, _ in ready.select():
                    if key.data == 0:  # the caller has nothing more to say: it has hung up
                        return
                    data = os.read(key.fd, 1 << 15)
                    if data:
                        line.say(stream=key.data, data=base64.b64encode(data).decode())
                    else:
                        ready.unregister(key.fileobj)
                        opened -= 1
        line.say(code=child.wait())
    finally:
        signal_group(child.pid, signal.SIGKILL)
        child.wait()
