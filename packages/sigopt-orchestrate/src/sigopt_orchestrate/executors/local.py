"""Runs attempts as processes of this machine, each with a supervisor that outlives us."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import psutil

from sigopt_orchestrate.executors import supervisor
from sigopt_orchestrate.executors.executor import Attempt, Work
from sigopt_orchestrate.executors.presence import (
    Absent,
    Ended,
    Exit,
    Lost,
    Presence,
    Running,
    Starting,
)
from sigopt_orchestrate.store import AttemptFolder, ExperimentFolder, is_locked

TOKEN_VARIABLE = "ORCHESTRATE_ATTEMPT"  # noqa: S105 - a name, not a secret


class LocalExecutor:
    """Real processes, found again by their claims and not by their process ids."""

    def __init__(self, folder: ExperimentFolder) -> None:
        """Makes the executor of one experiment, whose files lie in `folder`."""
        self._folder = folder
        self._supervisors: dict[str, subprocess.Popen[bytes]] = {}

    def submit(self, attempt: Attempt, work: Work) -> None:
        """Starts a supervisor, which claims the attempt and executes its command."""
        files = attempt.folder
        files.output.mkdir(parents=True, exist_ok=True)
        order = {
            "argv": work.argv,
            "env": {**work.env, TOKEN_VARIABLE: attempt.token},
            "directory": str(work.directory),
            "trial_s": work.timeouts.trial_s,
            "heartbeat_s": work.timeouts.heartbeat_s,
            "grace_s": work.timeouts.grace_s,
            "heartbeat": str(self._folder.heartbeat),
            "wake": str(self._folder.wake),
        }
        supervisor.write_whole(files.order, order)
        with files.log.open("ab") as log:
            self._supervisors[attempt.token] = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, str(files.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C is for orchestrate alone
            )

    def find(self, attempt: Attempt) -> Presence:
        """Looks for the attempt's record, its supervisor, or what is left of it."""
        record = _read_exit(attempt.folder)
        mine = self._supervisors.get(attempt.token)
        if record is None and mine is not None and mine.poll() is None:
            return Running() if attempt.folder.claim.exists() else Starting()
        if mine is not None:
            self._supervisors.pop(attempt.token).wait()  # it ends right after its record
        if record is not None:
            return Ended(record)
        if _give_up(attempt.folder):
            return Absent()
        if is_locked(attempt.folder.claim):
            return Running()
        record = _read_exit(attempt.folder)  # it may have ended between the two looks
        if record is not None:
            return Ended(record)
        _kill_all(attempt.token)
        return Lost()

    def end(self, attempt: Attempt) -> None:
        """Sends SIGTERM to the supervisor, which ends the command and all it started."""
        if is_locked(attempt.folder.claim):
            with contextlib.suppress(ProcessLookupError):
                os.kill(json.loads(attempt.folder.claim.read_bytes())["pid"], signal.SIGTERM)


def _read_exit(folder: AttemptFolder) -> Exit | None:
    try:
        return Exit(**json.loads(folder.exit.read_bytes()))
    except FileNotFoundError:
        return None


def _give_up(folder: AttemptFolder) -> bool:
    """Returns whether no supervisor has claimed the attempt, and makes sure that none ever will."""
    folder.root.mkdir(parents=True, exist_ok=True)
    nobody = folder.root / f"claim.{os.getpid()}"
    nobody.write_bytes(json.dumps({"pid": None}).encode())
    try:
        os.link(nobody, folder.claim)
    except FileExistsError:
        return bool(json.loads(folder.claim.read_bytes())["pid"] is None)
    finally:
        nobody.unlink()
    return True


def _kill_all(token: str) -> None:
    """Kills every process that carries the attempt's token, until there is none."""
    while doomed := [process for process in psutil.process_iter() if _carries(process, token)]:
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(doomed, timeout=5)


def _carries(process: psutil.Process, token: str) -> bool:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and process.environ().get(TOKEN_VARIABLE) == token
    except (psutil.Error, OSError):
        return False
