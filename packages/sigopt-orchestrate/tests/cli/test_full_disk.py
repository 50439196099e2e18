"""A disk that is full for a while, and one that is full at the start."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sigopt_orchestrate.store import Store

RUN = [sys.executable, "-m", "sigopt_orchestrate", "run"]


def test_a_disk_that_is_full_for_a_while_is_waited_for(
    experiment_file: Callable[..., str], tmp_path: Path, disk: Any
) -> None:
    with (
        subprocess.Popen(
            [*RUN, experiment_file(budget=12), "--home", str(disk.path / "home")],
            cwd=tmp_path,
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        ) as running,
        contextlib.ExitStack() as at_end,
    ):
        at_end.callback(running.kill)  # leaving the block waits for it
        assert running.stdout is not None
        while "/12]" not in running.stdout.readline():  # the first two may end in the same look
            assert running.poll() is None
        filler = disk.fill()
        assert any("the disk is full" in line for line in running.stdout)
        filler.unlink()
        assert "best trial" in running.communicate(timeout=60)[0]
        assert running.returncode == 0
    with contextlib.closing(Store(disk.path / "home")) as store:
        trials = store.trials(1)
    assert [trial.values for trial in trials] == [{"y": t.assignments["x"]} for t in trials]
    assert len(trials) == 12


def test_a_disk_that_is_full_at_the_start_is_one_sentence(
    experiment_file: Callable[..., str], tmp_path: Path, disk: Any
) -> None:
    Store(disk.path / "home").close()
    disk.fill()
    ran = subprocess.run(
        [*RUN, experiment_file(), "--home", str(disk.path / "home")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("orchestrate: ")
    assert ran.stderr.count("\n") == 1, ran.stderr
