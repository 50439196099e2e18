"""T9 and T10: what Python costs per exchange and schedule, and how long a newcomer waits."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cells import Cells
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


def per_exchange(quick: bool, cells: Cells) -> dict[str, str]:
    """Returns T9."""
    task = {"rounds": 500 if quick else 5000}
    told = cells.measured("T9", task, lambda: run_here(1, "overhead.py", task)[0])
    rows = [
        ["one exchange: receive, send, both seen done", f"{told['exchange_us']:.1f} µs",
         "≤ 15 µs", verdict(told["exchange_us"] <= 15)],
        ["the same by mpi4py on fresh tensors", f"{told['naive_us']:.1f} µs", "", ""],
        ["schedule of a step at p = 2^20", f"{told['schedule_us']:.1f} µs",
         "≤ 10 µs", verdict(told["schedule_us"] <= 10)],
    ]  # fmt: skip
    return {"T9": table(["cost in Python", "median", "target", ""], rows)}


def first_step(quick: bool, cells: Cells) -> dict[str, str]:
    """Returns T10."""
    del quick
    told = cells.measured("T10", {}, _install_and_train)
    total = told["install_s"] + told["train_s"]
    rows = [
        ["venv, pip install gossipgrad[mpich] with torch", f"{told['install_s']:.0f} s", "", ""],
        ["gossipgrad run -n 2, first step", f"{told['train_s']:.0f} s", "", ""],
        ["together", f"{total:.0f} s", "< 60 s", verdict(total < 60)],
    ]
    head = ["from nothing to the first trained step", "took", "target", ""]
    return {"T10": table(head, rows) + f"\n\n{told['came_from']}"}


def _install_and_train() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="gossipgrad-install-") as folder:
        home = Path(folder)
        script, report = home / "first_step.py", home / "report.json"
        script.write_text(FIRST_STEP)
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
        pip = [sys.executable, "-m", "pip", "--python", home / "venv/bin/python", "install", "-q"]
        package = f"{ROOT / 'packages' / 'gossipgrad'}[mpich]"
        pins = ["-c", ROOT / "constraints.txt", "--report", report]
        subprocess.run([*pip, *pins, package], check=True)
        installed = time.perf_counter()
        command = [home / "venv/bin/gossipgrad", "run", "-n", "2", script]
        subprocess.run(command, check=True)
        trained = time.perf_counter()
        came_from = _origins(json.loads(report.read_text(encoding="utf-8")))
    return {
        "install_s": installed - start, "train_s": trained - installed, "came_from": came_from,
    }  # fmt: skip


def _origins(report: dict[str, Any]) -> str:
    """Says how many packages pip took from where, by its own report."""
    local = [
        f"{one['metadata']['name']} {one['metadata']['version']}"
        for one in report["install"]
        if one["download_info"]["url"].startswith("file:")
    ]
    rest = len(report["install"]) - len(local)
    return (
        f"Installed {len(report['install'])} packages: {', '.join(local)} from local files, "
        f"{rest} from the package index or pip's cache."
    )
