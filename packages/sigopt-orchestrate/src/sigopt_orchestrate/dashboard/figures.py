"""The plots, as the plain values that plotly.js draws."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sigopt_orchestrate.dashboard.analysis import (
    best_so_far,
    best_trials,
    comparable,
    default_trial,
    objective_value,
)
from sigopt_orchestrate.dashboard.marks import (
    BEST,
    DEFAULT,
    FAILED,
    LEGEND,
    Figure,
    axis,
    dot,
    label,
    layout,
    objective_axis,
    scatter,
)
from sigopt_orchestrate.dashboard.scales import scale
from sigopt_orchestrate.dashboard.wording import shorten
from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.spec import Experiment, Metric, Parameter
from sigopt_orchestrate.store.records import TrialRecord

MOST_LINES = 300
"""How many trials parallel coordinates show beside the best."""


def progress(spec: Experiment, metric: Metric, trials: Sequence[TrialRecord]) -> Figure:
    """Returns every trial's `metric` in the order of the trials, and the best so far as a step."""
    step = {
        "type": "scatter",
        "mode": "lines",
        "name": "best so far",
        "x": [trial.number for trial in trials],
        "y": best_so_far(spec, metric, trials),
        "line": {"shape": "hv", "width": 2.5, "color": "var(--best)"},
        "hoverinfo": "skip",
    }
    x = axis("trial") | {"zeroline": False, "range": [0, max(t.number for t in trials) + 1]}
    if len(trials) < 10:
        x["dtick"] = 1
    figure = _against(spec, metric, trials, lambda trial: trial.number, x)
    figure["data"].insert(0, step)
    figure["layout"] |= LEGEND
    return figure


def front(spec: Experiment, trials: Sequence[TrialRecord]) -> Figure:
    """Returns the two objectives against each other with their Pareto front as a step."""
    first, second = spec.objectives
    best, reference = best_trials(spec, trials), default_trial(trials)

    def points(name: str, chosen: Iterable[TrialRecord], **style: Any) -> Figure:
        held = comparable(spec, chosen)
        xs, ys = ([objective_value(metric, t) for t in held] for metric in (first, second))
        return scatter(name, held, xs, ys, **style)

    steps = {"mode": "lines+markers", "line": {"shape": "hv", "color": "var(--best)", "width": 2}}
    chosen = {trial.number for trial in best}
    return {
        "data": [
            points("trial", (t for t in trials if t.number not in chosen), marker=dot(trials)),
            points("Pareto front", best, marker=BEST, **steps),
            points("defaults", [reference] if reference else [], marker=DEFAULT, cliponaxis=False),
        ],
        "layout": layout(objective_axis(first), objective_axis(second)) | LEGEND,
    }


def slice_of(
    spec: Experiment, metric: Metric, parameter: Parameter, trials: Sequence[TrialRecord]
) -> Figure:
    """Returns `metric` against the values of one parameter; categories are spread into strips."""
    places = scale(parameter)
    margin = 0.6 if places.categories else 0.04 * (places.high - places.low)
    x = axis(label(parameter.name, 40)) | {"zeroline": False}
    x["range"] = [places.low - margin, places.high + margin]
    if places.log:
        x["type"] = "log"
    if places.ticks:
        x["tickvals"] = [10**tick if places.log else tick for tick, _ in places.ticks]
        x["ticktext"] = [label(text, 14) for _, text in places.ticks]
    crowded = sum(len(text) + 2 for text in x.get("ticktext", ())) > 40
    if crowded:
        x["tickangle"] = -40

    trials = [trial for trial in trials if parameter.name in trial.assignments]

    def place(trial: TrialRecord) -> Any:
        value = trial.assignments[parameter.name]
        if not places.categories:
            return value
        # Multiples of the golden ratio spread consecutive trials evenly over the strip.
        return places.position(value) + 0.5 * (trial.number * 0.618034 % 1 - 0.5)

    figure = _against(spec, metric, trials, place, x)
    if crowded:
        figure["layout"]["margin"] = figure["layout"]["margin"] | {"b": 110}
    del figure["layout"]["yaxis"]["title"]  # the section's heading says it for all slices
    return figure


