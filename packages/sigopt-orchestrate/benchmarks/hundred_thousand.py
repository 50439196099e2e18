"""P1: the dashboard over an experiment of 100,000 trials, in Chromium, on SQLite."""

import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from measuring import ORCHESTRATE, Row, environment, scratch

from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import Store

TRIALS = 100_000
REPEATS = 5
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
Seen = dict[str, float]
KEYS = {
    "name": "a hundred thousand trials",
    "command": ["true"],
    "parameters": [
        {
            "name": f"p{i}",
            "type": "double",
            "bounds": {"min": 1e-4, "max": 1},
            "transformation": "log" if i % 2 else None,
        }
        for i in range(6)
    ],
    "metrics": [{"name": "accuracy"}],
    "budget": TRIALS,
}


def fill(home: Path) -> None:
    """Makes the store, past the ledger: what is measured is how it is read."""
    store = Store(home)
    store.create_experiment(Experiment.model_validate(KEYS), home)
    store.close()
    rnd, now = random.Random(1), time.time()  # noqa: S311 - no secret
    with closing(sqlite3.connect(home / "orchestrate.db")) as db, db:
        for number in range(1, TRIALS + 1):
            assignments = json.dumps({f"p{i}": 10 ** rnd.uniform(-4, 0) for i in range(6)})
            failed = number % 25 == 0
            state = "failed" if failed else "completed"
            metrics = None if failed else json.dumps({"accuracy": rnd.betavariate(5, 2)})
            at = now - TRIALS + number
            trial = (number, 1, number, assignments, "bayesian", state, 1, 0, 0, 0, at)
            db.execute(
                "INSERT INTO trials (id, experiment_id, number, assignments, source, state, "
                "attempt, errors, losses, ooms, created_at) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                trial,
            )
            db.execute(
                "INSERT INTO attempts VALUES (?, 1, ?, ?, ?)", (number, str(number), at, at + 9)
            )
            db.execute(
                "INSERT INTO observations VALUES (?, 1, ?, ?, ?)", (number, failed, metrics, at + 9)
            )
            db.execute(
                'INSERT INTO events (trial_id, attempt, "before", "after", at) '
                "VALUES (?, 1, 'reporting', ?, ?)",
                (number, state, at + 9),
            )


def new_token(home: Path) -> str:
    """A token of a new client; the store's first client sees what `orchestrate run` ran."""
    made = subprocess.run(
        [*ORCHESTRATE, "token", "create", "--new-client", "--home", str(home)],
        check=True,
        capture_output=True,
        text=True,
        env=environment(),
    )
    return made.stdout.split()[-1]


@contextmanager
def served(home: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A server in a process of its own; gives its address, and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*ORCHESTRATE, "server", "--home", str(home), "--port", str(port)]
    with subprocess.Popen([*command, "--log-level", "error"], env=environment()) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            while True:
                try:
                    httpx.get(f"{address}/health")
                    break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield address, psutil.Process(server.pid)
        finally:
            server.terminate()


def measure() -> list[Row]:
    """The first view of a server that has just started, a second one, and the other views."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra

    browser_path = os.environ.get("ORCHESTRATE_CHROMIUM") or shutil.which("chromium")
    firsts: list[Seen] = []
    seconds: list[Seen] = []
    views: dict[str, list[float]] = {}
    cpu: list[float] = []
    with scratch() as home, sync_playwright() as playwright:
        fill(home)
        token = new_token(home)
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        for _ in range(REPEATS):
            with served(home) as (address, process):
                page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
                page.add_init_script(_WATCH)
                page.goto(f"{address}/ui/")
                page.evaluate(
                    "token => fetch('/ui/session', {method: 'POST', body: JSON.stringify({token}),"
                    " headers: {'X-Orchestrate-Page': '1'}})",
                    token,
                )
                page.goto("about:blank")
                before = sum(process.cpu_times()[:2])
                firsts.append(_seen(page, f"{address}/ui/#/local/1/overview"))
                cpu.append(sum(process.cpu_times()[:2]) - before)
                page.goto("about:blank")
                seconds.append(_seen(page, f"{address}/ui/#/local/1/overview"))
                for name, query in _VIEWS.items():
                    began = time.perf_counter()
                    asked = httpx.get(
                        f"{address}/ui/experiments/local/1/{query}",
                        headers={"Authorization": f"Bearer {token}"},
                        timeout=60,
                    )
                    asked.raise_for_status()
                    views.setdefault(name, []).append(time.perf_counter() - began)
                page.context.close()
        browser.close()
    what = "the dashboard over 100,000 trials on SQLite, Chromium"
    return [
        Row(
            "P1",
            f"{what}: from the address to the numbers, server just started, browser empty",
            f"{_median(firsts, 'numbers'):.2f} s (server {sorted(cpu)[REPEATS // 2]:.2f} s of CPU)",
            "<= 1 s",
        ),
        Row(
            "P1",
            f"{what}: from the address to every point and line of the plot, likewise",
            f"{_median(firsts, 'sketch'):.2f} s",
            "<= 1 s",
        ),
        Row(
            "P1",
            f"{what}: from the address to the plot by plotly.js, likewise",
            f"{_median(firsts, 'plot'):.2f} s",
        ),
        Row(
            "P1",
            f"{what}: numbers, points and lines, plotly.js, once more",
            ", ".join(f"{_median(seconds, name):.2f} s" for name in seconds[0]),
        ),
        *(
            Row("P1", f"{what}: {name}", f"{1000 * sorted(taken)[REPEATS // 2]:.0f} ms")
            for name, taken in views.items()
        ),
    ]


_VIEWS = {
    "a page of the table, newest first": "trials?sort=number&descending=1",
    "a page of the table, sorted by the metric": "trials?sort=m.accuracy&descending=1",
    "a page of the table, narrowed by two ranges": "trials?m.accuracy=0.9..&p.p1=0.01..0.1",
    "parallel coordinates' data": "parallel",
    "importance's and slices' data": "parameters",
}


def _seen(page: Any, address: str) -> Seen:
    """Seconds from the navigation until each of what `_WATCH` looks for is there."""
    page.goto(address, timeout=120_000)
    page.wait_for_selector(
        ".js-plotly-plot .scatterlayer .point", state="attached", timeout=120_000
    )
    page.wait_for_timeout(300)
    found = page.evaluate("window.seen")
    return {name: found[name] / 1000 for name in ("numbers", "sketch", "plot")}


_WATCH = """
window.seen = {};
const look = () => {
  const places = {
    numbers: ".outcome .tiles strong",
    sketch: ".sketch path",
    plot: ".js-plotly-plot .scatterlayer .point",
  };
  for (const [name, selector] of Object.entries(places)) {
    if (!window.seen[name] && document.querySelector(selector)) {
      window.seen[name] = performance.now();
    }
  }
  if (!window.seen.plot) requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def _median(seen: list[Seen], name: str) -> float:
    return sorted(one[name] for one in seen)[len(seen) // 2]
