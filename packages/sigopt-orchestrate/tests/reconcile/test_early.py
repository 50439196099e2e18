"""Early stopping in the run loop: who is told to end, and that each checkpoint is judged once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.reconcile.early import EarlyEnds
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentFolder, Store, TrialRecord, lead

HALVING = {"type": "asha", "metric": "y", "min": 1, "reduction": 2}


class Running:
    """Trials that run, whose checkpoints a test writes."""

    def __init__(self, spec: Experiment, folder: ExperimentFolder, trials: list[TrialRecord]):
        self.spec, self.folder, self.trials = spec, folder, trials

    def report(self, index: int, *values: float) -> None:
        """Adds checkpoints to a trial's curve, one step each."""
        path = self._attempt(index).metrics
        path.parent.mkdir(parents=True, exist_ok=True)
        done = path.read_text().count("\n") if path.exists() else 0
        with path.open("a") as file:
            for step, value in enumerate(values, start=done + 1):
                file.write(json.dumps({"step": step, "y": value}) + "\n")

    def told(self) -> list[bool]:
        """Which trials have been told to end."""
        return [self._attempt(index).stop.exists() for index in range(len(self.trials))]

    def _attempt(self, index: int):
        trial = self.trials[index]
        return self.folder.attempt(trial.number, trial.attempt)


@pytest.fixture
def running(store: Store, make_spec: Callable[..., Experiment]) -> Callable[..., Running]:
    """Makes an experiment of four running trials."""

    def make(**keys: object) -> Running:
        spec = make_spec(**keys)
        record = store.create_experiment(spec, Path("/"))
        with lead(store, record.id) as ledger:
            leased = [ledger.lease(ledger.add_trial({"x": i / 4}, "test")) for i in range(4)]
            trials = [ledger.advance(trial, TrialState.RUNNING) for trial in leased]
        return Running(spec, store.home.experiment(record.id), trials)

    return make


def test_the_worse_half_is_told_to_end_and_the_better_goes_on(running) -> None:
    job = running(early_stopping=HALVING)
    for index, value in enumerate((0.9, 0.8, 0.1, 0.2)):
        job.report(index, value)
    EarlyEnds(job.spec, job.folder).look(job.trials)
    assert job.told() == [False, False, True, True]


def test_another_leader_that_reads_the_same_curves_decides_alike(running) -> None:
    job = running(early_stopping=HALVING)
    watching = EarlyEnds(job.spec, job.folder)
    for index, value in enumerate((0.1, 0.8, 0.9, 0.2)):
        job.report(index, value)
        watching.look(job.trials)
    first = job.told()
    for told, trial in zip(first, job.trials, strict=True):
        if told:
            job.folder.attempt(trial.number, trial.attempt).stop.unlink()
    EarlyEnds(job.spec, job.folder).look(job.trials)
    assert all(again for again, told in zip(job.told(), first, strict=True) if told)


def test_without_early_stopping_nobody_is_told_anything(running) -> None:
    job = running()
    for index in range(4):
        job.report(index, float(index), 0.0)
    EarlyEnds(job.spec, job.folder).look(job.trials)
    assert not any(job.told())


def test_a_checkpoint_that_is_half_written_waits_for_its_end(running) -> None:
    job = running(early_stopping=HALVING)
    job.report(0, 0.9)
    attempt = job.folder.attempt(job.trials[1].number, job.trials[1].attempt)
    attempt.metrics.parent.mkdir(parents=True)
    attempt.metrics.write_text('{"step": 1, "y": 0.')
    watching = EarlyEnds(job.spec, job.folder)
    watching.look(job.trials)
    assert not any(job.told())
    attempt.metrics.write_text('{"step": 1, "y": 0.1}\n')
    watching.look(job.trials)
    assert job.told() == [False, True, False, False]
