"""What people may ask of an experiment: to stop, to pause, to run trials again.

The leader is asked by the store and woken; where there is none, `stop` leads for as long as it
takes to end what runs. The command line and the server's page both act through these functions.
"""

from collections.abc import Collection

from sigopt_orchestrate.errors import LeadershipError, StoreError
from sigopt_orchestrate.executors import wake
from sigopt_orchestrate.lifecycle import ExperimentState, TrialState
from sigopt_orchestrate.reconcile.launch import executor_of
from sigopt_orchestrate.reconcile.loop import RunLoop
from sigopt_orchestrate.reconcile.retries import retriable
from sigopt_orchestrate.store import ExperimentRecord, Store, TrialRecord, lead


def stop(store: Store, experiment: ExperimentRecord) -> None:
    """Ends the experiment's trials and its leader."""
    folder = store.home.experiment(experiment.id)
    try:
        with lead(store, experiment.id) as ledger:
            loop = RunLoop(ledger, folder, executor_of(experiment, folder), None, lambda *_: None)
            loop.request_stop()
            loop.run()
    except LeadershipError:
        store.request_stop(experiment.id)
        wake(folder.wake)


def stop_trial(store: Store, experiment: ExperimentRecord, number: int) -> None:
    """Tells one trial that it may end now; it learns so from its next checkpoint.

    Raises:
        StoreError: If there is no such trial, or it does not run.
    """
    trial = _trial(store.trials(experiment.id), experiment, number)
    if trial.state is not TrialState.RUNNING:
        raise StoreError(f"trial {number} of experiment {experiment.id} is {trial.state}")
    store.home.experiment(experiment.id).attempt(number, trial.attempt).stop.touch()


def pause(store: Store, experiment: ExperimentRecord) -> None:
    """Has no further trials started.

    Raises:
        StoreError: If the experiment has ended.
    """
    if experiment.state is not ExperimentState.RUNNING:
        raise StoreError(f"experiment {experiment.id} is {experiment.state} already")
    store.request_pause(experiment.id, paused=True)
    wake(store.home.experiment(experiment.id).wake)


def resume_paused(store: Store, experiment: ExperimentRecord) -> bool:
    """Has trials started again; returns whether there is a leader to do so."""
    store.request_pause(experiment.id, paused=False)
    return wake(store.home.experiment(experiment.id).wake)


def retry(store: Store, experiment: ExperimentRecord, numbers: Collection[int] = ()) -> list[int]:
    """Asks for failed trials to run again; returns which.

    Args:
        store: Holds the experiment.
        experiment: In any state; one that has no leader takes the request up when it is resumed.
        numbers: Of the trials; all that failed where it is empty.

    Raises:
        StoreError: If a trial does not exist or has not failed.
    """
    trials = store.trials(experiment.id)
    _refuse_all_but(TrialState.FAILED, "retried", trials, experiment, numbers)
    asked = [t.number for t in retriable(trials) if not numbers or t.number in numbers]
    if asked:
        store.request_retries(experiment.id, asked)
        wake(store.home.experiment(experiment.id).wake)
    return asked


def repeat(
    store: Store, experiment: ExperimentRecord, numbers: Collection[int], times: int
) -> None:
    """Asks for completed trials to run again, each `times` times, as trials beyond the budget.

    What an experiment that was stopped has left of its budget is taken away, so that nothing but
    repeats follows when it is resumed.

    Raises:
        StoreError: If a trial does not exist or is not completed.
        LeadershipError: If somebody leads the experiment.
    """
    trials = store.trials(experiment.id)
    _refuse_all_but(TrialState.COMPLETED, "repeated", trials, experiment, numbers)
    with lead(store, experiment.id) as ledger:
        used = sum(trial.state.observed for trial in ledger.trials())
        ledger.extend_budget(min(0, used - experiment.spec.budget))
    # By turns, so that what changes on the machine meanwhile meets all of them alike.
    store.request_retries(experiment.id, [*numbers] * times)


def _refuse_all_but(
    state: TrialState,
    done: str,
    trials: list[TrialRecord],
    experiment: ExperimentRecord,
    numbers: Collection[int],
) -> None:
    for number in numbers:
        found = _trial(trials, experiment, number).state
        if found is not state:
            raise StoreError(
                f"trial {number} of experiment {experiment.id} is {found}; "
                f"only {state} trials are {done}"
            )


def _trial(trials: list[TrialRecord], experiment: ExperimentRecord, number: int) -> TrialRecord:
    if not 1 <= number <= len(trials):
        raise StoreError(f"experiment {experiment.id} has {len(trials)} trials, and no {number}")
    return trials[number - 1]
