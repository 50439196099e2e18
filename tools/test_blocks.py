"""Every code block of the documentation runs, or its page says why not."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import blocks
import pytest
import run_blocks

ROOT = Path(__file__).parents[1]
RUNNER = Path(__file__).with_name("run_blocks.py")
Done = subprocess.CompletedProcess[str]


def run(page: Path) -> Done:
    """Run the page's blocks in a process of their own, so that no page sees another's leftovers."""
    return subprocess.run(
        [sys.executable, RUNNER, page],
        capture_output=True,
        text=True,
        check=False,
    )


def page_of(folder: Path, text: str) -> Path:
    """Write a page."""
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def names_with_blocks() -> list[str]:
    """Return the documentation's pages that have a block to run."""
    return [
        page.relative_to(ROOT).as_posix()
        for page in blocks.pages(ROOT)
        if any(not block.why_not for block in blocks.read_blocks(page))
    ]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Done]]]:
    """The runs of all pages that are asked for, two at a time: much of a page is waiting."""
    pages = test_every_block_of_a_page_runs.__name__
    wanted = [
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == pages
    ]
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(run, ROOT / name) for name in wanted}
        pool.shutdown(cancel_futures=True)


@pytest.mark.slow
@pytest.mark.timeout(400)  # a page takes up to ten CPU seconds, however busy the machine is
@pytest.mark.parametrize("name", names_with_blocks())
def test_every_block_of_a_page_runs(name: str, runs: dict[str, Future[Done]]) -> None:
    """From top to bottom, in an empty folder, as a reader would."""
    done = runs[name].result()
    assert done.returncode == 0, done.stderr


def test_what_is_not_run_is_listed_with_its_reason() -> None:
    """Nothing is left out in silence."""
    listed = (ROOT / "docs" / "blocks.md").read_text(encoding="utf-8")
    assert listed == blocks.describe(ROOT), "run: python tools/blocks.py > docs/blocks.md"


def test_blocks_share_names_and_files(tmp_path: Path) -> None:
    """A page is one session; the repository and the page stay as they are."""
    page = page_of(
        tmp_path,
        "<!-- unseen:\nx = 20\n-->\n"
        "```python\nx = x + 1\n```\n"
        "```python\n# double.py\nprint(21 * 2)\n```\n"
        "```console\n$ python double.py > answer\n$ cat \\\n  answer\n4...\n```\n"
        "```python\nprint(open('answer').read(), 2 * x)\n```\n"
        "```text output\n42\n 42\n```\n"
        "```sh\nrm answer double.py\n```\n",
    )
    assert run(page).stderr == ""
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```python\n\n1 / 0\n```", "page.md:2\n"),
        ("```python\n\n1 / 0\n```", "line 3, in <module>"),
        ("```console\n$ echo no >&2; exit 3\n```", "exit status 3\nno"),
        ("```sh\nfalse\ntrue\n```", "exit status 1"),
        ("```console\n$ echo one\ntwo\n```", "expected:\ntwo\n\nprinted:\none"),
        ("```python\nprint(1)\n```\n```text output\n2\n```", "expected:\n2\n\nprinted:\n1"),
    ],
)
def test_a_block_that_fails_says_where_and_how(tmp_path: Path, text: str, said: str) -> None:
    """The page, the line, and what Python or the command said."""
    with pytest.raises(run_blocks.BlockError, match=r"page\.md:") as failure:
        run_blocks.run_page(page_of(tmp_path, text))
    assert said in str(failure.value)


def test_a_page_that_fails_ends_with_status_1(tmp_path: Path) -> None:
    """What it said is on standard error, without a traceback of the runner's own."""
    done = run(page_of(tmp_path, "```sh\nfalse\n```"))
    assert done.returncode == 1
    assert done.stderr.startswith("run_blocks.py: ")
    assert "Traceback" not in done.stderr


def test_a_marked_block_is_left_out_and_its_output_with_it(tmp_path: Path) -> None:
    """Nobody knows what a block would print that was not run."""
    text = (
        "<!-- not run: needs a\n     cluster. By hand: 2026-11-28,\n     3 s -->\n\n"
        "```python\n1 / 0\n```\n"
        "```text output\nwhatever\n```\n"
        "```yaml\na: 1\n```\n"
    )
    page = page_of(tmp_path, text)
    first, output = blocks.read_blocks(page)
    assert (first.why_not, first.by_hand) == ("needs a cluster", "2026-11-28, 3 s")
    assert (first.line, output.line) == (6, 9)
    run_blocks.run_page(page)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- not run: why -->\n\ntext\n\n```python\n```", r":3: the marker before this line"),
        ("<!-- not run: why -->", "the last marker stands before no block"),
        ("```text output\n1\n```", ":2: this output stands after no block"),
    ],
)
def test_a_marker_that_marks_nothing_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    """A comment that has lost its block would hide the next one."""
    with pytest.raises(blocks.PageError, match=said):
        blocks.read_blocks(page_of(tmp_path, text))
