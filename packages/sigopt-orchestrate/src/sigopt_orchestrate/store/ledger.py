"""What only an experiment's leader may do: move its trials, each step once and for good."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sigopt_orchestrate.errors import LeadershipError, StoreError
from sigopt_orchestrate.lifecycle import OPEN, TRANSITIONS, ExperimentState, TrialState
from sigopt_orchestrate.spec import Assignments
from sigopt_orchestrate.store import statements as sql
from sigopt_orchestrate.store.reading import read_experiment, read_trials
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord
from sigopt_orchestrate.store.roster import Roster
from sigopt_orchestrate.store.store import Store


class Ledger:
    """The fenced writer of one experiment.

    Every method is one transaction, or part of a `group`, that first checks that no later leader
    has taken over; every change of a trial compares its state and attempt before it sets them, and
    leaves an event. `roster` follows each commit; after a transaction that failed, the next one
    reads it again.

    Raises:
        LeadershipError: From every method, once another leader has taken over.
        StoreUnavailableError: From every method, when the database cannot do it now; nothing of
            the transaction is stored then, or all of it if only the answer was lost.
    """

    def __init__(self, store: Store, experiment_id: int) -> None:
        """Takes the experiment over: from now on every earlier leader is fenced off."""
        self._connection = store.connection
        self._id = experiment_id
        self._in_group = False
        self._stale = True
        self.roster = Roster()
        self.stop_requested = self.paused = False
        self.retries: list[int] = []
        with self._connection.writing():
            taken_over = read_experiment(self._connection, experiment_id)
            self._epoch = taken_over.epoch + 1
            self._budget = taken_over.spec.budget
            self._connection.execute(sql.TAKE_OVER, (self._epoch, experiment_id, taken_over.epoch))
        with self.group():
            self.roster.take_changes()

    @contextmanager
    def group(self) -> Iterator[None]:
        """Makes one transaction of all that is done within: one flush to the disk for many steps.

        Also refreshes what people have asked for: `stop_requested`, `paused`, and `retries`, the
        numbers of the trials that are to run again.
        """
        if self._in_group:
            yield
            return
        stale, self._stale = self._stale, True
        with self._connection.writing():
            query = sql.FENCE + self._connection.for_update
            [row] = self._connection.execute(query, (self._id,)).fetchall()
            epoch, stop, paused, retries = row
            if epoch != self._epoch:
                raise LeadershipError(f"another orchestrate has taken experiment {self._id} over")
            self.stop_requested, self.paused = bool(stop), bool(paused)
            self.retries = [] if retries is None else json.loads(retries)
            if stale:
                self.roster.replace_all(read_trials(self._connection, self._id))
            self._in_group = True
            try:
                yield
            finally:
                self._in_group = False
        self._stale = False

    def catch_up(self) -> None:
        """Reads the roster again if a transaction has failed: what it holds may not be stored."""
        if self._stale:
            with self.group():
                pass

    def trials(self) -> list[TrialRecord]:
        """Returns the experiment's trials by number."""
        return list(self.roster.trials.values())

    def reopen(self) -> ExperimentRecord:
        """Sets the experiment running again, with its stopped trials back in the queue.

        One that lost its place in the budget to a later trial stays stopped.
        """
        with self.group():
            for trial in self.trials():
                if trial.state is TrialState.STOPPED and self.roster.held < self._budget:
                    self._move(trial, TrialState.QUEUED, "resumed")
            self.stop_requested = False
            return self._set(ExperimentState.RUNNING, None, None)

    def extend_budget(self, places: int) -> ExperimentRecord:
        """Adds places to the experiment's budget; what people asked to run again is taken up then.

        Below 0 it takes away places that nothing holds.
        """
        with self.group():
            self._budget += places
            self.retries = []
            record = read_experiment(self._connection, self._id)
            spec = record.spec.model_copy(update={"budget": self._budget})
            written = spec.model_dump_json(by_alias=True)
            self._connection.execute(sql.AMEND, (written, self._id))
            return replace(record, spec=spec)

    def end(self, state: ExperimentState, reason: str | None = None) -> ExperimentRecord:
        """Records that the experiment has ended; trials still open become stopped."""
        with self.group():
            for trial in self.trials():
                if trial.state in OPEN:
                    last = reason or trial.reason
                    self._move(trial, TrialState.STOPPED, reason, reason=last)
            return self._set(state, reason, time.time())

    def add_trial(self, assignments: Assignments, source: str) -> TrialRecord | None:
        """Queues a new trial, or returns None where the budget has no place left.

        A place is held by every trial that is open or observed, so that the experiment ends with
        exactly its budget of observations.
        """
        with self.group():
            if self.roster.held >= self._budget:
                return None
            number, now = len(self.roster.trials) + 1, time.time()
            given = (self._id, number, json.dumps(assignments), source, TrialState.QUEUED, now)
            [(trial_id,)] = self._connection.execute(sql.ADD_TRIAL, given).fetchall()
            trial = TrialRecord(
                id=trial_id,
                number=number,
                assignments=assignments,
                source=source,
                state=TrialState.QUEUED,
                created_at=now,
            )
            self._log(trial, None, source, now)
            return self.roster.put(trial)

    def lease(self, trial: TrialRecord) -> TrialRecord:
        """Records the intent to start the trial's next attempt, before anything is started."""
        attempt, token, now = trial.attempt + 1, str(uuid.uuid4()), time.time()
        with self.group():
            leased = self._move(
                trial,
                TrialState.LEASED,
                attempt=attempt,
                token=token,
                started_at=now,
                ended_at=None,
            )
            self._connection.execute(sql.ADD_ATTEMPT, (trial.id, attempt, token, now))
            return leased

    def advance(self, trial: TrialRecord, state: TrialState) -> TrialRecord:
        """Moves the trial on within its attempt."""
        with self.group():
            return self._move(trial, state)

    def preempt(
        self, trial: TrialRecord, reason: str, *, errors: int = 0, losses: int = 0, ooms: int = 0
    ) -> TrialRecord:
        """Ends the attempt without an observation; `requeue` makes the trial wait for its next.

        Args:
            trial: In flight.
            reason: What happened.
            errors: 1 if it was the command's own failure.
            losses: 1 if it was lost after it had started.
            ooms: 1 if it ran out of memory.
        """
        with self.group():
            return self._move(
                trial,
                TrialState.PREEMPTED,
                reason,
                ended_at=self._end_attempt(trial),
                errors=trial.errors + errors,
                losses=trial.losses + losses,
                ooms=trial.ooms + ooms,
                reason=reason,
            )

    def requeue(self, trial: TrialRecord) -> TrialRecord:
        """Queues a preempted trial's assignments again."""
        with self.group():
            return self._move(trial, TrialState.QUEUED, trial.reason)

    def stop(self, trial: TrialRecord, reason: str) -> TrialRecord:
        """Ends the attempt without an observation; `reopen` queues the trial again."""
        with self.group():
            ended_at = self._end_attempt(trial)
            return self._move(trial, TrialState.STOPPED, reason, ended_at=ended_at, reason=reason)

    def report(
        self, token: str, values: Mapping[str, float] | None, reason: str | None = None
    ) -> TrialRecord:
        """Takes the last word of an attempt; the first one that counts is the trial's observation.

        Said again, it changes nothing. A success counts even if its attempt was given up, as long
        as no other has been observed; whatever comes later is kept as evidence. If a newer attempt
        is in flight then, it is the caller's to end.

        Args:
            token: The attempt's.
            values: The metrics; None for a failure.
            reason: Why it failed.

        Returns:
            The trial as it is now.

        Raises:
            StoreError: If the experiment has no such attempt.
        """
        with self.group():
            row = self._connection.execute(sql.FIND_ATTEMPT, (token, self._id)).fetchone()
            if row is None:
                raise StoreError(f"experiment {self._id} has no attempt {token!r}")
            trial, attempt = self.roster.trials[row[0]], int(row[1])
            if attempt == trial.attempt and trial.state.in_flight:
                return self._observe(trial, attempt, values, reason)
            placed = trial.state in OPEN or self.roster.held < self._budget
            if values is not None and placed and not trial.state.observed:
                return self._observe(trial, attempt, values, reason)
            said = (trial.id, attempt, values is None, _dumped(values), reason, time.time())
            # An attempt that was observed has said so already; another's word is evidence.
            self._connection.execute(sql.ADD_LATE_REPORT, (*said, trial.id, attempt))
            return trial

    def _observe(
        self,
        trial: TrialRecord,
        attempt: int,
        values: Mapping[str, float] | None,
        reason: str | None,
    ) -> TrialRecord:
        ended_at = self._end_attempt(trial) if trial.state.in_flight else trial.ended_at
        if trial.state is not TrialState.REPORTING:
            trial = self._move(trial, TrialState.REPORTING)
        observation = (trial.id, attempt, values is None, _dumped(values), time.time())
        self._connection.execute(sql.ADD_OBSERVATION, observation)
        return self._move(
            trial,
            TrialState.FAILED if values is None else TrialState.COMPLETED,
            reason,
            ended_at=ended_at,
            values=None if values is None else dict(values),
            reason=reason,
        )

    def _set(
        self, state: ExperimentState, reason: str | None, ended_at: float | None
    ) -> ExperimentRecord:
        given = (state, self.stop_requested, reason, ended_at, self._id)
        self._connection.execute(sql.SET_EXPERIMENT, given)
        return read_experiment(self._connection, self._id)

    def _move(
        self, trial: TrialRecord, state: TrialState, cause: str | None = None, **changes: Any
    ) -> TrialRecord:
        """Compares the trial with its row, sets the row, and leaves an event."""
        if state not in TRANSITIONS[trial.state]:
            raise ValueError(f"a trial cannot go from {trial.state} to {state}")
        moved = replace(trial, state=state, **changes)
        values = (state, moved.attempt, moved.errors, moved.losses, moved.ooms, moved.reason)
        was = (trial.id, trial.state, trial.attempt)
        if self._connection.execute(sql.MOVE, (*values, *was)).rowcount != 1:
            raise LeadershipError(f"trial {trial.number} was changed by another orchestrate")
        self._log(moved, trial.state, cause, time.time())
        return self.roster.put(moved)

    def _log(
        self, trial: TrialRecord, before: TrialState | None, cause: str | None, now: float
    ) -> None:
        event = (trial.id, trial.attempt, before, trial.state, cause, now)
        self._connection.execute(sql.ADD_EVENT, event)

    def _end_attempt(self, trial: TrialRecord) -> float:
        """Returns when it ended; the clock may have jumped back meanwhile."""
        now = max(time.time(), trial.started_at or 0.0)
        self._connection.execute(sql.END_ATTEMPT, (now, trial.id, trial.attempt))
        return now


def _dumped(values: Mapping[str, float] | None) -> str | None:
    return None if values is None else json.dumps(dict(values))
