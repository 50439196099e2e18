"""Figures that a page quotes from a package: do they still stand there, and at the commit named?

usage: figures.py     (in the repository's root; prints every row with the commits that it may name)

A page says before a table where its figures are from, in a comment that readers do not see:

    <!-- figures from: packages/cmn/README.md -->

What stands in a column called `ours`, `peers` or `figure` is held against that file, in pieces
parted by semicolons: all numbers of a piece must stand in one line of the file, and of the file as
it was at one of the commits in the column `commit`.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGES = ("README.md", "docs/claims.md")
_QUOTED = {"ours", "peers", "figure"}
_MARKER = re.compile(r"<!-- figures from: (\S+) -->")
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?|(?<![\w.])\.\d+")


@dataclass(frozen=True)
class Piece:
    """Numbers that belong together, with the place that quotes them and the file that has them."""

    place: str
    text: str
    source: str
    commits: tuple[str, ...]

    @property
    def numbers(self) -> frozenset[float]:
        """What has to stand in one line of the source."""
        return _numbers(self.text)


@cache
def _numbers(text: str) -> frozenset[float]:
    return frozenset(float(found.replace(",", "")) for found in _NUMBER.findall(text))


def read_pieces(root: Path, page: str) -> Iterator[Piece]:
    """Yields what the tables of a page quote.

    Raises:
        ValueError: A table that names its source has no column to quote in.
    """
    source, heads = "", list[str]()
    for number, line in enumerate((root / page).read_text(encoding="utf-8").splitlines(), start=1):
        if marker := _MARKER.fullmatch(line):
            source, heads = marker[1], []
        elif source and line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not heads:
                heads = cells
                if not _QUOTED & set(heads):
                    raise ValueError(f"{page}:{number}: no column is called {sorted(_QUOTED)}.")
                continue
            row = dict(zip(heads, cells, strict=True))
            commits = tuple(re.findall(r"\b[0-9a-f]{7,40}\b", row.get("commit", "")))
            for head in heads:
                for text in row[head].split(";") if head in _QUOTED else ():
                    if _numbers(text):
                        yield Piece(f"{page}:{number}", text.strip(), source, commits)
        elif heads:
            source = ""


def stands_in(piece: Piece, text: str) -> bool:
    """Tells whether one line of `text` has all numbers of the piece."""
    return any(piece.numbers <= _numbers(line) for line in text.splitlines())


@cache
def _at(root: Path, commit: str, path: str) -> str:
    command = ["git", "show", f"{commit}:{path}"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def stale(root: Path, page: str, *, history: bool) -> list[str]:
    """Returns a sentence for each piece that its source does not have.

    Args:
        root: The repository.
        page: The page that quotes.
        history: Whether to look at the commits that rows name, too.
    """
    found = []
    for piece in read_pieces(root, page):
        if not stands_in(piece, (root / piece.source).read_text(encoding="utf-8")):
            found.append(f"{piece.place}: no line of {piece.source} has {piece.text!r}.")
        elif history and piece.commits:
            texts = (_at(root, commit, piece.source) for commit in piece.commits)
            if not any(stands_in(piece, text) for text in texts):
                named = " or ".join(piece.commits)
                found.append(
                    f"{piece.place}: {piece.source} did not have {piece.text!r} at {named}."
                )
    return found


def recorded(root: Path, piece: Piece) -> str:
    """Returns the first of the commits since which the source has the piece, or an empty string."""
    command = ["git", "log", "--format=%h", "--", piece.source]
    log = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    since = ""
    for commit in log.split():
        if not stands_in(piece, _at(root, commit, piece.source)):
            break
        since = commit
    return since


def main() -> None:
    """Prints each piece with the commit that recorded it."""
    root = Path.cwd()
    for page in PAGES:
        for piece in read_pieces(root, page):
            print(f"{piece.place}: {recorded(root, piece) or '-------'} {piece.text}")


if __name__ == "__main__":
    main()
