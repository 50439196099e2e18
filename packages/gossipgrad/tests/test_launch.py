"""Starting ranks: what is found, what is explained, and what a process is told by its launcher."""

import os
import signal
import subprocess
import sys

import pytest

from gossipgrad import cli, launch, transports
from gossipgrad.errors import ConfigurationError, MissingDependencyError
from gossipgrad.transports.launched import check_alone, launched_for

VARIABLES = (
    "PMI_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMIX_RANK",
    "ALPS_APP_PE", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "RANK",
    "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "GOSSIPGRAD_RENDEZVOUS",
)  # fmt: skip


@pytest.fixture
def environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def put(values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    ("values", "transport"),
    [
        ({"PMI_RANK": "0", "PMI_SIZE": "4"}, "mpi"),  # MPICH, Intel MPI, srun --mpi=pmi2
        ({"OMPI_COMM_WORLD_RANK": "1"}, "mpi"),  # Open MPI, and an MPIJob on Kubernetes
        ({"PMIX_RANK": "1", "SLURM_STEP_NUM_TASKS": "8"}, "mpi"),  # srun --mpi=pmix
        ({"ALPS_APP_PE": "3"}, "mpi"),
        ({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, "torch"),
        ({"RANK": "0", "WORLD_SIZE": "2", "GOSSIPGRAD_RENDEZVOUS": "a:1"}, "tcp"),
        ({"SLURM_STEP_NUM_TASKS": "1"}, "single"),
        ({}, "single"),
    ],
)
def test_each_launcher_is_known_by_what_it_sets(environment, values, transport):
    environment(values)
    assert launched_for() == transport


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("mpi", {"PMI_SIZE": "4"}, r"started 4 ranks \(PMI_SIZE\).*alone; mpiexec and mpi4py"),
        ("mpi", {"OMPI_COMM_WORLD_SIZE": "2"}, "mpiexec and mpi4py belong to different MPIs"),
        ("single", {"SLURM_STEP_NUM_TASKS": "8"}, r"started 8 ranks.*srun --mpi=pmix"),
    ],
)
def test_ranks_that_do_not_see_each_other_are_told(environment, kind, values, words):
    environment(values)
    with pytest.raises(ConfigurationError, match=words):
        check_alone(kind)


def test_one_rank_works_and_says_that_it_is_alone(environment, monkeypatch, caplog):
    environment({})
    monkeypatch.setattr(transports, "_shared", {})
    assert transports.connect("auto").size == 1
    assert "one rank alone trains as without the wrapper" in caplog.text


def test_missing_mpi4py_is_explained(monkeypatch):
    monkeypatch.setattr(transports, "_shared", {})
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'gossipgrad\[mpich\]'"):
        transports.connect("mpi")


def test_missing_mpiexec_is_explained(monkeypatch, tmp_path):
    script = tmp_path / "train.py"
    script.touch()
    monkeypatch.setattr(launch, "find_mpiexec", lambda: None)
    with pytest.raises(MissingDependencyError, match=r"no mpiexec .* pip install 'gossipgrad\["):
        launch.run(2, str(script), [], "mpi")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, "train.py", []), "-n is 0; it must be at least 1"),
        ((2, "train.py", [], "ssh"), "launcher is 'ssh'; allowed: auto, mpi, torch, tcp"),
        ((2, "absent.py", []), "script is 'absent.py'; there is no such file"),
        ((2, "train.py", [], "mpi", 3), "restarts is 3 with launcher 'mpi'; only 'tcp'"),
        ((2, "train.py", [], "tcp", -1), "restarts is -1; allowed: 0 or more"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ConfigurationError, match=words):
        launch.run(*arguments)


def test_open_mpi_is_told_to_outlive_dead_ranks_and_others_are_not():
    options = {
        vendor: launch.mpi_command(launch.Mpiexec("mpiexec", vendor), 4, ["python", "x.py"])
        for vendor in ("openmpi", "mpich")
    }
    assert options["mpich"] == ["mpiexec", "-n", "4", "python", "x.py"]
    assert options["openmpi"][1:4] == ["--with-ft", "ulfm", "--oversubscribe"]


def test_a_users_mistake_ends_in_one_sentence_and_status_2():
    command = [sys.executable, "-m", "gossipgrad", "run", "-n", "2", "absent.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.strip() == "gossipgrad: script is 'absent.py'; there is no such file"
    assert not done.stdout


@pytest.mark.parametrize("launcher", ["tcp", "torch"])
def test_what_ends_the_launcher_ends_its_ranks(tmp_path, launcher):
    script = tmp_path / "waits.py"
    script.write_text("import os, threading\nprint(os.getpid(), flush=True)\n"
                      "threading.Event().wait()\n")  # fmt: skip
    command = [sys.executable, "-m", "gossipgrad", "run", "-n", "2", "--launcher", launcher]
    with subprocess.Popen([*command, str(script)], stdout=subprocess.PIPE, text=True) as running:
        ranks = [int(running.stdout.readline()) for _ in range(2)]
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 128 + signal.SIGTERM
    for rank in ranks:
        with pytest.raises(ProcessLookupError):
            os.kill(rank, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rendezvous", "--port", "99999"], "99999 is not in the range 0<=x<=65535"),
        (["simulate", "--ranks", "4", "--seed", "-1"], "-1 is not in the range x>=0"),
        (["simulate", "--ranks", "4", "--weights", "inf"], "weights is inf; allowed: more than 0"),
        (["simulate", "--ranks", "4", "--json", "absent/x.json"], "absent/x.json; allowed: a file"),
        (["simulate", "--ranks", "4", "--plot", "absent/x.png"], "absent/x.png; allowed: a file"),
    ],
)
def test_bad_options_are_named_before_any_work(arguments, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gossipgrad", *arguments])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    said = capsys.readouterr()
    assert words in said.err
    assert not said.out


def test_help_imports_neither_torch_nor_mpi():
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom gossipgrad.cli import cli\n"
        "assert 'rendezvous' in CliRunner().invoke(cli, ['--help']).output\n"
        "print(sorted({'torch', 'mpi4py', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
