"""A rank of a pair that exchanges one buffer again and again, then under very many tags."""

import json
import os

import torch

from gossipgrad.transports.mpi import MpiTransport

transport = MpiTransport()
peer = 1 - transport.rank
outgoing, incoming = (torch.zeros(1000, dtype=torch.uint8) for _ in range(2))
made, reused, arrived = 0, 0, True


def exchange(tag: int) -> None:
    """Sends and receives once."""
    pendings = [transport.receive(incoming, peer, tag), transport.send(outgoing, peer, tag)]
    while pendings:
        pendings = [pending for pending in pendings if not pending.done()]


for number in range(20):
    before = set(map(id, transport._kept.values()))
    outgoing.fill_(number)
    exchange(3)
    after = set(map(id, transport._kept.values()))
    made += len(after - before)
    reused += len(after & before)
    arrived = arrived and bool((incoming == number).all())
for tag in range(10, 700):
    exchange(tag)
line = {"rank": transport.rank, "made": made, "reused": reused, "arrived": arrived,
        "kept": len(transport._kept)}  # fmt: skip
os.write(1, (json.dumps(line) + "\n").encode())
transport.close()
