"""How much each parameter matters, of an experiment of either kind."""

from sqlalchemy import Connection

from sigopt_orchestrate.server.importances import importances, shares
from sigopt_orchestrate.server.pages.subjects import Subject
from sigopt_orchestrate.store import TrialRecord

Shares = dict[str, dict[str, float]]
"""By metric, the share of its spread that each parameter explains."""


def shares_of(tx: Connection, subject: Subject, trials: list[TrialRecord]) -> Shares:
    """Returns the shares of the objectives that have enough values, the largest first.

    Args:
        tx: A reading transaction.
        subject: The experiment.
        trials: A sample of its trials, from which a local experiment's shares are computed.
    """
    wanted = [metric.name for metric in subject.spec.objectives]
    if subject.served is not None:
        found = importances(tx, subject.served)
        named = {name or "value": by for name, by in found.items()}
    else:
        done = [t for t in trials if t.values is not None]
        points = [dict(t.assignments) for t in done]
        named = {
            name: shares(
                subject.spec.parameters, points, [(t.values or {}).get(name) for t in done]
            )
            for name in wanted
        }
    return {
        name: dict(sorted(named[name].items(), key=lambda item: -item[1]))
        for name in wanted
        if named.get(name)
    }
