"""A rank of a job in which rank 1 stops itself (SIGSTOP), is dropped, is continued and rejoins.

The first argument is the silence in seconds after which a rank counts as dead; prints JSON.
"""

import json
import os
import signal
import subprocess
import sys
import time

import torch
from torch import nn

from gossipgrad import GossipDataParallel
from gossipgrad.errors import DroppedError

VICTIM, BEFORE, AFTER = 1, 20, 40
torch.set_num_threads(1)
torch.manual_seed(0)
silence = float(sys.argv[1])
model = GossipDataParallel(nn.Linear(2000, 10), silence_s=silence, bucket_mb=0.02)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)
inputs = torch.randn(4, 2000)
dropped, back_for = 0, 0
began = time.monotonic()
while back_for < AFTER:
    if model.rank == VICTIM and model.steps == BEFORE and not dropped:
        # A child continues it: who is stopped cannot do so.
        wake = f"sleep {5 * silence}; kill -CONT {os.getpid()}"
        subprocess.Popen(["sh", "-c", wake])
        os.kill(os.getpid(), signal.SIGSTOP)
    optimizer.zero_grad()
    model(inputs).square().sum().backward()
    try:
        optimizer.step()
    except DroppedError:
        dropped += 1
        model.rejoin(optimizer, timeout_s=30)
    if VICTIM not in model.living:
        dropped += model.rank != VICTIM and not dropped
    elif dropped:
        back_for += 1
    time.sleep(0.002)
    assert time.monotonic() - began < 60, "never dropped, or never back"
model.consensus()
bits = b"".join(value.detach().numpy().tobytes() for value in model.parameters())
line = {"rank": model.rank, "living": model.living, "dropped": dropped, "bits": hash(bits)}
os.write(1, (json.dumps(line) + "\n").encode())
model.close()
