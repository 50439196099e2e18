"""A rank of a pair that exchanges one buffer again and again, then under very many tags.

Then rank 0 gives a send up, and its memory goes, before rank 1 receives it and another: what rank 1
gets is what was sent.
"""

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

# More than one page of memory, so that MPI sends it when the receiver is there, and not before.
COUNT, GIVEN_UP, NEXT, READY = 60_000, 5, 6, 7
whole = None
if transport.rank == 0:
    transport.send(torch.full((COUNT,), 1, dtype=torch.uint8), peer, GIVEN_UP).cancel()
    rubbish = [torch.full((COUNT,), 255, dtype=torch.uint8) for _ in range(8)]
    del rubbish
exchange(READY)
late = [torch.zeros(COUNT, dtype=torch.uint8) for _ in range(2)]
if transport.rank == 0:
    pendings = [transport.send(torch.full((COUNT,), 2, dtype=torch.uint8), peer, NEXT)]
else:
    pendings = [transport.receive(late[0], peer, GIVEN_UP), transport.receive(late[1], peer, NEXT)]
while pendings:
    pendings = [pending for pending in pendings if not pending.done()]
if transport.rank == 1:
    whole = [one.unique().tolist() for one in late] == [[1], [2]]
exchange(READY)
line = {"whole": whole, "rank": transport.rank, "made": made, "reused": reused, "arrived": arrived,
        "kept": len(transport._kept)}  # fmt: skip
os.write(1, (json.dumps(line) + "\n").encode())
transport.close()
