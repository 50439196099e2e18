"""What anyone may do with a store: create experiments, look at them, ask one to stop."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, Row, Select, and_, insert, select, update

from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store.database import open_database, reading, writing
from sigopt_orchestrate.store.home import Home
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord
from sigopt_orchestrate.store.schema import attempts, experiments, observations, trials


class Store:
    """Experiments and their trials; what changes a trial is the `Ledger`'s alone."""

    def __init__(self, root: Path) -> None:
        """Opens the store in the folder `root`, which is made when it does not exist."""
        self.home = Home(root.absolute())
        self.engine = open_database(self.home.database)

    @classmethod
    def existing(cls, root: Path) -> "Store":
        """Opens a store that must be there already.

        Raises:
            StoreError: If `root` holds no store.
        """
        if not Home(root).database.exists():
            raise StoreError(f"{root}: no experiments here; `orchestrate run FILE` makes the first")
        return cls(root)

    def close(self) -> None:
        """Gives the database's file handles back."""
        self.engine.dispose()

    def create_experiment(self, spec: Experiment, directory: Path) -> ExperimentRecord:
        """Stores a new experiment, in state running, and returns it."""
        with writing(self.engine) as connection:
            created = connection.execute(
                insert(experiments)
                .values(
                    spec=spec.model_dump_json(by_alias=True),
                    directory=str(directory.absolute()),
                    state=ExperimentState.RUNNING,
                    epoch=0,
                    stop_requested=False,
                    created_at=time.time(),
                )
                .returning(experiments.c.id)
            )
            return read_experiment(connection, created.scalar_one())

    def experiment(self, experiment_id: int) -> ExperimentRecord:
        """Returns one experiment.

        Raises:
            StoreError: If there is none with this id.
        """
        with reading(self.engine) as connection:
            return read_experiment(connection, experiment_id)

    def experiments(self) -> list[ExperimentRecord]:
        """Returns all experiments, newest first."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(experiments).order_by(experiments.c.id.desc()))
            return [_experiment(row) for row in rows]

    def newest(self) -> ExperimentRecord:
        """Returns the experiment that was created last.

        Raises:
            StoreError: If there is none.
        """
        query = select(experiments).order_by(experiments.c.id.desc()).limit(1)
        with reading(self.engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise StoreError(f"{self.home.root}: no experiments here yet")
        return _experiment(row)

    def trials(self, experiment_id: int) -> list[TrialRecord]:
        """Returns an experiment's trials by number."""
        with reading(self.engine) as connection:
            return read_trials(connection, experiment_id)

    def request_stop(self, experiment_id: int) -> None:
        """Asks the experiment's leader to end its trials and itself."""
        with writing(self.engine) as connection:
            connection.execute(
                update(experiments)
                .where(experiments.c.id == experiment_id)
                .values(stop_requested=True)
            )


def read_experiment(connection: Connection, experiment_id: int) -> ExperimentRecord:
    """Returns one experiment within a transaction; see `Store.experiment`."""
    query = select(experiments).where(experiments.c.id == experiment_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise StoreError(f"there is no experiment {experiment_id}; `orchestrate list` names them")
    return _experiment(row)


def read_trials(connection: Connection, experiment_id: int) -> list[TrialRecord]:
    """Returns an experiment's trials by number within a transaction."""
    query = _trial_query().where(trials.c.experiment_id == experiment_id)
    return [_trial(row) for row in connection.execute(query.order_by(trials.c.number))]


def read_trial(connection: Connection, trial_id: int) -> TrialRecord:
    """Returns one trial within a transaction."""
    return _trial(connection.execute(_trial_query().where(trials.c.id == trial_id)).one())


def _trial_query() -> Select[*tuple[object, ...]]:
    current = and_(attempts.c.trial_id == trials.c.id, attempts.c.number == trials.c.attempt)
    joined = trials.outerjoin(attempts, current).outerjoin(
        observations, observations.c.trial_id == trials.c.id
    )
    columns: Sequence[object] = (
        *trials.c,
        attempts.c.token,
        attempts.c.started_at,
        attempts.c.ended_at,
        observations.c.metrics,
    )
    return select(*columns).select_from(joined)  # type: ignore[call-overload]


def _experiment(row: Row[*tuple[object, ...]]) -> ExperimentRecord:
    return ExperimentRecord(
        id=row.id,
        spec=Experiment.model_validate_json(row.spec),
        directory=Path(row.directory),
        state=ExperimentState(row.state),
        epoch=row.epoch,
        stop_requested=row.stop_requested,
        reason=row.reason,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def _trial(row: Row[*tuple[object, ...]]) -> TrialRecord:
    return TrialRecord(
        id=row.id,
        number=row.number,
        assignments=json.loads(row.assignments),
        source=row.source,
        state=TrialState(row.state),
        attempt=row.attempt,
        token=row.token,
        errors=row.errors,
        losses=row.losses,
        values=json.loads(row.metrics) if row.metrics is not None else None,
        reason=row.reason,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
