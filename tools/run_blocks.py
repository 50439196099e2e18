"""Run the code blocks of one documentation page, as a reader would: from top to bottom.

usage: run_blocks.py PAGE        (anywhere; works in an empty folder of its own)

Python blocks share one namespace, and console and shell blocks the folder. A command must exit
with 0; where a `console` block goes on with what a command prints, it must print that, `...`
standing for anything. On the first block that fails: its place and what it said on standard error,
and exit status 1. What the markers in a page mean stands in `blocks.py`.
"""

import contextlib
import doctest
import io
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blocks import Block, read_blocks

_SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class BlockError(Exception):
    """A block did not do what its page says; the message says in what way."""


def run_page(page: Path) -> None:
    """Runs all blocks of a page in the current folder.

    Raises:
        BlockError: One failed, or printed something else than the page says.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    said: str | None = None  # None after a block that was left out: nobody knows what it prints
    for block in read_blocks(page):
        if block.kind == "output":
            if said is not None:
                _compare(page, block, block.text, said)
        elif block.why_not:
            said = None
        elif block.kind == "file":
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.kind in {"python", "unseen"}:
            said = _run_python(page, block, namespace)
        else:
            said = _run_commands(page, block)


def _run_python(page: Path, block: Block, namespace: dict[str, Any]) -> str:
    printed = io.StringIO()
    # Empty lines before it make a traceback name the page's own lines.
    text = "\n" * (block.line - 1) + block.text
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(text, str(page), "exec"), namespace)  # noqa: S102  the page's own code
    except Exception as error:
        raise BlockError(f"{page}:{block.line}\n{traceback.format_exc()}") from error
    return printed.getvalue()


def _run_commands(page: Path, block: Block) -> str:
    said = ""
    for command, expected in _commands(block):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BlockError(
                f"{page}:{block.line}\n$ {command}\nexit status {done.returncode}\n"
                f"{done.stdout}{done.stderr}"
            )
        said = done.stdout
        if expected:
            _compare(page, block, expected, said)
    return said


def _commands(block: Block) -> Iterator[tuple[str, str]]:
    """Yields each command of a console block with the output that follows it; a script as one."""
    if block.kind == "shell":
        yield block.text, ""
        return
    command, expected = "", ""
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], ""
        elif command.endswith("\\") and not expected:
            command += "\n" + line
        else:
            expected += line + "\n"
    yield command, expected


def _compare(page: Path, block: Block, expected: str, said: str) -> None:
    if not doctest.OutputChecker().check_output(expected, said, _SAME):
        raise BlockError(f"{page}:{block.line}\nexpected:\n{expected}\nprinted:\n{said}")


def main() -> None:
    """Reads PAGE from the command line and runs it."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    page = Path(sys.argv[1]).absolute()
    # A reader's programs are this environment's, and nothing is set for them.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for name in [name for name in os.environ if name.startswith(("ORCHESTRATE_", "SIGOPT_"))]:
        del os.environ[name]
    sys.path[0] = ""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        try:
            run_page(page)
        except BlockError as error:
            sys.exit(f"run_blocks.py: {error}")


if __name__ == "__main__":
    main()
