"""Attempts as real processes: found again by anyone, ended whole, never started twice."""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sigopt_orchestrate.executors import (
    Absent,
    Attempt,
    Ended,
    Exit,
    LocalExecutor,
    Lost,
    Presence,
    Running,
    Work,
)
from sigopt_orchestrate.executors.local import TOKEN_VARIABLE
from sigopt_orchestrate.spec import Timeouts
from sigopt_orchestrate.store import ExperimentFolder

PYTHON = [sys.executable, "-I", "-S", "-c"]
FOREVER = "import signal, sys; print('up', flush=True); signal.pause()"


class Bench:
    """An experiment's folder, and ways to run and wait in it."""

    def __init__(self, root: Path) -> None:
        self.folder = ExperimentFolder(root)
        root.mkdir()
        os.mkfifo(self.folder.wake)
        self.folder.heartbeat.touch()
        self.wake = os.open(self.folder.wake, os.O_RDWR | os.O_NONBLOCK)
        self.executor = LocalExecutor(self.folder)
        self.attempts: list[Attempt] = []

    def attempt(self) -> Attempt:
        number = len(self.attempts) + 1
        self.attempts.append(
            Attempt(f"token-{os.getpid()}-{number}", self.folder.attempt(number, 1))
        )
        return self.attempts[-1]

    def submit(self, argv: list[str], **timeouts: object) -> Attempt:
        attempt = self.attempt()
        limits = Timeouts.model_validate({"grace": 5, **timeouts})
        self.executor.submit(attempt, Work(argv, {"COLOUR": "red"}, self.folder.root, limits))
        return attempt

    def until(
        self, attempt: Attempt, kind: type[Presence], executor: LocalExecutor | None = None
    ) -> Presence:
        """Looks, and waits for the supervisor's wake-up call or a little, until `kind` is found."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = (executor or self.executor).find(attempt)
            if isinstance(found, kind):
                return found
            select.select([self.wake], [], [], 0.02)
        raise AssertionError(f"still {found}, not {kind.__name__}")

    def until_up(self, attempt: Attempt) -> None:
        """Waits until the command has written to its log."""
        deadline = time.monotonic() + 30
        while not attempt.folder.log.exists() or b"up" not in attempt.folder.log.read_bytes():
            assert time.monotonic() < deadline, "the command never wrote"
            select.select([self.wake], [], [], 0.02)

    def processes(self, attempt: Attempt) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(TOKEN_VARIABLE) == attempt.token:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def supervisor(self, attempt: Attempt) -> int:
        return int(json.loads(attempt.folder.claim.read_bytes())["pid"])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "1")
    yield made
    for attempt in made.attempts:
        made.executor.end(attempt)
        made.until(attempt, Ended | Lost | Absent)  # type: ignore[arg-type]
    made.executor.close()
    os.close(made.wake)


def test_a_command_runs_with_its_environment_and_its_own_log(bench: Bench) -> None:
    attempt = bench.submit(["sh", "-c", f'echo "$COLOUR ${TOKEN_VARIABLE}"; echo err >&2; pwd'])
    assert bench.until(attempt, Ended) == Ended(Exit(code=0))
    assert attempt.folder.log.read_text().split() == [
        "red",
        attempt.token,
        "err",
        str(bench.folder.root),
    ]


def test_how_it_ended_is_recorded(bench: Bench) -> None:
    assert bench.until(bench.submit(["sh", "-c", "exit 7"]), Ended) == Ended(Exit(code=7))
    assert bench.until(bench.submit(["sh", "-c", "kill -9 $$"]), Ended) == Ended(Exit(code=-9))
    absent = bench.until(bench.submit(["no-such-program"]), Ended)
    assert isinstance(absent, Ended)
    assert absent.exit.code is None
    assert "cannot execute 'no-such-program'" in str(absent.exit.error)


def test_a_folder_that_is_gone_is_named(bench: Bench) -> None:
    attempt, gone = bench.attempt(), bench.folder.root / "gone"
    bench.executor.submit(attempt, Work(["sh", "-c", "true"], {}, gone, Timeouts()))
    ended = bench.until(attempt, Ended)
    assert isinstance(ended, Ended)
    assert ended.exit.error == f"cannot run in the folder '{gone}': No such file or directory"


def test_each_attempt_has_its_own_process_group(bench: Bench) -> None:
    first, second = bench.submit([*PYTHON, FOREVER]), bench.submit([*PYTHON, FOREVER])
    bench.until_up(first)
    bench.until_up(second)
    groups = {os.getpgid(p.pid) for a in (first, second) for p in bench.processes(a)}
    assert len(groups) == 2
    assert os.getpgid(0) not in groups


def test_a_timeout_ends_it(bench: Bench) -> None:
    attempt = bench.submit([*PYTHON, FOREVER], trial=0.2)
    found = bench.until(attempt, Ended)
    assert found == Ended(Exit(code=-signal.SIGTERM, ended_by="timeout"))


def test_what_ignores_sigterm_is_killed_after_the_grace(bench: Bench) -> None:
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN); " + FOREVER
    attempt = bench.submit([*PYTHON, f"{stubborn}\nwhile True: signal.pause()"], grace=0.2)
    bench.until_up(attempt)
    bench.executor.end(attempt)
    assert bench.until(attempt, Ended) == Ended(Exit(code=-signal.SIGKILL, ended_by="stop"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to a subreaper")
def test_nothing_it_started_outlives_it(bench: Bench) -> None:
    daemon = (
        "import os, subprocess, sys; subprocess.Popen([sys.executable, '-I', '-S', '-c', "
        f'"""{FOREVER}"""], start_new_session=True); os.read(0, 1)'
    )
    attempt = bench.submit([*PYTHON, daemon])
    assert bench.until(attempt, Ended) == Ended(Exit(code=0))
    assert bench.processes(attempt) == []


def test_another_leader_finds_it_running_and_ends_it(bench: Bench) -> None:
    attempt = bench.submit([*PYTHON, FOREVER])
    bench.until(attempt, Running)
    another = LocalExecutor(bench.folder)
    assert another.find(attempt) == Running()
    another.end(attempt)
    found = bench.until(attempt, Ended, another)
    assert found == Ended(Exit(code=-signal.SIGTERM, ended_by="stop"))


def test_when_the_heart_stops_it_ends_itself(bench: Bench) -> None:
    attempt = bench.submit([*PYTHON, FOREVER], heartbeat=0.2)
    found = bench.until(attempt, Ended)
    assert found == Ended(Exit(code=-signal.SIGTERM, ended_by="lease"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_supervisor_means_lost_and_nothing_left(bench: Bench) -> None:
    inner = f"subprocess.run([sys.executable, '-I', '-S', '-c', '''{FOREVER}'''])"
    child = f"import subprocess, sys; {inner}"
    attempt = bench.submit([*PYTHON, child])
    bench.until_up(attempt)
    os.kill(bench.supervisor(attempt), signal.SIGKILL)
    assert bench.until(attempt, Lost) == Lost()
    assert bench.processes(attempt) == []


def test_what_was_given_up_never_starts(bench: Bench) -> None:
    attempt = bench.attempt()
    assert LocalExecutor(bench.folder).find(attempt) == Absent()
    work = Work(["touch", "started"], {}, bench.folder.root, Timeouts())
    bench.executor.submit(attempt, work)
    bench.until(attempt, Absent)
    assert not (bench.folder.root / "started").exists()
    assert bench.executor.find(attempt) == Absent()


def test_many_supervisors_start_one_command(bench: Bench) -> None:
    argv = ["sh", "-c", "echo once >> count"]
    attempt = bench.submit(argv)
    for _ in range(3):
        bench.executor.submit(attempt, Work(argv, {}, bench.folder.root, Timeouts()))
    bench.until(attempt, Ended)
    bench.executor.close()  # forks what it was asked for, and then ends
    assert (bench.folder.root / "count").read_text() == "once\n"


def test_what_does_not_answer_is_killed(bench: Bench) -> None:
    attempt = bench.submit([*PYTHON, FOREVER])
    bench.until_up(attempt)
    os.kill(bench.supervisor(attempt), signal.SIGSTOP)
    bench.executor.end(attempt)
    assert bench.executor.find(attempt) == Running()
    bench.executor.kill(attempt)
    assert bench.until(attempt, Lost) == Lost()
    assert bench.processes(attempt) == []


def test_a_fork_server_that_dies_is_replaced(bench: Bench) -> None:
    first = bench.submit([*PYTHON, FOREVER])
    bench.until(first, Running)
    process = bench.executor._starter._process
    assert process is not None
    process.kill()
    process.wait()
    assert bench.executor.find(first) == Running(), "it outlives the one that forked it"
    assert bench.until(bench.submit(["true"]), Ended) == Ended(Exit(code=0))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in /proc")
def test_an_attempt_that_uses_too_much_memory_is_ended(bench: Bench) -> None:
    hungry = "import sys; b = b'x' * (60 << 20); print('up', flush=True); "
    attempt = bench.attempt()
    children = f"{hungry} import signal; signal.pause()"
    work = Work([*PYTHON, children], {}, bench.folder.root, Timeouts(), memory=40 << 20)
    bench.executor.submit(attempt, work)
    assert bench.until(attempt, Ended) == Ended(Exit(code=-signal.SIGTERM, ended_by="memory"))
