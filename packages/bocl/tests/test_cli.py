"""The command line as users call it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from bocl.cli.entry import main

FAST = ["--tasks", "2", "--epochs", "3", "--search", "random", "--trials", "2", "--threads", "1"]


def test_run_then_verify_then_a_flipped_bit(tmp_path):
    folder = tmp_path / "run"
    done = CliRunner().invoke(main, ["run", "--out", str(folder), *FAST])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["forgetting"] == 0.0
    assert found["backward"] == 0.0
    assert found["accuracy"] > 0.7
    again = CliRunner().invoke(main, ["run", "--out", str(folder), *FAST])
    assert json.loads(again.stdout.splitlines()[-1]) == found
    checked = CliRunner().invoke(main, ["verify", str(folder)])
    assert json.loads(checked.stdout.splitlines()[-1]) == {"tasks": 2, "exact": 2}
    path = folder / "tasks" / "001.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    broken = CliRunner().invoke(main, ["verify", str(folder)])
    assert broken.exit_code == 2
    assert "task 1 has changed" in broken.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--trials", "0"], "trials is 0; it must be a whole number from 1"),
        (["run", "--base", "a-b"], "give widths as 312-128"),
        (["run", "--tasks", "0"], "tasks is 0; permuted-digits has 1 to 1000"),
        (["run", "--gates", "soft"], "gates is 'soft'"),
        (["verify", "nowhere"], "does not exist"),
    ],
)
def test_bad_input_exits_2_with_one_sentence(arguments, sentence, tmp_path):
    if arguments[0] == "run":
        arguments = [*arguments, "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.output


def test_held_out_samples_judge_and_a_tuner_is_told(tmp_path):
    folder, metrics = str(tmp_path / "run"), tmp_path / "metrics.jsonl"
    fast = ["--tasks", "1", "--epochs", "1", "--threads", "1", "--no-routing-test"]
    judged = ["run", "--out", folder, *fast, "--judge", "held-out", "--metrics-out", str(metrics)]
    done = CliRunner().invoke(main, judged)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    told = json.loads(metrics.read_text())
    assert told == {
        "accuracy": found["accuracy"],
        "size": found["size"],
        "cpu_seconds": found["search_seconds"] + found["training_seconds"],
    }
    other = CliRunner().invoke(main, ["run", "--out", folder, *fast])
    assert other.exit_code == 2
    assert "holds a run with held_out = 0.2; this one has None" in other.stderr


def test_another_seed_in_the_same_folder_is_refused(tmp_path):
    folder = str(tmp_path / "run")
    CliRunner().invoke(main, ["run", "--out", folder, *FAST])
    done = CliRunner().invoke(main, ["run", "--out", folder, "--seed", "1", *FAST])
    assert done.exit_code == 2
    assert "seed" in done.stderr


def test_a_run_killed_by_sigkill_goes_on_to_the_same_bits(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    command = [sys.executable, "-m", "bocl", "run", *FAST, "--no-routing-test", "--out"]
    CliRunner().invoke(main, ["run", *FAST, "--no-routing-test", "--out", str(straight)])
    with subprocess.Popen(
        [*command, str(killed)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"task 0")  # the second task is under way
        process.kill()
    assert process.returncode == -signal.SIGKILL
    CliRunner().invoke(main, ["run", *FAST, "--no-routing-test", "--out", str(killed)])
    for name in ("tasks/000.safetensors", "tasks/001.safetensors"):
        assert (killed / name).read_bytes() == (straight / name).read_bytes()


def test_help_and_import_need_no_torch():
    code = (
        "import sys, bocl; from bocl.cli.entry import main; "
        "main(['--help'], standalone_mode=False); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
