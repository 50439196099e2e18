"""A disk that is full for a while."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sigopt_orchestrate.store import Store


def fill(filler: Path) -> None:
    """Writes until there is no space left."""
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_waited_for(experiment_file: Callable[..., str], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    filler = disk / "filler"
    command = [sys.executable, "-m", "sigopt_orchestrate", "run", experiment_file(budget=12)]
    try:
        with subprocess.Popen(
            [*command, "--home", str(disk / "home")],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            while "[1/12]" not in running.stdout.readline():
                pass
            fill(filler)
            line = running.stderr.readline()
            assert "waiting for" in line
            filler.unlink()
            assert "best trial" in running.communicate(timeout=60)[0]
            assert running.returncode == 0
        store = Store(disk / "home")
        assert [t.values for t in store.trials(1)] == [
            {"y": t.assignments["x"]} for t in store.trials(1)
        ]
        store.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
