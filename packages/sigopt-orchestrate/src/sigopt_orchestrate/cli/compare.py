"""`orchestrate compare`: experiments side by side."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from sigopt_orchestrate.cli.options import NUMBER, home_option, json_option, store_option
from sigopt_orchestrate.cli.tables import open_console, value_text
from sigopt_orchestrate.cli.views import print_json, trial_view
from sigopt_orchestrate.dashboard import best_trials
from sigopt_orchestrate.dashboard.analysis import best_so_far, objective_value, wall_time_s
from sigopt_orchestrate.dashboard.wording import duration
from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.spec import Metric
from sigopt_orchestrate.store import ExperimentRecord, Store, TrialRecord


@click.command("compare")
@click.argument("experiments", nargs=-1, required=True, type=NUMBER)
@click.option("--metric", help="Of which metric [default: the first objective of the first].")
@home_option
@store_option
@json_option
def compare_command(
    experiments: tuple[int, ...],
    *,
    metric: str | None,
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Show EXPERIMENTS side by side: the best of one metric, and after how many trials.

    Also shows the best after as many observations as the smallest of them has, so that a larger
    budget is no advantage.
    """
    store = Store.existing(home, url)
    records = [store.experiment(number) for number in experiments]
    if metric is None and not records[0].spec.objectives:
        raise StoreError(f"experiment {records[0].id} is a single run; give --metric")
    name = metric or records[0].spec.objectives[0].name
    held = [(record, store.trials(record.id)) for record in records]
    fair = min(sum(trial.state.observed for trial in trials) for _, trials in held)
    views = [_view(store, record, trials, name, fair) for record, trials in held]
    if as_json:
        print_json({"metric": name, "observations": fair, "experiments": views})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("id", "name", "observed", f"best {name}", "at trial", f"best of {fair}", "time"):
        table.add_column(Text(title), justify="left" if title == "name" else "right")
    for view in views:
        best = view["best"]
        table.add_row(
            str(view["id"]),
            Text(view["name"]),
            f"{view['observed']}/{view['budget']}",
            value_text(view["best_value"]),
            "" if best is None else str(best["number"]),
            value_text(view["best_of_first"]),
            duration(view["wall_s"]),
        )
    open_console().print(table)


def _view(
    store: Store, record: ExperimentRecord, trials: list[TrialRecord], name: str, fair: int
) -> dict[str, Any]:
    metric = _metric(record, name)
    others = tuple(m for m in record.spec.metrics if m.strategy == "constraint")
    alone = record.spec.model_copy(update={"metrics": (metric, *others)})
    best = best_trials(alone, trials)
    observed = sorted(
        (trial for trial in trials if trial.state.observed), key=lambda t: t.ended_at or 0.0
    )
    first = best_so_far(alone, metric, observed[:fair])
    folder = store.home.experiment(record.id)
    return {
        "id": record.id,
        "name": record.spec.name,
        "observed": len(observed),
        "budget": record.spec.budget,
        "best_value": objective_value(metric, best[0]) if best else None,
        "best": trial_view(record, best[0], folder) if best else None,
        "best_of_first": first[-1] if first else None,
        "wall_s": wall_time_s(record, trials),
    }


def _metric(record: ExperimentRecord, name: str) -> Metric:
    for metric in record.spec.metrics:
        if metric.name == name:
            return metric.model_copy(update={"strategy": "optimize"})
    known = ", ".join(metric.name for metric in record.spec.metrics)
    raise StoreError(f"experiment {record.id} has no metric {name!r}; it has {known or 'none'}")
