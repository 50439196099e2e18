"""The page: one HTML file without scripts or links, light or dark, for phone and desk."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from bocl.comparison import spread
from bocl.report import figures
from bocl.report.drawing import svg

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.figure import Figure

    from bocl.comparison import Outcome
    from bocl.report.facts import RunFacts

STYLE = """
:root { --ink:#1c2430; --paper:#fff; --card:#f5f7fa; --faint:#d8dee6; --accent:#1f5fa8 }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e6eaf0; --paper:#12161c; --card:#1b212a; --faint:#39424e; --accent:#7fb2e5 }
}
* { box-sizing:border-box }
body { margin:0 auto; padding:1.2rem; max-width:72rem; color:var(--ink); background:var(--paper);
  font:16px/1.5 system-ui,sans-serif }
h1 { font-size:1.5rem; margin:.2rem 0 1rem } h2 { font-size:1.1rem; margin:2rem 0 .4rem }
p { max-width:46rem; margin:.3rem 0 .8rem }
main { display:grid; gap:0 2.5rem;
  grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr)) }
.tiles,.whole { grid-column:1/-1 }
.tiles { display:grid; gap:.6rem; grid-template-columns:repeat(auto-fit,minmax(9rem,1fr)) }
.tile { background:var(--card); border-radius:.5rem; padding:.6rem .8rem }
.tile b { display:block; font-size:1.35rem; color:var(--accent) }
.figures { display:grid; gap:1rem;
  grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr)) }
.wide { overflow-x:auto }
svg { width:100%; height:auto; font-family:inherit } svg text { font-family:inherit }
table { border-collapse:collapse; font-size:.9rem; font-variant-numeric:tabular-nums }
th,td { padding:.25rem .7rem; border-bottom:1px solid var(--faint); text-align:right }
th:first-child,td:first-child,.name { text-align:left }
"""


def run_page(facts: RunFacts) -> str:
    """Returns the page of a run."""
    parts = [_tiles(facts), _section("Tasks", _table(*_task_rows(facts)), "", whole=True)]
    parts.append(
        _section(
            "Accuracy",
            _figures([("matrix", figures.accuracy_matrix(facts), "accuracy matrix")]),
            "Row i is measured after task i. Columns below the diagonal stay the same: what was "
            "learned does not change. Above it, a task's network is asked about tasks to come.",
        )
    )
    parts.append(
        _section(
            "Growth",
            _figures([("growth", figures.growth(facts), "new units per level and task")]),
            "New units per layer that each task was given by its search.",
        )
    )
    gates = figures.attention(facts)
    if gates is not None:
        parts.append(
            _section(
                "Attention",
                _figures([("attention", gates, "attention from task to task")]),
                "Mean gate on an earlier task's units over all layers: 1 is the identity that all "
                "gates start from, 0 means that nothing of that task is read.",
            )
        )
    parts.append(
        _section(
            "Accuracy against size",
            _figures([("size", figures.size(facts), "accuracy against size")]),
            "Mean accuracy of the tasks learned so far, and what all of them take to store.",
        )
    )
    searches = [
        (f"{kind}{task}", figure, f"{kind} of task {task}")
        for task in range(len(facts.records))
        for kind, draw in (("search", figures.surrogate), ("surface", figures.surface))
        if (figure := draw(facts, task)) is not None
    ]
    if searches:
        parts.append(
            _section(
                "Search",
                _figures(searches),
                "What the surrogate believes of every growth, by what it costs, with the numbered "
                f"trials. A growth as large as the first network must bring "
                f"{100 * facts.alpha:g} points to be worth it. Beside it the same by width, the "
                "trials framed in orange, the choice in green.",
                whole=True,
            )
        )
    return _page(facts.title, parts)


def comparison_page(title: str, rows: Sequence[Sequence[Outcome]]) -> str:
    """Returns the page of a comparison; each row's outcomes are one method's seeds."""
    head = ["method", "ACC %", "BWT", "parameters", "of base", "CPU s", "seeds"]
    body = [
        [
            outcomes[0].method,
            spread([100 * outcome.accuracy for outcome in outcomes]),
            spread([100 * outcome.backward for outcome in outcomes]),
            f"{np.mean([outcome.parameters for outcome in outcomes]):,.0f}",
            f"{np.mean([outcome.parameters / outcome.base for outcome in outcomes]):.2f}x",
            f"{np.mean([outcome.cpu_s for outcome in outcomes]):.1f}",
            str(len(outcomes)),
        ]
        for outcomes in rows
    ]
    drawn = _figures([("comparison", figures.comparison(rows), "accuracy against size")])
    return _page(
        title,
        [
            _section("Methods", _table(head, body), "", whole=True),
            _section("Accuracy against size", drawn, "", whole=True),
        ],
    )


def _tiles(facts: RunFacts) -> str:
    search = sum(record.search_seconds for record in facts.records)
    training = sum(record.training_seconds for record in facts.records)
    metrics = facts.metrics
    tiles = [
        (f"{100 * metrics.accuracy:.2f} %", "mean accuracy (ACC)"),
        (f"{100 * metrics.forgetting:.2f}", "forgetting, points"),
        (f"{100 * metrics.backward:.2f}", "backward transfer, points"),
        (f"{facts.parameters / facts.base:.2f}x", f"of one network's {facts.base:,} parameters"),
        (f"{sum(len(record.trials) for record in facts.records)}", "trials"),
        (f"{training:.0f} + {search:.0f} s", "CPU, training + search"),
    ]
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{value}</b>{name}</div>' for value, name in tiles)
        + "</div>"
    )


def _task_rows(facts: RunFacts) -> tuple[list[str], list[list[str]]]:
    head = ["task", "test %", "growth", "view", "parameters", "MACs", "trials", "CPU s"]
    body = [
        [
            f"{task} · {record.name}",
            f"{100 * facts.matrix[-1, task]:.2f}",
            str(record.growth),
            record.view,
            f"{record.parameters:,}",
            f"{record.macs:,}",
            str(len(record.trials)),
            f"{record.search_seconds + record.training_seconds:.1f}",
        ]
        for task, record in enumerate(facts.records)
    ]
    return head, body


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body
    )
    return f'<div class="wide"><table><tr>{cells}</tr>{rows}</table></div>'


def _figures(drawn: Iterable[tuple[str, Figure, str]]) -> str:
    inside = "".join(
        f"<div>{svg(figure, name, escape(text))}</div>" for name, figure, text in drawn
    )
    return f'<div class="figures">{inside}</div>'


def _section(title: str, content: str, text: str, *, whole: bool = False) -> str:
    """Returns a section; one that is not `whole` leaves room for another beside it."""
    words = f"<p>{escape(text)}</p>" if text else ""
    kind = "whole" if whole else "half"
    head = f"<h2>{escape(title)}</h2>"
    return f'<section class="{kind}">{head}{words}{content}</section>'


def _page(title: str, parts: Sequence[str]) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1><main>{''.join(parts)}</main></body></html>\n"
    )
