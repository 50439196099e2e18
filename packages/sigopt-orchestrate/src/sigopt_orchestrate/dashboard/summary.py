"""The top of the page: what was run, how far it is, what came out."""

from collections import Counter
from collections.abc import Sequence

from sigopt_orchestrate.dashboard.analysis import (
    best_trials,
    default_trial,
    gain,
    objective_value,
    wall_time_s,
)
from sigopt_orchestrate.dashboard.markup import Markup, element, join
from sigopt_orchestrate.dashboard.repeats import confirmed, confirmed_texts, repeats
from sigopt_orchestrate.dashboard.wording import duration, improvement, moment, number
from sigopt_orchestrate.lifecycle import OPEN, TrialState
from sigopt_orchestrate.spec import Experiment, Metric
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord


def heading(experiment: ExperimentRecord) -> Markup:
    """Returns the experiment's name, number and state, and why it ended if that needs saying."""
    state = element("span", experiment.state, class_=f"state {experiment.state}")
    return element(
        "header",
        element("p", f"orchestrate · experiment {experiment.id} ", state, class_="eyebrow"),
        element("h1", experiment.spec.name),
        element("p", experiment.reason, class_="reason") if experiment.reason else None,
    )


def headlines(experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> Markup:
    """Returns the few numbers that a reader wants first."""
    spec, best = experiment.spec, best_trials(experiment.spec, trials)
    tiles = []
    for metric in spec.objectives if best else ():
        champion = best[0] if metric is spec.objectives[0] else best[-1]
        note = _against_defaults(metric, champion, trials) or f"trial {champion.number}"
        value = number(objective_value(metric, champion) or 0.0)
        tiles.append((f"best {metric.name}", value, note))
    states = Counter(trial.state for trial in trials)
    observed = states[TrialState.COMPLETED] + states[TrialState.FAILED]
    failed = states[TrialState.FAILED]
    tiles.append(("budget used", f"{observed} / {spec.budget}", f"{failed} failed"))
    elapsed = duration(wall_time_s(experiment, trials))
    tiles.append(("wall time", elapsed, f"{spec.parallel} at a time"))
    row = element("div", *(_tile(*tile) for tile in tiles), class_="tiles")
    return join(row, _confirmation(spec, trials))


def _confirmation(spec: Experiment, trials: Sequence[TrialRecord]) -> Markup | None:
    """What was repeated beside the defaults: means with standard errors, and gains."""
    rows = []
    for trial in confirmed(trials):
        cells = [element("td", text) for text in confirmed_texts(spec, trials, trial)]
        name = "defaults" if trial.source == "default" else f"trial {trial.number}"
        runs = element("td", str(len(repeats(trials, trial.number))))
        rows.append(element("tr", element("th", name, scope="row"), runs, *cells))
    if len(rows) < 2:
        return None
    names = ["", "repeats", *(n for m in spec.objectives for n in (m.name, "gain"))]
    head = element("tr", *(element("th", name, scope="col") for name in names))
    table = element("table", element("thead", head), element("tbody", *rows))
    words = "By repeats alone, with standard errors"
    scroll = element("div", table, class_="scroll", tabindex="0", role="region", aria_label=words)
    return element(
        "section", element("h2", "Confirmed"), element("p", words), scroll, class_="card"
    )


def facts(experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> Markup:
    """Returns how the experiment was run, as a list of terms."""
    spec, states = experiment.spec, Counter(trial.state for trial in trials)
    ended = experiment.ended_at
    command = spec.command if isinstance(spec.command, str) else " ".join(spec.command or ())
    rows: list[tuple[str, object]] = [
        ("completed", states[TrialState.COMPLETED]),
        ("failed", states[TrialState.FAILED]),
        ("stopped", states[TrialState.STOPPED]),
        ("open", sum(states[state] for state in OPEN)),
        ("parallel", spec.parallel),
        ("search", f"{spec.optimizer.algorithm}, seed {spec.optimizer.seed}"),
        ("begun", moment(experiment.created_at)),
        ("ended", "not yet" if ended is None else moment(ended)),
        ("command", element("code", command)),
    ]
    terms = (element("div", element("dt", name), element("dd", value)) for name, value in rows)
    return element("section", element("h2", "How it ran"), element("dl", *terms), class_="card")


def _against_defaults(
    metric: Metric, trial: TrialRecord, trials: Sequence[TrialRecord]
) -> str | None:
    reference = default_trial(trials)
    if reference is None or (gained := gain(metric, trial, reference)) is None:
        return None
    words = improvement(gained, objective_value(metric, reference) or 0.0)
    return "the defaults are the best" if gained == 0 else f"{words} than the defaults"


def _tile(name: str, value: str, note: str) -> Markup:
    return element("p", element("span", name), element("strong", value), element("span", note))
