"""The doctor on this machine as it is, and on one without MPI."""

import json

import pytest
from click.testing import CliRunner

from gossipgrad.cli.doctor import doctor
from gossipgrad.doctor import examine as room
from gossipgrad.doctor.examine import examine
from gossipgrad.launch import Mpiexec


def test_says_of_this_machine_what_its_mpi_can_do() -> None:
    told = CliRunner().invoke(doctor, ["--json"], catch_exceptions=False)
    assert told.exit_code == 0
    answers = {each["name"]: each for each in json.loads(told.stdout)}
    vendor = answers["MPI"]["answer"].split()[0]
    assert vendor in {"MPICH", "Open"}
    assert answers["thread level"]["answer"] in {"single", "funneled", "serialized", "multiple"}
    assert answers["CUDA-aware"]["evidence"]
    assert answers["duplex"]["answer"] in {"full", "half"}
    assert answers["ULFM"]["answer"] == ("yes" if vendor == "Open" else "no")
    assert answers["gloo"]["answer"] == "yes"


def test_without_mpi_explains_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "find_mpiexec", lambda: None)
    told = CliRunner().invoke(doctor, catch_exceptions=False)
    assert told.exit_code == 0  # gloo still carries exchanges
    assert "pip install 'gossipgrad[mpich]'" in told.output
    assert "ULFM" not in told.output


def test_an_mpiexec_that_does_not_work_is_a_finding_and_no_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "find_mpiexec", lambda: Mpiexec("/bin/false", "unknown"))
    answers = {each.name: each for each in examine()}
    assert answers["pair of ranks"].answer == "fails"
    assert "exit status 1" in answers["pair of ranks"].evidence
