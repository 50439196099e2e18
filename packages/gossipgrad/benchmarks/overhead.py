"""T9 and T10: what Python costs per exchange and schedule, and how long a newcomer waits."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab import ROOT, run_here
from markdown import table, verdict

FIRST_STEP = """
import torch
from gossipgrad import GossipDataParallel
model = GossipDataParallel(torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.ones(4, 8)).sum().backward()
optimizer.step()
model.close()
"""


def per_exchange(quick: bool) -> dict[str, str]:
    """Returns T9."""
    told = run_here(1, "overhead.py", {"rounds": 500 if quick else 5000})[0]
    rows = [
        ["one exchange: receive, send, both seen done", f"{told['exchange_us']:.1f} µs",
         "≤ 15 µs", verdict(told["exchange_us"] <= 15)],
        ["the same by mpi4py on fresh tensors", f"{told['naive_us']:.1f} µs", "", ""],
        ["schedule of a step at p = 2^20", f"{told['schedule_us']:.1f} µs",
         "≤ 10 µs", verdict(told["schedule_us"] <= 10)],
    ]  # fmt: skip
    return {"T9": table(["cost in Python", "median", "target", ""], rows)}


def first_step(quick: bool) -> dict[str, str]:
    """Returns T10."""
    del quick
    with tempfile.TemporaryDirectory(prefix="gossipgrad-install-") as folder:
        home = Path(folder)
        script = home / "first_step.py"
        script.write_text(FIRST_STEP)
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
        pip = [sys.executable, "-m", "pip", "--python", home / "venv/bin/python", "install", "-q"]
        package = f"{ROOT / 'packages' / 'gossipgrad'}[mpich]"
        subprocess.run([*pip, "-c", ROOT / "constraints.txt", package], check=True)
        installed = time.perf_counter()
        command = [home / "venv/bin/gossipgrad", "run", "-n", "2", script]
        subprocess.run(command, check=True)
        trained = time.perf_counter()
    total = trained - start
    rows = [
        [
            "venv and pip install gossipgrad[mpich], torch with it",
            f"{installed - start:.0f} s",
            "",
            "",
        ],
        ["gossipgrad run -n 2, first step", f"{trained - installed:.0f} s", "", ""],
        ["together", f"{total:.0f} s", "< 60 s", verdict(total < 60)],
    ]
    return {"T10": table(["from nothing to the first trained step", "took", "target", ""], rows)}
