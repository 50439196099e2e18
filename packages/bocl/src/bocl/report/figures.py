"""The figures of a run's page: accuracy, growth, attention, search, size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from bocl.report.drawing import BLUE, GREEN, GREY, INK, ORANGE, SEQUENCE, heat, new_figure
from bocl.search.pareto import pareto_front

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bocl.comparison import Outcome
    from bocl.growth import Growth
    from bocl.report.facts import RunFacts

CROWD = 400  # growths of a landscape that are drawn
DEPTH = 15.0  # points below the best that a search's figure shows


def accuracy_matrix(facts: RunFacts) -> Figure:
    """Returns R in percent: row i after task i, column j on task j."""
    tasks = len(facts.records)
    size = max(3.2, 0.42 * tasks + 1.4)
    figure, axes = new_figure(size, size * 0.85)
    values = 100 * facts.matrix
    heat(axes, values, low=min(50.0, float(np.nanmin(np.diag(values)))), high=100, label="{:.1f}")
    axes.set_xticks(range(tasks), [str(task) for task in range(tasks)])
    axes.set_yticks(range(tasks), [str(task) for task in range(tasks)])
    axes.set_xlabel("test accuracy (%) on task")
    axes.set_ylabel("after learning task")
    return figure


def growth(facts: RunFacts) -> Figure:
    """Returns bars of new units per level and task."""
    tasks, levels = len(facts.records), len(facts.levels)
    figure, axes = new_figure(max(3.6, 0.45 * tasks + 1.6), 2.6)
    width = 0.8 / levels
    tallest = max(max(record.growth.widths) for record in facts.records)
    for level, name in enumerate(facts.levels):
        heights = [record.growth.widths[level] for record in facts.records]
        places = np.arange(tasks) + (level - (levels - 1) / 2) * width
        axes.bar(places, heights, width * 0.92, color=SEQUENCE[level], label=name)
    for task, record in enumerate(facts.records):
        if record.growth.none:
            axes.text(task, tallest * 0.03, "none", ha="center", fontsize=7)
    axes.set_yscale("symlog", base=2, linthresh=1)
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.set_xticks(range(tasks))
    axes.set_xlabel("task")
    axes.set_ylabel("new units")
    axes.legend(fontsize=7, ncols=levels, loc="upper right", frameon=False)
    return figure


def attention(facts: RunFacts) -> Figure | None:
    """Returns the mean gate of each task on each earlier one's units, None if nothing is read.

    1 is the identity every gate starts from, 0 means that nothing of that task is read.
    """
    tasks = len(facts.records)
    values = np.full((tasks, tasks), np.nan)
    for task, record in enumerate(facts.records):
        for source in range(task):
            gates = [level[source] for level in record.attention if source < len(level)]
            if gates:
                values[task, source] = np.mean(gates)
    if np.isnan(values).all():
        return None
    size = max(3.0, 0.42 * tasks + 1.2)
    figure, axes = new_figure(size, size * 0.85)
    shown = values[1:, :-1]
    heat(axes, shown, low=0.0, high=max(1.0, float(np.nanmax(shown))), label="{:.2f}")
    axes.set_xticks(range(tasks - 1), [str(task) for task in range(tasks - 1)])
    axes.set_yticks(range(tasks - 1), [str(task) for task in range(1, tasks)])
    axes.set_xlabel("features of task")
    axes.set_ylabel("are read by task")
    return figure


def surrogate(facts: RunFacts, task: int) -> Figure | None:
    """Returns a task's search: what the model believes of each growth by its cost, and the trials.

    None for a task without a search.
    """
    record = facts.records[task]
    costs = record.costs
    if not record.trials:
        return None
    figure, axes = new_figure(3.6, 2.7)
    if record.deviations:
        _belief(axes, facts, task)
    axes.scatter(
        [trial.cost for trial in record.trials],
        [100 * trial.accuracy for trial in record.trials],
        s=22,
        color=ORANGE,
        zorder=3,
        label="trials",
    )
    for number, trial in enumerate(record.trials, start=1):
        axes.annotate(
            str(number),
            (trial.cost, 100 * trial.accuracy),
            xytext=(3, 3),
            textcoords="offset points",
            fontsize=6,
        )
    chosen = record.growth
    if chosen in costs:
        axes.scatter(
            [costs[chosen]],
            [100 * record.landscape[chosen]],
            s=90,
            marker="*",
            color=GREEN,
            zorder=4,
            label=f"chosen: {chosen}",
        )
    axes.set_xlabel("cost (share of the first network)")
    axes.set_ylabel("validation accuracy (%)")
    axes.set_title(f"task {task}: {record.name}")
    axes.legend(fontsize=7, loc="lower right", frameon=False)
    return figure


def _belief(axes: Axes, facts: RunFacts, task: int) -> None:
    """Draws posterior means with two deviations, the front, and the line of equal objective."""
    record = facts.records[task]
    costs = record.costs
    growths: list[Growth] = sorted(record.landscape, key=lambda growth: costs[growth])
    drawn = growths[:: max(1, len(growths) // CROWD)]
    means = np.array([100 * record.landscape[growth] for growth in drawn])
    spread = np.array([200 * record.deviations.get(growth, 0.0) for growth in drawn])
    places = [costs[growth] for growth in drawn]
    axes.errorbar(
        places, means, spread, fmt="none", ecolor=BLUE, alpha=0.12, elinewidth=1, zorder=1
    )
    axes.scatter(places, means, s=3, color=BLUE, alpha=0.6, zorder=2, label="model, ± 2 deviations")
    front = pareto_front(record.landscape, lambda growth: costs[growth])
    axes.plot(
        [cost for _, cost, _ in front],
        [100 * accuracy for _, _, accuracy in front],
        color=BLUE,
        linewidth=1.2,
        zorder=2,
        label="front",
    )
    best = 100 * max(record.landscape.values())
    axes.set_ylim(max(0.0, best - DEPTH), min(100.5, best + DEPTH / 5))


def surface(facts: RunFacts, task: int) -> Figure | None:
    """Returns what a task's model believes over the widths of the first and the last level.

    Each cell is the best posterior mean over the levels between; growths that reuse earlier
    features only. None for a task without a model.
    """
    record = facts.records[task]
    if not record.deviations or len(facts.levels) < 2:
        return None
    cells: dict[tuple[int, int], float] = {}
    for growth, mean in record.landscape.items():
        place = (growth.widths[0], growth.widths[-1])
        if growth.reuse:
            cells[place] = max(cells.get(place, 0.0), 100 * mean)
    first, last = (sorted({place[axis] for place in cells}) for axis in (0, 1))
    values = np.full((len(first), len(last)), np.nan)
    for (low, high), mean in cells.items():
        values[first.index(low), last.index(high)] = mean
    figure, axes = new_figure(3.6, 2.7)
    best = float(np.nanmax(values))
    heat(axes, values, low=best - DEPTH, high=best, label="{:.1f}", small=5)
    for trial in record.trials:
        _mark(axes, first, last, trial.growth, ORANGE)
    _mark(axes, first, last, record.growth, GREEN)
    axes.set_xticks(range(len(last)), [str(width) for width in last])
    axes.set_yticks(range(len(first)), [str(width) for width in first])
    axes.set_xlabel(f"new units, {facts.levels[-1]}")
    axes.set_ylabel(f"new units, {facts.levels[0]}")
    axes.set_title(f"task {task}: validation accuracy (%)")
    return figure


def _mark(axes: Axes, first: list[int], last: list[int], growth: Growth, colour: str) -> None:
    if growth.reuse and growth.widths[0] in first and growth.widths[-1] in last:
        place = (last.index(growth.widths[-1]) - 0.46, first.index(growth.widths[0]) - 0.46)
        frame = Rectangle(place, 0.92, 0.92, fill=False, edgecolor=colour, linewidth=1.8)
        axes.add_patch(frame)


def size(facts: RunFacts) -> Figure:
    """Returns the mean test accuracy of all tasks so far against all parameters so far."""
    figure, axes = new_figure(4.2, 2.7)
    totals = np.cumsum([record.parameters for record in facts.records]) / facts.base
    means = [100 * float(facts.matrix[t, : t + 1].mean()) for t in range(len(facts.records))]
    axes.plot(totals, means, color=BLUE, marker="o", markersize=4)
    for task, (total, mean) in enumerate(zip(totals, means, strict=True)):
        axes.annotate(
            str(task), (total, mean), xytext=(3, 4), textcoords="offset points", fontsize=7
        )
    axes.set_xlabel("stored parameters (times one plain network)")
    axes.set_ylabel("mean accuracy so far (%)")
    axes.grid(visible=True, linewidth=0.5)
    return figure


def comparison(rows: Sequence[Sequence[Outcome]]) -> Figure:
    """Returns accuracy against size, a point per method with its deviation over seeds."""
    figure, axes = new_figure(5.4, 3.4)
    for number, outcomes in enumerate(rows):
        accuracies = [100 * outcome.accuracy for outcome in outcomes]
        ratios = [outcome.parameters / outcome.base for outcome in outcomes]
        place = (float(np.mean(ratios)), float(np.mean(accuracies)))
        axes.errorbar(
            [place[0]],
            [place[1]],
            [np.std(accuracies)],
            fmt="o",
            markersize=6,
            color=SEQUENCE[number % len(SEQUENCE)],
        )
        axes.annotate(
            outcomes[0].method, place, xytext=(6, 4), textcoords="offset points", fontsize=7
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="x", which="minor", labelsize=7, colors=GREY)
    axes.set_xlabel("stored parameters (times one plain network)", color=INK)
    axes.set_ylabel("ACC (%)")
    axes.grid(visible=True, linewidth=0.5)
    return figure
