"""What anyone may do with a store: create experiments, look at them, ask one to stop."""

import json
import time
from collections.abc import Iterable
from pathlib import Path

from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import statements as sql
from sigopt_orchestrate.store.address import Address
from sigopt_orchestrate.store.connection import connect
from sigopt_orchestrate.store.home import Home
from sigopt_orchestrate.store.reading import read_experiment, read_experiments, read_trials
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord


class Store:
    """Experiments and their trials; what changes a trial is the `Ledger`'s alone.

    To be used by the thread that opened it.
    """

    def __init__(self, root: Path, url: str | None = None) -> None:
        """Opens a store, which is made when it does not exist.

        Args:
            root: The folder for the experiments' files.
            url: The database, see `Address.parse`; a SQLite file in `root` where none is given.

        Raises:
            StoreError: If the database cannot be opened.
        """
        home = Home(root.absolute())
        address = Address.parse(url or home.database)
        self.connection = connect(address)
        if address.path is None:
            # Experiments of several databases may share a folder, and their ids are alike.
            [(name,)] = self.connection.execute("SELECT name FROM store").fetchall()
            home = Home(home.root / f"postgresql-{name[:8]}")
        self.home = home

    @classmethod
    def existing(cls, root: Path, url: str | None = None) -> "Store":
        """Opens a store that must be there already.

        Raises:
            StoreError: If there is none.
        """
        path = Address.parse(url or Home(root).database).path
        if path is not None and not path.exists():
            raise StoreError(
                f"{path if url else root}: no experiments here; "
                "`orchestrate run FILE` makes the first"
            )
        return cls(root, url)

    def close(self) -> None:
        """Gives the connection back."""
        self.connection.close()

    def create_experiment(self, spec: Experiment, directory: Path) -> ExperimentRecord:
        """Stores a new experiment, in state running, and returns it."""
        written = spec.model_dump_json(by_alias=True)
        given = (written, str(directory.absolute()), ExperimentState.RUNNING, False, time.time())
        with self.connection.writing():
            [(created,)] = self.connection.execute(sql.ADD_EXPERIMENT, given).fetchall()
            return read_experiment(self.connection, created)

    def experiment(self, experiment_id: int) -> ExperimentRecord:
        """Returns one experiment.

        Raises:
            StoreError: If there is none with this id.
        """
        return read_experiment(self.connection, experiment_id)

    def experiments(self) -> list[ExperimentRecord]:
        """Returns all experiments, newest first."""
        return read_experiments(self.connection)

    def newest(self) -> ExperimentRecord:
        """Returns the experiment that was created last.

        Raises:
            StoreError: If there is none.
        """
        found = read_experiments(self.connection, limit=1)
        if not found:
            raise StoreError(f"{self.home.root}: no experiments here yet")
        return found[0]

    def trials(self, experiment_id: int) -> list[TrialRecord]:
        """Returns an experiment's trials by number."""
        with self.connection.reading():
            return list(read_trials(self.connection, experiment_id))

    def moved_trials(self, experiment_id: int, since: int) -> tuple[list[TrialRecord], int]:
        """Returns the trials that have moved, and what to pass as `since` the next time.

        Args:
            experiment_id: Whose trials.
            since: What the last call returned; 0 for all trials.
        """
        with self.connection.reading():
            [(last,)] = self.connection.execute(sql.LAST_EVENT).fetchall()
            moved = list(read_trials(self.connection, experiment_id, since=since))
        return moved, last

    def request_pause(self, experiment_id: int, *, paused: bool) -> None:
        """Asks that no further trials start, or that they start again."""
        with self.connection.writing():
            self.connection.execute(sql.REQUEST_PAUSE, (paused, experiment_id))

    def request_retries(self, experiment_id: int, numbers: Iterable[int]) -> None:
        """Asks that the trials with these numbers run again, see `reconcile.retries`."""
        with self.connection.writing():
            query = sql.RETRIES + self.connection.for_update
            [(before,)] = self.connection.execute(query, (experiment_id,)).fetchall()
            given = (json.dumps([*json.loads(before or "[]"), *numbers]), experiment_id)
            self.connection.execute(sql.REQUEST_RETRIES, given)

    def request_stop(self, experiment_id: int) -> None:
        """Asks the experiment's leader to end its trials and itself."""
        with self.connection.writing():
            self.connection.execute(sql.REQUEST_STOP, (True, experiment_id))
