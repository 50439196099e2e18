"""Code blocks of the documentation: what they are, and what their pages say about running them.

usage: blocks.py                 (in the repository's root; prints docs/blocks.md)

`run_blocks.py` runs a page's blocks from top to bottom. A marker is an HTML comment right before a
block, which readers of the page do not see:

    <!-- not run: why -->        the block is left out, and docs/blocks.md says so
    <!-- not run: why. By hand: when, how long -->    and when somebody last ran it as written
    <!-- unseen: ... -->         Python, for what readers have of their own: a model, a file of data

A block, seen or not, whose first line is a comment with a file's name (`# train.py`) is that file.
One that is called `text output` is what the block before it prints, `...` for what may differ.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from markdown_it import MarkdownIt

Kind = Literal["python", "console", "shell", "file", "output", "unseen"]

_LANGUAGES: dict[str, Kind] = {
    "python": "python",
    "console": "console",
    "sh": "shell",
    "bash": "shell",
    "text output": "output",
    "unseen": "unseen",
}
_MARKER = re.compile(r"<!-- (not run|unseen):\s(.*?)\s?-->\s*", re.DOTALL)
_FILE = re.compile(r"# (?P<name>[\w-]+\.(?:py|ya?ml|csv))$")
_BY_HAND = ". By hand: "
_PAGES = ("*.md", "docs/**/*.md", "examples/*.md", "packages/*/README.md", "packages/*/docs/*.md")
_LIST = "docs/blocks.md"


class PageError(Exception):
    """What is wrong with a page, as one sentence that begins with its name and line."""


@dataclass(frozen=True)
class Block:
    """A block that means something to whoever runs the page.

    Attributes:
        line: The page's line on which its first line stands, from 1.
        text: What stands in it.
        why_not: Why it is not run; empty where it is.
        by_hand: When it was last run by hand all the same, and how long that took.
        file: The file that it is, for the kind `file`.
    """

    kind: Kind
    line: int
    text: str
    why_not: str = ""
    by_hand: str = ""
    file: str = ""


def pages(root: Path) -> list[Path]:
    """Returns the pages of the repository at `root` whose blocks count, sorted."""
    found = {path for pattern in _PAGES for path in root.glob(pattern)}
    return sorted(path for path in found if path != root / _LIST)


def read_blocks(page: Path) -> list[Block]:
    """Returns the blocks of a page in order.

    Raises:
        PageError: A marker stands before no block, or an output after none.
    """
    found: list[Block] = []
    marks: dict[str, str] = {}
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.map is None or token.nesting < 0 or token.type.endswith("list_open"):
            continue
        line = token.map[0] + 1
        marker = _MARKER.fullmatch(token.content) if token.type == "html_block" else None
        if marker is not None and marker[1] == "unseen":
            found += _block("unseen", line + 1, marker[2] + "\n", {})
        elif marker is not None:
            marks[marker[1]] = " ".join(marker[2].split())
        elif token.type == "fence":
            found += _block(token.info.strip(), line + 1, token.content, marks)
            marks = {}
        elif marks and token.type != "html_block":
            raise PageError(f"{page}:{line}: the marker before this line stands before no block.")
    if marks:
        raise PageError(f"{page}: the last marker stands before no block.")
    if found and found[0].kind == "output":
        raise PageError(f"{page}:{found[0].line}: this output stands after no block.")
    return found


def _block(info: str, line: int, text: str, marks: dict[str, str]) -> Iterator[Block]:
    first, _, rest = text.partition("\n")
    named = _FILE.match(first)
    kind: Kind | None = "file" if named else _LANGUAGES.get(info)
    if kind is not None:
        why_not, _, by_hand = marks.get("not run", "").partition(_BY_HAND)
        text, file = (rest, named["name"]) if named else (text, "")
        yield Block(kind, line, text, why_not, by_hand, file)


def left_out(root: Path) -> list[tuple[str, Block]]:
    """Returns the blocks that are not run, each with its page's path."""
    return [
        (page.relative_to(root).as_posix(), block)
        for page in pages(root)
        for block in read_blocks(page)
        if block.why_not
    ]


def describe(root: Path) -> str:
    """Returns docs/blocks.md: every block that is left out, with the reason."""
    lines = [
        "# Blocks that are not run",
        "",
        "Every `python`, `console`, `sh` and `bash` block of this site and of the READMEs is run",
        "in CI, page by page and from top to bottom, in an empty folder (`pytest tools`), but for",
        "these. *By hand* says when a block was last run as it stands, in an empty folder and a",
        "fresh environment with the packages installed as their READMEs say; other work on the two",
        "cores makes its seconds an upper bound. `python tools/blocks.py > docs/blocks.md` writes",
        "this page from the markers in the pages, and a test holds it to them.",
    ]
    shown = ""
    for page, block in left_out(root):
        if page != shown:
            head = "| block begins with | why it is left out | by hand |"
            lines += ["", f"## {page}", "", head, "| --- | --- | --- |"]
            shown = page
        first = block.text.strip().partition("\n")[0].replace("|", "\\|")
        lines.append(f"| `{first}` | {block.why_not} | {block.by_hand} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(describe(Path.cwd()), end="")
