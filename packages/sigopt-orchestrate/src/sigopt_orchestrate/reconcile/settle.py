"""What becomes of a trial whose attempt has ended: observed, tried again, or stopped."""

from sigopt_orchestrate.reconcile import outcome
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import Ledger, TrialRecord


def settle(
    ledger: Ledger, spec: Experiment, trial: TrialRecord, ended: outcome.Outcome
) -> TrialRecord:
    """Records what the end of a trial's attempt means for the trial, and returns it.

    Infrastructure's failures are tried again free of charge, running out of memory with more of it,
    the command's own failures as often as asked; what is left is an observation.
    """
    retries = spec.retries
    match ended:
        case outcome.Observed(values):
            return ledger.report(_token(trial), values)
        case outcome.Failed(reason) if trial.errors < retries.error:
            return ledger.preempt(trial, reason, errors=1)
        case outcome.OutOfMemory(reason) if trial.ooms < retries.oom.max:
            return ledger.preempt(trial, reason, ooms=1)
        case outcome.Failed(reason) | outcome.OutOfMemory(reason):
            return ledger.report(_token(trial), None, reason)
        case outcome.Interrupted(reason):
            return lose(ledger, spec, trial, reason, charged=True)
        case outcome.Stopped():
            return ledger.stop(trial, "asked to stop")
        case outcome.Misconfigured(reason):
            return ledger.stop(trial, reason)


def lose(
    ledger: Ledger, spec: Experiment, trial: TrialRecord, reason: str, *, charged: bool
) -> TrialRecord:
    """Sends a trial back to the queue; one that is lost again and again is given up as failed.

    Args:
        ledger: Of the trial's experiment.
        spec: The experiment.
        trial: In flight, its attempt lost.
        reason: How it was lost.
        charged: Whether it counts among the losses; what never started does not.
    """
    if charged and trial.losses >= spec.retries.infra:
        given_up = f"given up after {trial.losses + 1} attempts: {reason}"
        return ledger.report(_token(trial), None, given_up)
    return ledger.preempt(trial, reason, losses=int(charged))


def _token(trial: TrialRecord) -> str:
    assert trial.token is not None  # noqa: S101 - it has an attempt
    return trial.token
