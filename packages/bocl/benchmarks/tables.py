"""From outcomes to the README's tables, between markers."""

from __future__ import annotations

from pathlib import Path

from streams import TABLES

from bocl.comparison import Outcomes, markdown

README = Path(__file__).parents[1] / "README.md"


def write_tables(outcomes: Outcomes) -> None:
    """Rewrites every table whose markers the README has and of which a cell was measured."""
    text = README.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        found = [outcomes.of(table.stream, rival.label) for rival in table.rivals]
        rows = [row for row in found if row]
        if rows:
            text = replaced(text, name, markdown(rows))
            print(f"\n{name}: {table.stream}\n\n{markdown(rows)}")
    README.write_text(text, encoding="utf-8")


def replaced(text: str, name: str, table: str) -> str:
    """Returns a text with another table between `<!-- name -->` and `<!-- /name -->`."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if start not in text or end not in text:
        return text
    before, rest = text.split(start, 1)
    return f"{before}{start}\n\n{table}\n\n{end}{rest.split(end, 1)[1]}"
