"""Whole studies: repeatable, complete, drawn, refused with a reason."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gossipgrad.cli.simulate import simulate
from gossipgrad.errors import ConfigurationError
from gossipgrad.simulation.measure import fit, measure_network
from gossipgrad.simulation.network import NETWORKS, Network
from gossipgrad.simulation.picture import draw
from gossipgrad.simulation.study import Job, run_study

JOB = Job(NETWORKS["ethernet-10g"])


def test_same_seed_same_numbers_and_every_curve_is_whole() -> None:
    study = run_study(JOB, 100, seed=4)
    assert study.as_json() == run_study(JOB, 100, seed=4).as_json()
    assert study.ranks == [2, 4, 8, 16, 32, 64, 100]
    for curves, ranks in (
        (study.step_s, study.ranks),
        (study.bytes_sent, study.ranks),
        (study.diffusion_steps, study.diffusion_ranks),
        *((rows, study.straggler_ranks) for rows in study.slowdown.values()),
    ):
        assert all(len(row) == len(ranks) for row in curves.values())
    assert len(set(study.bytes_sent["gossip bf16"])) == 1


def test_command_writes_picture_and_numbers(tmp_path: Path) -> None:
    picture, numbers = tmp_path / "study.png", tmp_path / "study.json"
    arguments = ["--ranks", "64", "--plot", str(picture), "--json", str(numbers)]
    told = CliRunner().invoke(simulate, arguments, catch_exceptions=False)
    assert told.exit_code == 0
    assert "64 ranks" in told.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert json.loads(numbers.read_text())["labelled"] == "modelled, not measured"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study.json", "study.png"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wire": "fp8"}, "wire is 'fp8'; allowed: fp32, bf16, int8"),
        ({"weights": 0}, "weights is 0"),
        ({"compute_s": -1.0}, "compute is -1.0"),
    ],
)
def test_bad_jobs_are_refused(change: dict, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Job(NETWORKS["wan"], **change)


@pytest.mark.parametrize("ranks", [1, 0, 1 << 30])
def test_numbers_of_ranks_out_of_range_are_refused(ranks: int) -> None:
    with pytest.raises(ConfigurationError, match=f"ranks is {ranks}"):
        run_study(JOB, ranks)


def test_fit_finds_the_network_that_made_the_points() -> None:
    made = Network("made", 3e-5, 8e-10)
    sizes = [1 << power for power in range(0, 25, 2)]
    noise = np.random.default_rng(0).normal(1, 0.01, len(sizes))
    found = fit([(size, made.message_s(size) * n) for size, n in zip(sizes, noise, strict=True)])
    assert found.latency_s == pytest.approx(made.latency_s, rel=0.03)
    assert found.seconds_per_byte == pytest.approx(made.seconds_per_byte, rel=0.03)


def test_network_is_measured_between_two_real_ranks() -> None:
    found = measure_network()
    assert 0 < found.latency_s < 0.1
    assert found.seconds_per_byte < 1e-7


def test_picture_needs_a_known_format(tmp_path: Path) -> None:
    study = run_study(JOB, 8)
    with pytest.raises(ConfigurationError, match=r"allowed: .*png"):
        draw(study, tmp_path / "study.docx")
    assert not list(tmp_path.iterdir())
