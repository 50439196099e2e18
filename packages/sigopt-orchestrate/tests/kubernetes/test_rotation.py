"""Logs that grow too long: nothing in between is lost, and the last part is always there."""

from pathlib import Path

import pytest

from sigopt_orchestrate.cli.logs import Tail
from sigopt_orchestrate.executors.kubernetes import rotation
from sigopt_orchestrate.store import AttemptFolder

LINES = [f"line {number}\n".encode() for number in range(1000)]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AttemptFolder:
    """An attempt whose log is cut at a thousand bytes."""
    monkeypatch.setattr(rotation, "LIMIT", 1000)
    monkeypatch.setattr(rotation, "KEPT", 500)
    folder = AttemptFolder(tmp_path / "0001" / "1")
    folder.root.mkdir(parents=True)
    return folder


def test_both_parts_are_whole_lines_without_a_gap_and_bounded(files: AttemptFolder) -> None:
    for number, line in enumerate(LINES, start=1):
        rotation.append(files.log, files.older_log, line)
        older = files.older_log.read_bytes() if files.older_log.exists() else b""
        kept = older + files.log.read_bytes()
        assert b"".join(LINES[:number]).endswith(kept)
        assert len(kept) >= min(500 - len(line), len(b"".join(LINES[:number])))
        assert len(kept) <= 2000
    assert kept.startswith(b"line ")


@pytest.mark.parametrize("every", [1, 7, 40])
def test_who_follows_sees_every_line_once_though_the_log_is_cut_meanwhile(
    files: AttemptFolder, every: int
) -> None:
    tail, seen = Tail(files), []
    for number, line in enumerate(LINES, start=1):
        rotation.append(files.log, files.older_log, line)
        if number % every == 0:
            seen += tail.lines(final=False)
    seen += tail.lines(final=True)
    assert seen == [line.decode().rstrip() for line in LINES]


def test_who_comes_late_reads_the_older_part_first(files: AttemptFolder) -> None:
    for line in LINES:
        rotation.append(files.log, files.older_log, line)
    seen = list(Tail(files).lines(final=True))
    assert seen == [line.decode().rstrip() for line in LINES[-len(seen) :]]
    assert len(seen) > 500 // 9
