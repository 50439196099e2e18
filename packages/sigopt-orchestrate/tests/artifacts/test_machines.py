"""`orchestrate` itself with a bucket: trials of this machine, and of another one."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from pretend_aws import Aws

from sigopt_orchestrate.artifacts.bucket import Bucket
from sigopt_orchestrate.store import Home

_PATIENCE_S = 300
_COMMAND = """
echo said by attempt $(basename $(dirname "$ORCHESTRATE_METRICS"))
if [ -e "$ORCHESTRATE_CHECKPOINT/model" ]; then
  cp "$ORCHESTRATE_CHECKPOINT/model" "$ORCHESTRATE_OUTPUT/"
  printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS"
else
  head -c 9000000 /dev/zero > "$ORCHESTRATE_CHECKPOINT/model.part"
  mv "$ORCHESTRATE_CHECKPOINT/model.part" "$ORCHESTRATE_CHECKPOINT/model"
  exec sleep 600
fi
"""


class Machine:
    """A folder of its own, and the command `orchestrate` there."""

    def __init__(self, root: Path, aws: Aws, origin: "Machine | None" = None) -> None:
        self.home = root / "home"
        self._env = {**os.environ, **aws.environment, "ORCHESTRATE_HOME": str(self.home)}
        if origin is not None:  # the store alone is shared
            self.home.mkdir(parents=True)
            name = "orchestrate.db"
            with (
                closing(sqlite3.connect(origin.home / name)) as there,
                closing(sqlite3.connect(self.home / name)) as here,
            ):
                there.backup(here)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "sigopt_orchestrate", *words],
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *words: str) -> str:
        process = self.start(*words)
        said, _ = process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()


def wait_for(condition: Callable[[], Any], still: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        assert still(), "it has ended"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_trial_goes_on_from_its_checkpoint_on_another_machine(
    aws: Aws, make_bucket: Callable[..., str], tmp_path: Path
) -> None:
    bucket = Bucket(make_bucket("machines"))
    file = tmp_path / "experiment.yml"
    given = {
        "name": "Toy, with a bucket",
        "command": _COMMAND,
        "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
        "metrics": [{"name": "y"}],
        "budget": 1,
        "optimizer": {"algorithm": "random"},
        "timeouts": {"grace": 1},
        "artifacts": {"uri": "s3://machines/team", "checkpoint_every": 1},
    }
    file.write_text(yaml.safe_dump(given))
    first = Machine(tmp_path / "first", aws)
    leader = first.start("run", str(file))
    try:
        wait_for(
            lambda: any(key.endswith("checkpoint.json") for key in bucket.keys("")),
            lambda: leader.poll() is None,
        )
    finally:
        leader.send_signal(signal.SIGKILL)
        leader.communicate()
        claim = Home(first.home).experiment(1).attempt(1, 1).claim
        if claim.exists():  # as if the machine had been switched off
            os.kill(json.loads(claim.read_bytes())["pid"], signal.SIGKILL)
    second = Machine(tmp_path / "second", aws, first)
    second.run("resume", "1")
    root = bucket.keys("")[0].rpartition("/trials/")[0]
    assert root.startswith("team/1-toy-with-a-bucket-")
    assert bucket.keys("") == [
        f"{root}/trials/0001/2/{name}"
        for name in (
            "output.json",
            "output/model",
            "records.json",
            "records/log",
            "records/metrics.jsonl",
        )
    ], "the checkpoint is gone with its need"
    assert bucket.uploads("") == []
    third = Machine(tmp_path / "third", aws, second)
    listed = json.loads(third.run("artifacts", "--json"))
    assert [(one["kind"], one["name"], one["size"]) for one in listed] == [
        ("output", "model", 9_000_000),
        ("records", "log", len("said by attempt 2\n")),
        ("records", "metrics.jsonl", listed[2]["size"]),
    ]
    fetched = tmp_path / "fetched"
    third.run("artifacts", "1", "--trial", "1", "--to", str(fetched))
    assert (fetched / "trial-0001/attempt-2/output/model").read_bytes() == bytes(9_000_000)
    assert third.run("logs", "1", "--trial", "1") == "said by attempt 2\n"
    (best,) = json.loads(third.run("best", "--json"))
    assert best["artifacts"] == f"s3://machines/{root}/trials/0001/2/output/"
    exported = third.run("export", "--format", "csv").splitlines()
    assert exported[0].endswith(",artifacts")
    assert exported[1].endswith(best["artifacts"])
