"""A rank of a job in which rank VICTIM kills itself once; the launcher starts it anew; prints JSON.

Its first life leaves a file in the folder that is the second argument, so that its next one lives.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

from gossipgrad import GossipDataParallel
from gossipgrad.errors import DroppedError

BEFORE, AFTER = 20, 40
torch.set_num_threads(1)
victim, folder = int(sys.argv[1]), Path(sys.argv[2])
died = folder / "died"
torch.manual_seed(7 if died.exists() else 0)
model = GossipDataParallel(nn.Linear(2000, 10), silence_s=5, bucket_mb=0.02)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)
inputs = torch.randn(4, 2000, generator=torch.Generator().manual_seed(model.rank))
life, lost, away, back_for, joined_at = 1 + died.exists(), [], False, 0, 0
model.on_exchange(lambda outcome: lost.append(outcome.lost))
began = time.monotonic()
while back_for < AFTER:
    if model.rank == victim and model.steps == BEFORE and life == 1:
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    optimizer.zero_grad()
    model(inputs).square().sum().backward()
    try:
        optimizer.step()
    except DroppedError:
        joined_at = model.rejoin(optimizer, timeout_s=60)
        away = True
    if victim not in model.living:
        away = True
    elif away:
        back_for += 1
    time.sleep(0.002)
    assert time.monotonic() - began < 90, "never died, or never back"
momentum = [state["momentum_buffer"].abs().sum().item() for state in optimizer.state.values()]
model.consensus()
bits = b"".join(value.detach().numpy().tobytes() for value in model.parameters())
line = {"rank": model.rank, "life": life, "living": model.living, "lost": sum(lost),
        "joined_at": joined_at, "momentum": all(momentum), "bits": hash(bits),
        "mass": model.mass}  # fmt: skip
os.write(1, (json.dumps(line) + "\n").encode())
model.close()
