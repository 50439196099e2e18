"""What `mpiexec` calls in place of ssh: runs a command line on another node of the gang."""

from __future__ import annotations

import base64
import sys

from sigopt_orchestrate.executors.kubernetes.pod.messages import call

_TAKE_A_VALUE = {"-o", "-p", "-l", "-i", "-F"}


def parse(arguments: list[str]) -> tuple[str, str]:
    """Returns the host and the command line that ssh would take from these arguments."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in _TAKE_A_VALUE and rest:
            rest.pop(0)
    if len(rest) < 2:
        raise SystemExit("launch: needs a host and a command")
    return rest[0].rpartition("@")[2], " ".join(rest[1:])


def launch(arguments: list[str]) -> int:
    """Runs the command line there, its output here; returns its exit status."""
    host, command = parse(arguments)
    line = call(host, kind="exec", command=command)
    line.socket.settimeout(None)
    while True:
        message = line.hear()
        if message is None:
            sys.stderr.write(f"launch: {host} is gone\n")
            return 255
        if "code" in message:
            return int(message["code"])
        stream = sys.stdout if message["stream"] == 1 else sys.stderr
        stream.buffer.write(base64.b64decode(message["data"]))
        stream.flush()
