"""How instances reach this machine: under which URL, with which key, over TLS or not."""

import contextlib
import os
import secrets
import socket
from pathlib import Path
from urllib.parse import urlsplit

from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.executors.ec2.user_data import Calling
from sigopt_orchestrate.spec.ec2 import DEFAULT_PORT, Ec2


def calling(wanted: Ec2, key: Path, folder: Path) -> Calling:
    """Returns how instances call us; the key is made once for an experiment."""
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    files = tls(wanted, folder)
    scheme = "https" if files is not None else "http"
    url = wanted.address or f"{scheme}://{_own_address()}:{DEFAULT_PORT}"
    return Calling(url, key.read_text(), files[0].read_text() if files is not None else None)


def tls(wanted: Ec2, folder: Path) -> tuple[Path, Path] | None:
    """Returns the files of certificate and key; None where calls are in clear.

    Raises:
        SpecError: If there is no such file.
    """
    if wanted.tls is None:
        return None
    found = (folder / wanted.tls.certificate, folder / wanted.tls.key)
    for path, name in zip(found, ("certificate", "key"), strict=True):
        if not path.is_file():
            raise SpecError(f"backend.ec2.tls.{name}: there is no file {path}")
    return found


def listen(wanted: Ec2, url: str) -> tuple[str, int]:
    """Returns the address and port on which to listen for calls to `url`."""
    if wanted.listen is not None:
        host, _, port = wanted.listen.rpartition(":")
        return host, int(port)
    return "0.0.0.0", urlsplit(url).port or DEFAULT_PORT  # noqa: S104 - instances must reach it


def _own_address() -> str:
    """Returns this machine's address in the network that its default route leads to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # reserved for documentation; nothing is sent
        return str(probe.getsockname()[0])
    return "127.0.0.1"
