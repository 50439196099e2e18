"""A rank of a job in which rank VICTIM kills itself after STEPS steps; survivors print JSON."""

import json
import os
import signal
import sys
import time

import torch
from torch import nn

from gossipgrad import GossipDataParallel

torch.set_num_threads(1)
victim, steps, silence = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "silent"
torch.manual_seed(0)
model = GossipDataParallel(nn.Linear(2000, 10), silence_s=0.5, bucket_mb=0.02)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
lost, durations = [], []
model.on_exchange(lambda outcome: lost.append(outcome.lost))
inputs = torch.randn(4, 2000)
for step in range(3 * steps):
    began = time.perf_counter()
    if model.rank == victim and step == steps:
        os.kill(os.getpid(), signal.SIGSTOP if silence else signal.SIGKILL)
    time.sleep(0.005)
    optimizer.zero_grad()
    model(inputs).square().sum().backward()
    optimizer.step()
    durations.append(time.perf_counter() - began)
model.consensus()
bits = hash(b"".join(value.detach().numpy().tobytes() for value in model.parameters()))
line = {"rank": model.rank, "living": model.living, "lost": sum(lost), "bits": bits,
        "deaths": [rank for _, rank in model.deaths],
        "longest_ms": 1e3 * max(durations[steps:])}  # fmt: skip
os.write(1, (json.dumps(line) + "\n").encode())
model.close()
sys.stdout.flush()
os._exit(0)  # MPI_Finalize would wait for the dead
