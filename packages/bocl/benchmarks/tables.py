"""From what was measured to the README's tables, from `<!-- B2 -->` to `<!-- /B2 -->`."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from streams import TABLES

from bocl.comparison import markdown, spread

if TYPE_CHECKING:
    from bocl.comparison import Outcome, Outcomes

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
LANDSCAPE, THROUGHPUT = HERE / "landscape.json", HERE / "throughput.json"


def write_tables(outcomes: Outcomes) -> None:
    """Prints every table of which something was measured, and puts it where the README has it."""
    text = README.read_text(encoding="utf-8")
    for name, table in tables(outcomes).items():
        print(f"\n{name}\n\n{table}")
        text = replaced(text, name, table)
    README.write_text(text, encoding="utf-8")


def tables(outcomes: Outcomes) -> dict[str, str]:
    """Returns the measured tables, as Markdown, by name."""
    found = {}
    for name, table in TABLES.items():
        rows = [outcomes.of(table.stream, rival.label) for rival in table.rivals]
        if any(rows):
            found[name] = markdown([row for row in rows if row])
    found["B6"] = search_cost(outcomes)
    if LANDSCAPE.exists() and "regrets" in (measured := json.loads(LANDSCAPE.read_text())):
        found["B6"] += "\n\n" + regret(measured["regrets"])
    if len((routed := without_task_ids(outcomes)).splitlines()) > 2:
        found["B7"] = routed
    if THROUGHPUT.exists():
        found["B8"] = throughput(json.loads(THROUGHPUT.read_text()))
    return found


def search_cost(outcomes: Outcomes) -> str:
    """Returns search and training beside plain trainings of separate networks, in CPU seconds."""
    lines = [
        "| stream | search | training | both | separate networks | ratio | trials | seeds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for table in TABLES.values():
        ours, plain = (outcomes.of(table.stream, label) for label in ("BOCL", "separate"))
        if not ours or not plain:
            continue
        search = fmean(outcome.facts["search_s"] for outcome in ours)
        training = fmean(outcome.facts["training_s"] for outcome in ours)
        rival = fmean(outcome.cpu_s for outcome in plain)
        trials = ", ".join(map(str, ours[-1].facts["trials"]))
        lines.append(
            f"| {table.stream} | {search:.0f} | {training:.0f} | {search + training:.0f} "
            f"| {rival:.0f} | {(search + training) / rival:.2f} | {trials} | {len(ours)} |"
        )
    return "\n".join(lines)


def without_task_ids(outcomes: Outcomes) -> str:
    """Returns what is right when nobody tells the task, in percent."""
    lines = [
        "| stream | method | task inferred | label, task inferred | task and label | seeds |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for table in TABLES.values():
        for rival in table.rivals:
            row = outcomes.of(table.stream, rival.label)
            if row and "class_incremental" in row[0].facts:
                cells = (
                    _percent(row, fact)
                    for fact in ("task_inference", "without_task", "class_incremental")
                )
                lines.append(
                    f"| {table.stream} | {rival.label} | {' | '.join(cells)} | {len(row)} |"
                )
    return "\n".join(lines)


def _percent(row: list[Outcome], fact: str) -> str:
    values = [100 * outcome.facts[fact] for outcome in row if fact in outcome.facts]
    return spread(values) if values else "-"


def regret(measured: dict[str, Any]) -> str:
    """Returns each searcher's regret on the measured landscape."""
    lines = [
        "| searcher | trials used | regret, points | worst of 20 |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, values in measured.items():
        if f"{name} used" in measured:
            used = fmean(measured[f"{name} used"])
            lines.append(f"| {name} | {used:.1f} | {spread(values)} | {max(values):.2f} |")
    return "\n".join(lines)


def throughput(measured: dict[str, float]) -> str:
    """Returns images per CPU second of each loop, and ours as a multiple."""
    ours = measured["bocl"]
    lines = ["| loop | images / CPU s | bocl is faster by |", "| --- | ---: | ---: |"]
    lines += [
        f"| {name} | {speed:,.0f} | {ours / speed:.1f}x |" for name, speed in measured.items()
    ]
    return "\n".join(lines)


def replaced(text: str, name: str, table: str) -> str:
    """Returns a text with another table between its markers; without markers, the text itself."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if start not in text or end not in text:
        return text
    before, rest = text.split(start, 1)
    return f"{before}{start}\n\n{table}\n\n{end}{rest.split(end, 1)[1]}"
