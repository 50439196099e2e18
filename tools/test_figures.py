"""What the front page quotes stands in the packages, now and at the commits that it names."""

import subprocess
from pathlib import Path

import figures
import pytest

ROOT = Path(__file__).parents[1]
PAGE = """
<!-- figures from: source.md -->

| what | ours | peers | commit |
| --- | --- | --- | --- |
| steps per CPU second, of 9 | **1,200 (.5)** | one 3.1e-05, 7; another, BPR 175: 8 | {commit} |

| year | ours |
| --- | --- |
| 2026 | 11 |
"""
SOURCE = "ours 1200 and 0.50 of 4\none: 7, 3.1e-05\nBPR 175: 8.0\n"


def git(folder: Path, *arguments: str) -> str:
    """Run git, and return what it printed."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository whose page quotes its source, and names the commit that has it."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for text in ("nothing yet\n", SOURCE, SOURCE + "more\n"):
        (tmp_path / "source.md").write_text(text, encoding="utf-8")
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message", text[:4])
    write_page(tmp_path, git(tmp_path, "rev-parse", "--short", "HEAD~1"))
    return tmp_path


def write_page(root: Path, commit: str) -> None:
    """Write the page that quotes."""
    (root / "page.md").write_text(PAGE.format(commit=commit), encoding="utf-8")


@pytest.mark.parametrize("page", figures.PAGES)
def test_what_a_page_quotes_is_what_the_package_says(page: str) -> None:
    """As it is, and where the checkout has its history, as it was at the commit of the row."""
    asked = ["git", "rev-parse", "--is-shallow-repository"]  # fails outside a repository
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert list(figures.read_pieces(ROOT, page))
    assert figures.stale(ROOT, page, history=done.stdout.strip() == "false") == []


def test_every_row_of_the_front_page_names_its_commit() -> None:
    """A figure without one could be of any state of the code."""
    assert all(piece.commits for piece in figures.read_pieces(ROOT, "README.md"))


def test_pieces_are_what_semicolons_part_below_the_quoting_columns(root: Path) -> None:
    """Neither the first column nor a table without a source is held against anything."""
    texts = [piece.text for piece in figures.read_pieces(root, "page.md")]
    assert texts == ["**1,200 (.5)**", "one 3.1e-05, 7", "another, BPR 175: 8"]


def test_all_numbers_of_a_piece_stand_in_one_line(root: Path) -> None:
    """Each somewhere is not enough."""
    assert figures.stale(root, "page.md", history=True) == []
    source = root / "source.md"
    source.write_text(SOURCE.replace(", 3", "\n3"), encoding="utf-8")
    [said] = figures.stale(root, "page.md", history=False)
    assert said == "page.md:6: no line of source.md has 'one 3.1e-05, 7'."


def test_a_commit_that_did_not_have_it_is_named(root: Path) -> None:
    """One of the row's commits must, and a commit that is none has nothing."""
    first, second = git(root, "log", "--reverse", "--format=%h").split()[:2]
    write_page(root, first)
    assert len(figures.stale(root, "page.md", history=True)) == 3
    assert figures.stale(root, "page.md", history=False) == []
    write_page(root, f"{first}, {second}")
    assert figures.stale(root, "page.md", history=True) == []


def test_the_commit_that_recorded_a_piece_is_found(root: Path) -> None:
    """The first of those since which it stands there."""
    piece = next(iter(figures.read_pieces(root, "page.md")))
    assert figures.recorded(root, piece) == git(root, "rev-parse", "--short", "HEAD~1")


def test_a_table_with_a_source_and_no_quoting_column_is_an_error(root: Path) -> None:
    """Its figures would be held against nothing."""
    text = (root / "page.md").read_text(encoding="utf-8")
    (root / "page.md").write_text(text.replace("ours", "us").replace("peers", "they"))
    with pytest.raises(ValueError, match=r"page.md:4: no column is called"):
        list(figures.read_pieces(root, "page.md"))
