"""S4: thousands of trials while leaders, workers and database connections are killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
from measuring import ORCHESTRATE, Row, environment, scratch, write_experiment
from private_postgresql import private_postgresql

from sigopt_orchestrate.executors.local import TOKEN_VARIABLE
from sigopt_orchestrate.store import Store

TRIALS, FAULTS, PARALLEL = 10_000, 520, 24
LEFTOVERS_S = 30
KINDS = {"leader": 4, "worker": 6, "fork server": 1, "connection": 5, "database process": 1}


class Harness:
    """One experiment, its present leader, and ways to hurt them."""

    def __init__(self, folder: Path, server: str, trials: int) -> None:
        self.url, self.home, self.trials = server, folder / "home", trials
        self.file = write_experiment(
            folder,
            command="""sleep 0.2; printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """,
            budget=trials,
            parallel=PARALLEL,
            retries={"infra": 1000},
        )
        self.log = (folder / "leader.log").open("ab")
        self.chance = random.Random(0)  # noqa: S311
        self.faults: Counter[str] = Counter()
        self.leader = self._start("run", str(self.file))

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        given = ["--home", str(self.home), "--store", self.url, "--json"]
        return subprocess.Popen(
            [*ORCHESTRATE, *arguments, *given],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=self.log,
        )

    def restart_if_gone(self) -> int | None:
        """Goes on where the leader has died; returns its exit status once it is done."""
        status = self.leader.poll()
        if status is None:
            return None
        if status == 0:
            return 0
        if status not in {-signal.SIGKILL, 2}:  # 2: the database was not to be had at the start
            raise RuntimeError(f"the leader failed: {Path(self.log.name).read_text()[-2000:]}")
        self.leader = self._start("resume", "1")
        return None

    def hurt(self, admin: psycopg.Connection) -> None:
        """Kills one thing with SIGKILL; a connection also by the server's own hand."""
        (kind,) = self.chance.choices(list(KINDS), weights=list(KINDS.values()))
        victim = {
            "leader": lambda: self.leader.pid,
            "worker": lambda: self._supervisor(admin),
            "fork server": self._fork_server,
            "connection": lambda: self._backend(admin),
            "database process": lambda: self._backend(admin),
        }[kind]()
        if victim is None:
            return
        with suppress(ProcessLookupError):
            if kind == "connection":
                admin.execute("SELECT pg_terminate_backend(%s)", (victim,))
            else:
                os.kill(victim, signal.SIGKILL)
            self.faults[kind] += 1
        if kind == "leader":
            self.leader.wait()

    def _supervisor(self, admin: psycopg.Connection) -> int | None:
        running = admin.execute(
            "SELECT number, attempt FROM trials WHERE state IN ('submitted', 'running')"
        ).fetchall()
        if not running:
            return None
        number, attempt = self.chance.choice(running)
        (claim,) = self.home.glob(f"*/experiments/1/trials/{number:04d}/{attempt}/claim") or [None]
        return None if claim is None else json.loads(claim.read_bytes())["pid"]

    def _fork_server(self) -> int | None:
        with suppress(psutil.Error):
            for child in psutil.Process(self.leader.pid).children():
                if any("fork_server" in part for part in child.cmdline()):
                    return child.pid
        return None

    def _backend(self, admin: psycopg.Connection) -> int | None:
        rows = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
        return self.chance.choice(rows)[0] if rows else None


def connect(url: str) -> psycopg.Connection:
    """Connects, however long the server takes to recover."""
    while True:
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            time.sleep(0.1)


def inflict(harness: Harness, faults: int) -> None:
    """Runs the experiment to its end; a fault falls due with every few observations."""
    admin, due, every = connect(harness.url), 1.0, harness.trials / (faults * 1.4)
    while harness.restart_if_gone() is None:
        time.sleep(0.02)
        try:
            (observed,) = admin.execute("SELECT count(*) FROM observations").fetchone() or (0,)
            while observed >= due:
                due += every
                harness.hurt(admin)
        except psycopg.errors.UndefinedTable:
            continue  # the leader is about to make it
        except (psycopg.OperationalError, ValueError, FileNotFoundError):
            admin.close()
            admin = connect(harness.url)
        if sys.stderr.isatty():
            print(f"\r{sum(harness.faults.values())} faults", end="", file=sys.stderr)
    admin.close()


def carriers(home: Path) -> int:
    """How many processes belong to an attempt of this home."""
    found = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environ = process.environ()
            mine = environ.get("ORCHESTRATE_OUTPUT", "").startswith(str(home))
            found += TOKEN_VARIABLE in environ and mine
    return found


def audit(harness: Harness) -> dict[str, int]:
    """Counts what should not be."""
    store = Store.existing(harness.home, harness.url)
    trials = store.trials(1)
    query = store.connection.execute
    observed = [row[0] for row in query("SELECT trial_id FROM observations")]
    over = "SELECT trial_id FROM events WHERE \"after\" IN ('completed', 'failed')"
    ends = Counter(row[0] for row in query(over))
    folder = store.home.experiment(1)
    again = 0
    for trial in trials:
        files = [folder.attempt(trial.number, k).exit for k in range(1, trial.attempt)]
        again += any(f.exists() and json.loads(f.read_bytes())["code"] == 0 for f in files)
    found = {
        "lost": harness.trials - len(set(observed)),
        "observed twice": len(observed) - len(set(observed)),
        "ended twice": sum(count != 1 for count in ends.values()),
        "with a wrong value": sum(t.values != {"y": t.assignments["x"]} for t in trials),
        "beyond the budget": len(trials) - harness.trials,
        "run again though they had ended well": again,
    }
    store.close()
    return found


def measure(trials: int = TRIALS, faults: int = FAULTS) -> list[Row]:
    """Runs it on PostgreSQL, and counts what was lost, done twice or left over."""
    with private_postgresql() as server, scratch() as folder:
        harness = Harness(folder, server, trials)
        started = time.monotonic()
        inflict(harness, faults)
        took_s = time.monotonic() - started
        deadline = time.monotonic() + LEFTOVERS_S
        while (left := carriers(harness.home)) and time.monotonic() < deadline:
            time.sleep(0.5)
        found = audit(harness) | {f"processes left after {LEFTOVERS_S} s": left}
        harness.log.close()
    kinds = ", ".join(f"{count} {kind}" for kind, count in harness.faults.most_common())
    total = sum(harness.faults.values())
    what = f"{trials:,} trials of .2 s on PostgreSQL under {total} kills ({kinds}; {took_s:.0f} s)"
    measured = ", ".join(f"{count} {name}" for name, count in found.items())
    return [Row("S4", what, measured, "all 0 under >= 500 kills")]


if __name__ == "__main__":
    for row in measure(*map(int, sys.argv[1:])):
        print(row)