def parallel(spec: Experiment, trials: Sequence[TrialRecord]) -> Figure:
    """Returns one line a completed trial through every parameter and objective.

    Lines are coloured by their rank in the first objective, so that one outlier does not take the
    whole colour scale, and `best_trials` apart. Of many trials an even sample of the ranks
    is drawn, and all `best_trials`: thousands of lines would only cover each other.
    """
    objective, best = spec.objectives[0], best_trials(spec, trials)
    chosen = {trial.number for trial in best}
    others = [trial for trial in comparable(spec, trials) if trial.number not in chosen]
    others.sort(key=lambda trial: objective.sign * (objective_value(objective, trial) or 0.0))
    lines = [*others[:: math.ceil(len(others) / MOST_LINES) or 1], *best]
    dimensions = []
    for parameter in spec.parameters:
        at = scale(parameter)
        places = [
            at.position(trial.assignments[parameter.name])
            if parameter.name in trial.assignments  # it may count only for some values of others
            else None
            for trial in lines
        ]
        axis_of = _dimension(f"p.{parameter.name}", places, (at.low, at.high), at.ticks)
        dimensions.append(axis_of | {"log": at.log, "categories": list(at.categories)})
    for metric in spec.objectives:
        values = [objective_value(metric, trial) or 0.0 for trial in lines]
        low, high = min(values), max(values)
        room = 0.0 if low < high else abs(low) / 10 or 1.0
        ends = (low - room, high + room)
        dimensions.append(_dimension(f"m.{metric.name}", list(values), ends))
    ranks = [1.0 if t.number in chosen else 0.9 * i / len(lines) for i, t in enumerate(lines)]
    colours = [[0.3 * i, f"var(--scale-{i})"] for i in range(4)]
    colours += [[0.95, "var(--scale-3)"], [0.95, "var(--best)"], [1, "var(--best)"]]
    lines_drawn = {"dimensions": dimensions, "ranks": ranks, "scale": colours}
    numbers = [trial.number for trial in lines]
    return {"data": [{"type": "parallel", "trials": numbers, **lines_drawn}], "layout": {}}


def importance(shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """Returns the share of each parameter in the spread of each metric as bars.

    Args:
        shares: By metric and parameter, the first metric's in the order to show, largest first.
    """
    order = list(next(iter(shares.values()), {}))[::-1]
    colours = ("var(--trial)", "var(--best)")
    bars: list[Figure] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": label(metric),
            "x": [by.get(name, 0.0) for name in order],
            "y": [label(name) for name in order],
            "marker": {"color": colours[index % 2]},
            "hovertemplate": "%{y}: %{x:.1%}<extra></extra>",
        }
        for index, (metric, by) in enumerate(shares.items())
    ]
    x = axis("share of the spread that it explains") | {"tickformat": ".0%", "rangemode": "tozero"}
    y = axis("") | {"automargin": True, "type": "category"}
    grouped = layout(x, y) | {"barmode": "group", "bargap": 0.35}
    figure: Figure = {"data": bars, "layout": grouped}
    if len(shares) > 1:
        figure["layout"] |= LEGEND
    return figure


def _dimension(
    key: str,
    values: list[float | None],
    ends: tuple[float, float],
    ticks: tuple[tuple[float, str], ...] = (),
) -> Figure:
    """One axis of the parallel coordinates, with the page's choice of ticks where none are given.

    Args:
        key: `p.` or `m.` and the parameter's or the metric's name.
        values: The position of each line on the axis; None where it does not cross it.
        ends: The positions of the axis's ends.
        ticks: Positions to label, with their labels.
    """
    dimension = {"key": key, "label": shorten(key[2:], 18), "values": values, "range": list(ends)}
    if ticks:
        dimension["tickvals"] = [position for position, _ in ticks]
        dimension["ticktext"] = [shorten(text, 14) for _, text in ticks]
    return dimension


def _against(
    spec: Experiment,
    metric: Metric,
    trials: Sequence[TrialRecord],
    place: Callable[[TrialRecord], Any],
    x: Figure,
) -> Figure:
    """Completed trials by `metric`, failed ones along the bottom, the best and the defaults."""
    best, reference = best_trials(spec, trials), default_trial(trials)

    def points(name: str, chosen: Iterable[TrialRecord], **style: Any) -> Figure:
        held = [t for t in chosen if objective_value(metric, t) is not None]
        return scatter(
            name, held, map(place, held), (objective_value(metric, t) for t in held), **style
        )

    failed = [trial for trial in trials if trial.state is TrialState.FAILED]
    crosses = scatter("failed", failed, map(place, failed), [0] * len(failed), marker=FAILED)
    name = "best" if len(spec.objectives) == 1 else "Pareto front"
    # An axis of its own keeps the crosses at the bottom whatever the first one is zoomed to.
    bottom = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    return {
        "data": [
            points("trial", trials, marker=dot(trials)),
            crosses | {"yaxis": "y2", "cliponaxis": False},
            points("defaults", [reference] if reference else [], marker=DEFAULT, cliponaxis=False),
            points(name, best, marker=BEST, cliponaxis=False),
        ],
        "layout": layout(x, objective_axis(metric)) | {"yaxis2": bottom},
    }
