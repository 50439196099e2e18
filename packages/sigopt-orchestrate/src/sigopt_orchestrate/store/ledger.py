"""What only an experiment's leader may do: move its trials, each step once and for good."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from sigopt_orchestrate.errors import LeadershipError
from sigopt_orchestrate.lifecycle import (
    OBSERVED,
    OPEN,
    TRANSITIONS,
    ExperimentState,
    TrialState,
)
from sigopt_orchestrate.spec import Assignments
from sigopt_orchestrate.store.database import reading, writing
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord
from sigopt_orchestrate.store.schema import attempts, events, experiments, observations, trials
from sigopt_orchestrate.store.store import Store, read_experiment, read_trial, read_trials


class Ledger:
    """The fenced writer of one experiment.

    Every method is one transaction that first checks that no later leader has taken over; every
    change of a trial compares its state and attempt before it sets them, and leaves an event.

    Raises:
        LeadershipError: From every method, once another leader has taken over.
    """

    def __init__(self, store: Store, experiment_id: int) -> None:
        """Takes the experiment over: from now on every earlier leader is fenced off."""
        self._store = store
        self._id = experiment_id
        with writing(store.engine) as connection:
            taken_over = read_experiment(connection, experiment_id)
            self._epoch = taken_over.epoch + 1
            self._budget = taken_over.spec.budget
            self._set(connection, epoch=self._epoch)

    def stop_requested(self) -> bool:
        """Returns whether `orchestrate stop` has asked for the end."""
        query = select(experiments.c.stop_requested).where(experiments.c.id == self._id)
        with reading(self._store.engine) as connection:
            return connection.execute(query).scalar_one()

    def trials(self) -> list[TrialRecord]:
        """Returns the experiment's trials by number, as they are stored now."""
        return self._store.trials(self._id)

    def reopen(self) -> ExperimentRecord:
        """Sets the experiment running again, with every stopped trial back in the queue."""
        with self._write() as connection:
            for trial in read_trials(connection, self._id):
                if trial.state is TrialState.STOPPED:
                    _move(connection, trial, TrialState.QUEUED, "resumed")
            self._set(
                connection,
                state=ExperimentState.RUNNING,
                stop_requested=False,
                reason=None,
                ended_at=None,
            )
            return read_experiment(connection, self._id)

    def end(self, state: ExperimentState, reason: str | None = None) -> ExperimentRecord:
        """Records that the experiment has ended; trials still open become stopped."""
        with self._write() as connection:
            for trial in read_trials(connection, self._id):
                if trial.state in OPEN:
                    _move(connection, trial, TrialState.STOPPED, reason)
            self._set(connection, state=state, reason=reason, ended_at=time.time())
            return read_experiment(connection, self._id)

    def add_trial(self, assignments: Assignments, source: str) -> TrialRecord | None:
        """Queues a new trial, or returns None where the budget has no place left.

        A place is held by every trial that is open or observed, so that the experiment ends with
        exactly its budget of observations.
        """
        with self._write() as connection:
            mine = trials.c.experiment_id == self._id
            held = select(func.count()).where(mine, trials.c.state.in_(OPEN | OBSERVED))
            if connection.execute(held).scalar_one() >= self._budget:
                return None
            last = select(func.coalesce(func.max(trials.c.number), 0)).where(mine)
            created = connection.execute(
                insert(trials)
                .values(
                    experiment_id=self._id,
                    number=connection.execute(last).scalar_one() + 1,
                    assignments=json.dumps(assignments),
                    source=source,
                    state=TrialState.QUEUED,
                    attempt=0,
                    errors=0,
                    losses=0,
                    created_at=time.time(),
                )
                .returning(trials.c.id)
            )
            trial = read_trial(connection, created.scalar_one())
            _log(connection, trial, None, TrialState.QUEUED, source)
            return trial

    def lease(self, trial: TrialRecord) -> TrialRecord:
        """Records the intent to start the trial's next attempt, before anything is started."""
        with self._write() as connection:
            connection.execute(
                insert(attempts).values(
                    trial_id=trial.id,
                    number=trial.attempt + 1,
                    token=str(uuid.uuid4()),
                    started_at=time.time(),
                )
            )
            return _move(
                connection, trial, TrialState.LEASED, attempt=trial.attempt + 1, reason=None
            )

    def advance(self, trial: TrialRecord, state: TrialState) -> TrialRecord:
        """Moves the trial on within its attempt."""
        with self._write() as connection:
            return _move(connection, trial, state)

    def requeue(
        self, trial: TrialRecord, reason: str, *, errors: int = 0, losses: int = 0
    ) -> TrialRecord:
        """Ends the attempt without an observation and queues the same assignments again."""
        with self._write() as connection:
            _end_attempt(connection, trial)
            counts = {"errors": trial.errors + errors, "losses": trial.losses + losses}
            return _move(connection, trial, TrialState.QUEUED, reason, reason=reason, **counts)

    def stop(self, trial: TrialRecord, reason: str) -> TrialRecord:
        """Ends the attempt without an observation; `reopen` queues the trial again."""
        with self._write() as connection:
            _end_attempt(connection, trial)
            return _move(connection, trial, TrialState.STOPPED, reason, reason=reason)

    def observe(
        self, trial: TrialRecord, values: Mapping[str, float] | None, reason: str | None = None
    ) -> TrialRecord:
        """Stores the trial's one observation: completed with `values`, failed without."""
        with self._write() as connection:
            connection.execute(
                insert(observations).values(
                    trial_id=trial.id,
                    attempt=trial.attempt,
                    failed=values is None,
                    metrics=None if values is None else json.dumps(dict(values)),
                    created_at=time.time(),
                )
            )
            _end_attempt(connection, trial)
            state = TrialState.FAILED if values is None else TrialState.COMPLETED
            return _move(connection, trial, state, reason, reason=reason)

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with writing(self._store.engine) as connection:
            query = select(experiments.c.epoch).where(experiments.c.id == self._id)
            if connection.execute(query).scalar_one() != self._epoch:
                raise LeadershipError(f"another orchestrate has taken experiment {self._id} over")
            yield connection

    def _set(self, connection: Connection, **values: object) -> None:
        connection.execute(update(experiments).where(experiments.c.id == self._id).values(**values))


def _move(
    connection: Connection,
    trial: TrialRecord,
    state: TrialState,
    cause: str | None = None,
    **values: Any,
) -> TrialRecord:
    """Compares the trial with its row, sets the row, and leaves an event."""
    if state not in TRANSITIONS[trial.state]:
        raise ValueError(f"a trial cannot go from {trial.state} to {state}")
    unchanged = (
        trials.c.id == trial.id,
        trials.c.state == trial.state,
        trials.c.attempt == trial.attempt,
    )
    result = connection.execute(update(trials).where(*unchanged).values(state=state, **values))
    if result.rowcount != 1:
        raise LeadershipError(f"trial {trial.number} was changed by another orchestrate")
    moved = read_trial(connection, trial.id)
    _log(connection, moved, trial.state, state, cause)
    return moved


def _log(
    connection: Connection,
    trial: TrialRecord,
    before: TrialState | None,
    after: TrialState,
    cause: str | None,
) -> None:
    connection.execute(
        insert(events).values(
            trial_id=trial.id,
            attempt=trial.attempt,
            before=before,
            after=after,
            cause=cause,
            at=time.time(),
        )
    )


def _end_attempt(connection: Connection, trial: TrialRecord) -> None:
    connection.execute(
        update(attempts)
        .where(attempts.c.trial_id == trial.id, attempts.c.number == trial.attempt)
        .values(ended_at=time.time())
    )
