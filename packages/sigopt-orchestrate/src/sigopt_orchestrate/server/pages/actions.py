"""What a page may ask of a local experiment: stop, pause, resume, retry."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.reconcile import steer
from sigopt_orchestrate.server.errors import ConflictError
from sigopt_orchestrate.server.settings import Settings
from sigopt_orchestrate.store import ExperimentRecord, Store, has_leader

ACTIONS = ("stop", "pause", "resume", "retry", "stop-trial")


def act(settings: Settings, experiment_id: int, action: str, trials: Sequence[int]) -> str:
    """Does what was asked, and returns a sentence on what happens now.

    A leader that is alive is asked; otherwise the command line's own `stop` or `resume` is started,
    as a process that outlives the server.

    Args:
        settings: Say where the store and the experiments' files are.
        experiment_id: Of a local experiment.
        action: One of `ACTIONS`.
        trials: Numbers, for `retry` and `stop-trial`.

    Raises:
        ConflictError: If it cannot be done in the experiment's present state.
    """
    url = None if isinstance(settings.store, Path) else str(settings.store)
    store = Store(settings.folder, url)
    try:
        return _act(settings, store, store.experiment(experiment_id), action, trials)
    except StoreError as error:
        raise ConflictError(str(error)) from None
    finally:
        store.close()


def _act(
    settings: Settings, store: Store, record: ExperimentRecord, action: str, trials: Sequence[int]
) -> str:
    led = has_leader(store, record.id)
    if action == "pause":
        steer.pause(store, record)
        return "No further trials start."
    if action == "stop-trial":
        steer.stop_trial(store, record, trials[0])
        return f"Trial {trials[0]} is told to end at its next checkpoint."
    if action == "retry":
        asked = steer.retry(store, record, trials)
        if not asked:
            raise ConflictError("no trial of it has failed")
        if not led:
            _start(settings, store, record, "resume")
        return f"{len(asked)} failed trials run again."
    if action == "stop":
        if led:
            steer.stop(store, record)
        else:
            _start(settings, store, record, "stop")
        return "Its trials are ended."
    if led:
        steer.resume_paused(store, record)
        return "It goes on."
    if record.spec.command is None:
        raise ConflictError("a Python program asks for its trials; run that program again")
    _start(settings, store, record, "resume")
    return "It goes on, on the server's machine."


def _start(settings: Settings, store: Store, record: ExperimentRecord, command: str) -> None:
    """Starts `orchestrate resume` or `orchestrate stop`, in a session of its own."""
    where = [] if isinstance(settings.store, Path) else ["--store", str(settings.store)]
    folder = store.home.experiment(record.id).root
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.log").open("ab") as log:
        subprocess.run(  # by a shell that is gone at once, so that it is nobody's child here
            [
                *("/bin/sh", "-c", '"$@" &', "sh"),
                *(sys.executable, "-m", "sigopt_orchestrate", command, str(record.id)),
                *("--home", str(settings.folder)),
                *where,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=settings.folder,
            check=True,
        )
