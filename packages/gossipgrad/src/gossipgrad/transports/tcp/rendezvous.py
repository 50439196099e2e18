"""How ranks find each other: a store that outlives them, at which each leaves its address.

The store is torch's TCPStore. `gossipgrad run --launcher tcp` and `gossipgrad rendezvous` serve one
and tell ranks of it in $GOSSIPGRAD_RENDEZVOUS; under torchrun it is the agent's. Where neither is
there, rank 0 serves it at $MASTER_ADDR, and no rank can be started anew once that one is dead.
"""

import importlib
import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from gossipgrad.errors import ConfigurationError

RENDEZVOUS = "GOSSIPGRAD_RENDEZVOUS"
START_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a rank listens.

    Attributes:
        host: its address.
        port: of its listening socket.
        life: how often that rank has been started, this time included.
        arrival: its place in the order in which processes came to the rendezvous.
    """

    host: str
    port: int
    life: int
    arrival: int


class Rendezvous:
    """One rank's access to the store.

    Args:
        store: a torch.distributed store that all ranks of the job share.
        host: name or address of the machine that serves it; says which of this one's addresses
            others can reach.
        rank: this rank.
        size: number of ranks.
    """

    def __init__(self, store: Any, host: str, rank: int, size: int) -> None:
        self._store = store
        self.rank = rank
        self.size = size
        self.own_host = _address_towards(host)
        self.token: bytes = bytes(store.compare_set("token", "", secrets.token_hex(16)))

    def announce(self, port: int) -> Address:
        """Says where this rank listens, and returns what it has said."""
        life = self._store.add(f"lives/{self.rank}", 1)
        own = Address(self.own_host, port, life, self._store.add("arrivals", 1))
        self._store.set(f"address/{self.rank}", json.dumps(asdict(own)))
        return own

    def address(self, peer: int, timeout_s: float = START_TIMEOUT_S) -> Address:
        """Returns where `peer` listens.

        Raises:
            ConfigurationError: it has not said so in time.
        """
        key = f"address/{peer}"
        try:
            self._store.wait([key], timedelta(seconds=timeout_s))
        except RuntimeError as error:
            raise ConfigurationError(
                f"rank {peer} of {self.size} has not come to the rendezvous within "
                f"{timeout_s:g} s, or the rendezvous is gone ({error})"
            ) from error
        return Address(**json.loads(self._store.get(key)))


def serve(host: str = "", port: int = 0) -> Any:
    """Returns a store that is served by this process as long as it is kept; `.port` is its port."""
    return _distributed().TCPStore(host or "0.0.0.0", port, is_master=True, wait_for_workers=False)  # noqa: S104


def from_environment() -> Rendezvous:
    """Returns the rendezvous that the launcher told of.

    Raises:
        ConfigurationError: RANK, WORLD_SIZE, or the store's address are missing or wrong.
    """
    rank, size = _number("RANK"), _number("WORLD_SIZE")
    if not 0 <= rank < size:
        raise ConfigurationError(f"RANK is {rank}; allowed with WORLD_SIZE {size}: 0 to {size - 1}")
    given = os.environ.get(RENDEZVOUS)
    if given:
        host, _, port = given.rpartition(":")
        if not host or not port.isdigit():
            raise ConfigurationError(f"{RENDEZVOUS} is {given!r}; it must be HOST:PORT")
        serves = False
    else:
        host, port = os.environ.get("MASTER_ADDR", ""), os.environ.get("MASTER_PORT", "")
        if not host or not port.isdigit():
            raise ConfigurationError(
                f"the tcp transport needs {RENDEZVOUS}=HOST:PORT, or MASTER_ADDR and MASTER_PORT: "
                "start with `gossipgrad run --launcher tcp` or torchrun"
            )
        serves = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    timeout = timedelta(seconds=START_TIMEOUT_S)
    try:
        store = _distributed().TCPStore(
            host, int(port), None, serves, timeout, wait_for_workers=False,
            multi_tenant=True,  # a process group of this process may serve the same port
        )  # fmt: skip
    except RuntimeError as error:
        raise ConfigurationError(f"no rendezvous at {host}:{port}: {error}") from error
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    prefix = f"gossipgrad/{attempt}"
    return Rendezvous(_distributed().PrefixStore(prefix, store), host, rank, size)


def _distributed() -> Any:
    # By name: it is slow to import, and does not export its stores to type checkers.
    return importlib.import_module("torch.distributed")


def _number(name: str) -> int:
    value = os.environ.get(name, "")
    if not value.isdigit():
        raise ConfigurationError(f"{name} is {value!r}; the tcp transport needs it to be a number")
    return int(value)


def _address_towards(host: str) -> str:
    """Returns the address of the interface that leads to `host`."""
    family, kind, _, _, there = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(there)  # of a datagram socket: nothing is sent
        name: str = probe.getsockname()[0]
        return name
