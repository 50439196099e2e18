"""The benchmarks' own bookkeeping: every table has its place in the README and lands there."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import cells  # noqa: E402
import markdown  # noqa: E402
import network  # noqa: E402

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


def test_a_cell_is_measured_once_and_again_only_for_another_task_or_afresh(tmp_path: Path) -> None:
    path, counted = tmp_path / "results.json", []

    def measure() -> dict[str, int]:
        counted.append("measured")
        return {"seconds": len(counted)}

    for _ in range(2):
        assert cells.Cells(path).measured("T1 p=2", {"steps": 3}, measure) == {"seconds": 1}
    assert cells.Cells(path).measured("T1 p=2", {"steps": 4}, measure) == {"seconds": 2}
    fresh = cells.Cells(path, fresh=True)
    for _ in range(2):
        assert fresh.measured("T1 p=2", {"steps": 4}, measure) == {"seconds": 3}
    assert cells.Cells(path).kept("T1 p=2") == {"seconds": 3}
    assert not cells.Cells(path).has("T1 p=3", {"steps": 4})


def test_the_readmes_tables_are_those_of_the_kept_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells.Cells, "measured", lambda self, name, *_: self.kept(name))
    monkeypatch.setattr(network, "draw", lambda *_: None)
    readme = markdown.README.read_text(encoding="utf-8")
    for measure in (network.sizes, network.straggler):
        for name, text in measure(False, cells.Cells()).items():
            assert text in readme, f"{name} is another run's"


def test_a_link_of_the_lab_has_the_tasks_rate() -> None:
    task = network.case("gossip overlap bf16 tcp", 0.1, 5, network.HALF, slow=3.0)
    assert task == {
        "method": "gossip", "mode": "overlap", "wire": "bf16", "transport": "tcp", "takes_s": 0.1,
        "steps": 5, "megabytes": 5, "mbit": 100, "slow": 3.0,
    }  # fmt: skip
