"""Tables as Markdown, and their places in the package's README."""

import re
from collections.abc import Sequence
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def verdict(reached: bool) -> str:
    """Returns the word that says whether a target was reached."""
    return "reached" if reached else "**missed**"


def write(name: str, text: str, readme: Path = README) -> None:
    """Puts `text` between the README's markers `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`.

    Raises:
        ValueError: The README has no such markers.
    """
    before = readme.read_text(encoding="utf-8")
    start, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    place = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if not place.search(before):
        raise ValueError(f"{readme} has no markers {start} and {end}")
    after = place.sub(lambda _: f"{start}\n{text}\n{end}", before)
    partial = readme.with_name(f".{readme.name}.partial")
    partial.write_text(after, encoding="utf-8")
    partial.replace(readme)
