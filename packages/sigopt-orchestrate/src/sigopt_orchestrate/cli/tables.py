"""Experiments and trials as tables for people."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sigopt_orchestrate.dashboard.analysis import (
    best_trials,
    default_trial,
    gain,
    objective_value,
)
from sigopt_orchestrate.dashboard.repeats import (
    challengers,
    confirmed,
    confirmed_texts,
    repeats,
)
from sigopt_orchestrate.dashboard.wording import improvement, number
from sigopt_orchestrate.spec import Experiment, Value
from sigopt_orchestrate.store import TrialRecord

_PIPE_WIDTH = 1000  # a pipe has no margin: whoever reads it wants whole cells

_STYLES = {"completed": "green", "failed": "red", "running": "cyan", "stopped": "yellow"}


def open_console(*, stderr: bool = False) -> Console:
    """Returns where people read; into a pipe or a file, no cell is cut."""
    console = Console(stderr=stderr, highlight=False)
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, highlight=False, width=_PIPE_WIDTH)
    )


def trial_table(
    spec: Experiment,
    trials: Iterable[TrialRecord],
    title: str | None = None,
    places: Mapping[int, str] | None = None,
) -> Table:
    """Returns a table with a row for each trial.

    Args:
        spec: The experiment.
        trials: Its rows.
        title: Above them.
        places: What stands in the place of a trial's reason, by its number.
    """
    places = places or {}
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("trial", justify="right")
    table.add_column("state")
    for metric in spec.objectives:
        table.add_column(Text(metric.name), justify="right")
    for parameter in spec.parameters:
        table.add_column(Text(parameter.name), justify="right")
    table.add_column("time", justify="right")
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for trial in trials:
        table.add_row(
            str(trial.number),
            Text(trial.state, style=_STYLES.get(trial.state, "")),
            *(Text(value_text((trial.values or {}).get(m.name))) for m in spec.objectives),
            *(Text(value_text(trial.assignments.get(p.name))) for p in spec.parameters),
            "" if trial.duration_s is None else f"{trial.duration_s:.1f} s",
            Text(places.get(trial.number) or trial.reason or ""),
        )
    return table


def value_text(value: Value | None) -> str:
    """Returns a parameter's or metric's value as people read it; empty for None."""
    return "" if value is None else number(value)


def assignments_text(trial: TrialRecord) -> str:
    """Returns the trial's parameters on one line."""
    return " ".join(f"{name}={value_text(v)}" for name, v in trial.assignments.items())


def values_text(spec: Experiment, trial: TrialRecord) -> str:
    """Returns the trial's objectives on one line."""
    values = trial.values or {}
    return " ".join(f"{m.name}={value_text(values.get(m.name))}" for m in spec.objectives)


def print_best(console: Console, spec: Experiment, trials: Sequence[TrialRecord]) -> None:
    """Prints the best trial or the Pareto front beside the defaults, and the gain over these."""
    best, reference = best_trials(spec, trials), default_trial(trials)
    if not best:
        console.print("no trial has completed")
        return
    title = "best trial" if len(spec.objectives) == 1 else "Pareto front"
    marks = {} if reference is None else {reference.number: "the defaults"}
    rows = [*best, *([reference] if reference is not None and reference not in best else [])]
    console.print(trial_table(spec, rows, title, marks))
    if len(confirmed(trials)) > 1:
        console.print(confirmation_table(spec, trials))
        return
    if reference is not None:
        for challenger in challengers(spec, trials):
            said = f"trial {challenger.number} beside the defaults: "
            said += ", ".join(_gains(spec, challenger, reference))
            console.print(f"{said}, once; `orchestrate confirm` runs both again", markup=False)


def _gains(spec: Experiment, trial: TrialRecord, reference: TrialRecord) -> Iterator[str]:
    """Yields `accuracy 3 % better` for each objective that both have."""
    for metric in spec.objectives:
        gained, other = gain(metric, trial, reference), objective_value(metric, reference)
        if gained is not None and other is not None:
            yield f"{metric.name} {improvement(gained, other)}"


def confirmation_table(spec: Experiment, trials: Sequence[TrialRecord]) -> Table:
    """Returns a table of the trials that were repeated: means, and gains over the defaults."""
    table = Table(
        title="by repeats alone, with standard errors",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for name in ("trial", "repeats"):
        table.add_column(name, justify="right")
    for metric in spec.objectives:
        table.add_column(Text(metric.name), justify="right")
        table.add_column("gain")
    for trial in confirmed(trials):
        texts = confirmed_texts(spec, trials, trial)
        table.add_row(
            f"{trial.number}", str(len(repeats(trials, trial.number))), *map(Text, texts),
            "the defaults" if trial.source == "default" else "",
        )  # fmt: skip
    return table
