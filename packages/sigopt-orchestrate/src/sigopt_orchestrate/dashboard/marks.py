"""The plots' alphabet: points, axes, colours and the text beside them.

Colours are the page's CSS variables, which its script resolves, so that plots follow light and
dark. Points carry trial numbers as `customdata`; the script shows each trial's `hover` text there.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from sigopt_orchestrate.dashboard.wording import number, shorten
from sigopt_orchestrate.lifecycle import TrialState
from sigopt_orchestrate.spec import Experiment, Metric, Value
from sigopt_orchestrate.store.records import TrialRecord

Figure = dict[str, Any]
"""A plotly figure, its `data` and `layout`, or a part of one."""

BEST = {"symbol": "diamond", "size": 11, "color": "var(--best)"} | {
    "line": {"width": 1, "color": "var(--surface)"}
}
DEFAULT = {"symbol": "circle-open", "size": 14, "color": "var(--text)", "line": {"width": 2}}
FAILED = {"symbol": "x-thin", "size": 8, "line": {"width": 2, "color": "var(--failed)"}}
LEGEND = {
    "showlegend": True,
    "legend": {
        "orientation": "h",
        "x": 0,
        "y": 1.02,
        "yanchor": "bottom",
        "itemsizing": "constant",
    },
    "margin": {"l": 64, "r": 16, "t": 36, "b": 48},
}
_HOVER_LINES = 24


def hover(spec: Experiment, trial: TrialRecord) -> str:
    """Returns what a plot shows of `trial` under the pointer."""
    values = trial.values or {}
    lines: list[tuple[str, Value | None]] = [
        (metric.name, values.get(metric.name)) for metric in spec.metrics
    ]
    lines += [(p.name, trial.assignments.get(p.name)) for p in spec.parameters]
    shown = [f"{label(k)} = {label(number(v))}" for k, v in lines if v is not None]
    if trial.state is not TrialState.COMPLETED:
        shown.insert(0, label(trial.reason or trial.state, 60))
    if len(shown) > _HOVER_LINES:
        shown[_HOVER_LINES:] = [f"and {len(shown) - _HOVER_LINES} more"]
    return "<br>".join([f"<b>Trial {trial.number}</b> {label(trial.source)}", *shown])


def label(text: str, length: int = 28) -> str:
    """Returns user text for plotly, which reads a little HTML in every text it draws."""
    return escape(shorten(text, length), quote=False)


def scatter(
    name: str, trials: Sequence[TrialRecord], x: Iterable[Any], y: Iterable[Any], **style: Any
) -> Figure:
    """Returns points for `trials` at `x` and `y`, in a plotly `style`."""
    numbers = [trial.number for trial in trials]
    points = {"x": list(x), "y": list(y), "customdata": numbers, "hoverinfo": "text"}
    return {"type": "scatter", "mode": "markers", "name": name} | points | style


def dot(trials: Sequence[TrialRecord]) -> Figure:
    """Returns the marker of an ordinary trial: smaller and fainter where there are many."""
    few = len(trials) <= 200
    return {"size": 8 if few else 5, "color": "var(--trial)", "opacity": 0.75 if few else 0.45}


def objective_axis(metric: Metric) -> Figure:
    """Returns the axis of an objective, which says which way is better."""
    return axis(f"{label(metric.name, 24)} ({metric.objective})") | {"automargin": True}


def axis(title: str) -> Figure:
    """Returns an axis with a title, which is escaped already."""
    return {
        "title": {"text": title, "standoff": 10},
        "gridcolor": "var(--grid)",
        "linecolor": "var(--grid)",
        "zerolinecolor": "var(--grid)",
    }


def layout(x: Figure, y: Figure) -> Figure:
    """Returns what all plots have in common, round two axes."""
    return {
        "xaxis": x,
        "yaxis": y,
        "autosize": True,
        "showlegend": False,
        "hovermode": "closest",
        "uirevision": "keep what the reader zoomed to when the colours change",
        "margin": {"l": 64, "r": 16, "t": 12, "b": 48},
        "font": {"color": "var(--text)", "size": 13},
        "paper_bgcolor": "var(--surface)",
        "plot_bgcolor": "var(--surface)",
        "hoverlabel": {
            "align": "left",
            "bgcolor": "var(--surface)",
            "bordercolor": "var(--muted)",
            "font": {"color": "var(--text)"},
        },
    }
