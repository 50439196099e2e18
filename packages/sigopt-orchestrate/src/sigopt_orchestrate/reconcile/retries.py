"""Running trials again: what people asked for, as trials of their own."""

from sigopt_orchestrate.lifecycle import TrialState, repeat_of
from sigopt_orchestrate.store import ExperimentRecord, Ledger, TrialRecord


def take_retries(ledger: Ledger) -> ExperimentRecord:
    """Queues the assignments of the trials in `ledger.retries` again.

    A failed trial runs again once, however often that was asked; a completed one as often as it
    was asked, to see how much its result owes to chance. What was observed stays what it is. Each
    adds one to the experiment's budget, so that it does not cost the experiment an observation.
    """
    with ledger.group():
        trials = {trial.number: trial for trial in ledger.trials()}
        failed = {trial.number for trial in retriable(list(trials.values()))}
        due = [(trials[n], _source(trials[n])) for n in sorted(failed & set(ledger.retries))]
        due += [
            (trials[n], repeat_of(n))
            for n in ledger.retries
            if trials[n].state is TrialState.COMPLETED
        ]
        experiment = ledger.extend_budget(len(due))
        for trial, source in due:
            ledger.add_trial(trial.assignments, source)
        return experiment


def retriable(trials: list[TrialRecord]) -> list[TrialRecord]:
    """Returns the failed trials that have no retry yet, or one that has failed as well."""
    again = {trial.source for trial in trials if trial.state is not TrialState.FAILED}
    failed = (trial for trial in trials if trial.state is TrialState.FAILED)
    return [trial for trial in failed if _source(trial) not in again]


def _source(trial: TrialRecord) -> str:
    return f"retry of {trial.number}"
