"""The benchmarks' own bookkeeping: every table has its place in the README and lands there."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import markdown  # noqa: E402

TABLES = ["machine", *(f"T{number}" for number in range(1, 11))]


def test_readme_has_a_place_for_every_table(tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(markdown.README.read_text(encoding="utf-8"), encoding="utf-8")
    for name in TABLES:
        markdown.write(name, f"figures of {name}", copy)
    written = copy.read_text(encoding="utf-8")
    for name in TABLES:
        assert f"<!-- bench:{name} -->\nfigures of {name}\n<!-- /bench:{name} -->" in written


def test_a_table_replaces_only_itself(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- bench:T1 -->\nold\n<!-- /bench:T1 -->\nb\n", encoding="utf-8")
    rows = markdown.table(["p", "bytes"], [[2, r"1.0 \1"]])
    markdown.write("T1", rows, readme)
    markdown.write("T1", rows, readme)
    expected = f"a\n<!-- bench:T1 -->\n{rows}\n<!-- /bench:T1 -->\nb\n"
    assert readme.read_text(encoding="utf-8") == expected
    with pytest.raises(ValueError, match="no markers <!-- bench:T2 -->"):
        markdown.write("T2", rows, readme)
