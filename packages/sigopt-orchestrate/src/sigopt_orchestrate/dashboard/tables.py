"""The tables of the page: the best configurations, and every trial."""

from collections.abc import Sequence

from sigopt_orchestrate.dashboard.analysis import (
    best_trials,
    default_trial,
    failure_reasons,
    objective_value,
)
from sigopt_orchestrate.dashboard.markup import Markup, element, join
from sigopt_orchestrate.dashboard.wording import duration, number
from sigopt_orchestrate.spec import Experiment, Value
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord


def verdict(experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> Markup:
    """Returns the best configuration, or the Pareto front, beside the defaults."""
    spec = experiment.spec
    best, reference = best_trials(spec, trials), default_trial(trials)
    if not best:
        return element("section", element("h2", "No result"), *_why(trials), class_="card")
    title = "Best configuration" if len(spec.objectives) == 1 else "Pareto front"
    columns = [(_link(experiment, trial), trial) for trial in best]
    if reference is not None and reference not in best:
        columns.append((join("defaults (", _link(experiment, reference), ")"), reference))
    table = _side_by_side if len(best) == 1 else _listed
    return element(
        "section",
        element("h2", title),
        _scrolling(table(spec, columns), title),
        class_="card",
    )


def trial_table(experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> Markup:
    """Returns every trial as a row; the page's script sorts it by the column that is clicked."""
    spec = experiment.spec
    names = ["trial", "state", "source", "attempt"]
    names += [metric.name for metric in spec.metrics] + [p.name for p in spec.parameters]
    names += ["duration", "reason"]
    head = (element("th", element("button", name, type="button"), scope="col") for name in names)
    best = {trial.number for trial in best_trials(spec, trials)}
    body = (_row(experiment, trial, best=trial.number in best) for trial in trials)
    table = element(
        "table",
        element("thead", element("tr", *head)),
        element("tbody", *body),
        class_="trials",
    )
    return _scrolling(table, "All trials")


def _row(experiment: ExperimentRecord, trial: TrialRecord, *, best: bool) -> Markup:
    spec, values = experiment.spec, trial.values or {}
    numbers = [values.get(metric.name) for metric in spec.metrics]
    settings = [trial.assignments.get(parameter.name) for parameter in spec.parameters]
    return element(
        "tr",
        element("th", _data(trial.number), scope="row"),
        element("td", trial.state, " ★" if best else None),
        element("td", trial.source),
        element("td", _data(trial.attempt)),
        *(element("td", _data(value)) for value in (*numbers, *settings)),
        element("td", _data(trial.duration_s, duration(trial.duration_s))),
        element("td", trial.reason or "", class_="reason"),
        id=_anchor(experiment, trial),
        class_=f"{trial.state}{' best' if best else ''}",
    )


def _side_by_side(spec: Experiment, columns: list[tuple[Markup, TrialRecord]]) -> Markup:
    """A few trials, a row for each metric and parameter."""
    rows = [
        element(
            "tr",
            element("th", metric.name, scope="row"),
            *(element("td", _data((trial.values or {}).get(metric.name))) for _, trial in columns),
            class_="metric",
        )
        for metric in spec.metrics
    ]
    rows += [
        element(
            "tr",
            element("th", parameter.name, scope="row"),
            *(element("td", _data(trial.assignments.get(parameter.name))) for _, trial in columns),
        )
        for parameter in spec.parameters
    ]
    head = (element("th", title, scope="col") for title, _ in columns)
    head_row = element("tr", element("td"), *head)
    return element("table", element("thead", head_row), element("tbody", *rows))


def _listed(spec: Experiment, trials: list[tuple[Markup, TrialRecord]]) -> Markup:
    """Any number of trials, a column for each objective and parameter."""
    names = [metric.name for metric in spec.objectives] + [p.name for p in spec.parameters]
    head = (element("th", name, scope="col") for name in ("trial", *names))
    rows = []
    for title, trial in trials:
        values: list[Value | None] = [objective_value(metric, trial) for metric in spec.objectives]
        values += [trial.assignments.get(parameter.name) for parameter in spec.parameters]
        cells = (element("td", _data(value)) for value in values)
        rows.append(element("tr", element("th", title, scope="row"), *cells))
    return element("table", element("thead", element("tr", *head)), element("tbody", *rows))


def _why(trials: Sequence[TrialRecord]) -> list[Markup]:
    """What to say where no trial is completed."""
    if not trials:
        return [element("p", "No trial has been suggested so far.")]
    reasons = failure_reasons(trials)
    if not reasons:
        return [element("p", "No trial has ended so far.")]
    failed = sum(count for _, count in reasons)
    items = [element("li", f"{reason} ({count} of {failed})") for reason, count in reasons[:5]]
    return [element("p", "No trial is completed. Trials failed for:"), element("ul", *items)]


def _link(experiment: ExperimentRecord, trial: TrialRecord) -> Markup:
    return element("a", f"trial {trial.number}", href=f"#{_anchor(experiment, trial)}")


def _anchor(experiment: ExperimentRecord, trial: TrialRecord) -> str:
    """A trial's place on a page that may show several experiments; page.js knows it, too."""
    return f"experiment-{experiment.id}-trial-{trial.number}"


def _data(value: Value | None, shown: str | None = None) -> Markup | None:
    """A value with all its digits for the machine, and what people read."""
    return None if value is None else element("data", shown or number(value), value=value)


def _scrolling(table: Markup, name: str) -> Markup:
    """A region that scrolls, by the keyboard too."""
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=name)
