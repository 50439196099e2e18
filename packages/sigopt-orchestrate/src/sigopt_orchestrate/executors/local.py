"""Runs attempts as processes of this machine, each with a supervisor that outlives us."""

import contextlib
import json
import os
import signal
from collections.abc import Collection

import psutil

from sigopt_orchestrate.executors.executor import Attempt, Work
from sigopt_orchestrate.executors.presence import (
    Absent,
    Ended,
    Lost,
    Presence,
    Running,
    Starting,
)
from sigopt_orchestrate.executors.records import read_exit
from sigopt_orchestrate.executors.starter import Starter
from sigopt_orchestrate.store import AttemptFolder, ExperimentFolder, is_locked

TOKEN_VARIABLE = "ORCHESTRATE_ATTEMPT"  # noqa: S105 - a name, not a secret


class LocalExecutor:
    """Real processes, found again by their claims and not by their process ids."""

    def __init__(self, folder: ExperimentFolder) -> None:
        """Makes the executor of one experiment, whose files lie in `folder`."""
        self._folder = folder
        self._starter = Starter(folder.root / "starter.log")

    def submit(self, attempt: Attempt, work: Work) -> None:
        """Has a supervisor forked, which claims the attempt and executes its command."""
        files = attempt.folder
        files.output.mkdir(parents=True, exist_ok=True)
        files.checkpoint.mkdir(exist_ok=True)
        self._starter.start(
            {
                "folder": str(files.root),
                "argv": work.argv,
                "env": {**work.env, TOKEN_VARIABLE: attempt.token},
                "directory": str(work.directory),
                "memory": work.memory,
                "secrets": work.secrets,
                "trial_s": work.timeouts.trial_s,
                "heartbeat_s": work.timeouts.heartbeat_s,
                "grace_s": work.timeouts.grace_s,
                "heartbeat": str(self._folder.heartbeat),
                "wake": str(self._folder.wake),
            }
        )

    def find(self, attempt: Attempt) -> Presence:
        """Looks for the attempt's record, its supervisor, or what is left of it."""
        record = read_exit(attempt.folder)
        if record is not None:
            return Ended(record)
        coming = self._starter.has(str(attempt.folder.root))
        if coming and not attempt.folder.claim.exists():
            return Starting()
        try:
            if _give_up(attempt.folder):
                return Absent()
        except OSError:  # a full disk: it is neither claimed nor given up
            return Starting()
        if coming or is_locked(attempt.folder.claim):
            return Running()
        record = read_exit(attempt.folder)  # it may have ended between the two looks
        if record is not None:
            return Ended(record)
        return Lost() if _kill_all(attempt.token) else Running()

    def end(self, attempt: Attempt) -> None:
        """Sends SIGTERM to the supervisor, which ends the command and all it started."""
        self._signal(attempt, signal.SIGTERM)

    def kill(self, attempt: Attempt) -> None:
        """Sends SIGKILL to the supervisor, which may be stopped and so deaf to all else.

        On Linux the kernel then kills the command, too; `find` kills whatever is left.
        """
        self._signal(attempt, signal.SIGKILL)

    def retain(self, tokens: Collection[str]) -> None:
        """Does nothing: supervisors clear up behind their own attempts."""

    def close(self) -> None:
        """Ends the process that forks supervisors; they live on."""
        self._starter.close()

    def _signal(self, attempt: Attempt, number: int) -> None:
        if not _give_up(attempt.folder) and is_locked(attempt.folder.claim):
            with contextlib.suppress(ProcessLookupError):
                os.kill(json.loads(attempt.folder.claim.read_bytes())["pid"], number)


def _give_up(folder: AttemptFolder) -> bool:
    """Returns whether no supervisor has claimed the attempt, and makes sure that none ever will."""
    if not folder.claim.exists():
        folder.root.mkdir(parents=True, exist_ok=True)
        nobody = folder.root / f"claim.{os.getpid()}"
        nobody.write_bytes(json.dumps({"pid": None}).encode())
        with contextlib.suppress(FileExistsError):
            os.link(nobody, folder.claim)
        nobody.unlink()
    return bool(json.loads(folder.claim.read_bytes())["pid"] is None)


def _kill_all(token: str) -> bool:
    """Kills every process that carries the attempt's token; returns whether there is none left."""
    doomed = [process for process in psutil.process_iter() if _carries(process, token)]
    for process in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(doomed, timeout=1)
    return not any(_carries(process, token) for process in psutil.process_iter())


def _carries(process: psutil.Process, token: str) -> bool:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and process.environ().get(TOKEN_VARIABLE) == token
    except (psutil.Error, OSError):
        return False
