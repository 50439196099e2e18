"""The examples fit the packages: files hold, defaults are theirs, command lines parse."""

import importlib
import inspect
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sigopt_orchestrate.spec import Experiment, load_experiment

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ("bocl", "cmn", "gossipgrad")
PLACES = ("experiment", "kubernetes", "ec2")
# What a place may change. The search itself, what is measured and what it starts from stay.
OF_THE_PLACE = {"extends", "backend", "image", "nodes", "env", "resources", "limits", "parallel"}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_whole_on_this_machine_on_kubernetes_and_on_ec2(name: str) -> None:
    """Each place's file describes an experiment, and runs where it says."""
    places = [load_experiment(EXAMPLES / name / f"{place}.yml") for place in PLACES]
    here, pods, instances = places
    assert here.defaults is not None, "the first trial runs the package's defaults"
    assert len(here.objectives) == 2
    assert here.backend is None
    assert pods.backend is not None
    assert pods.backend.ec2 is None
    assert instances.backend is not None
    assert instances.backend.ec2 is not None


@pytest.mark.parametrize("place", PLACES[1:])
@pytest.mark.parametrize("name", NAMES)
def test_the_same_elsewhere_says_nothing_but_where(name: str, place: str) -> None:
    """So that the three cannot drift apart."""
    given = yaml.safe_load((EXAMPLES / name / f"{place}.yml").read_text())
    assert given["extends"] == "experiment.yml"
    changed = set(given) - OF_THE_PLACE
    if (name, place) == ("gossipgrad", "ec2"):  # no MPI launcher there: the program itself
        changed -= {"command"}
        local, ranks = (
            load_experiment(EXAMPLES / name / f"{other}.yml").command
            for other in ("experiment", "ec2")
        )
        assert isinstance(local, str)
        assert isinstance(ranks, str)
        assert local.split("--epochs")[1] == ranks.split("--epochs")[1]
    assert not changed


def test_cmn_starts_from_its_own_defaults_and_understands_the_command() -> None:
    """What is fixed in the command is no parameter, and may differ."""
    experiment = load_experiment(EXAMPLES / "cmn/experiment.yml")
    own = importlib.import_module("cmn.hyperparameters").Hyperparameters().get_params()
    assert experiment.defaults == {name: own[name] for name in experiment.defaults or {}}
    given = _parsed("cmn.cli.train", "train", _words(experiment)[2:])
    assert given["embedding_dim"] == own["embedding_dim"]
    assert given["seed"] == 7


def test_bocl_starts_from_its_own_defaults_and_understands_the_command() -> None:
    """Its own for this stream, as `bocl run` takes them."""
    experiment = load_experiment(EXAMPLES / "bocl/experiment.yml")
    settings = importlib.import_module("bocl.settings").Settings
    kind = importlib.import_module("bocl.streams.registry").STREAMS["split-cifar100"]
    own = settings(trunk=kind.trunk, **kind.settings).as_dict()
    assert experiment.defaults == {name: own[name] for name in experiment.defaults or {}}
    given = _parsed("bocl.cli.run", "command", _words(experiment)[2:])
    assert (given["judge"], given["alpha"], given["seed"]) == ("held-out", own["alpha"], 7)


def test_gossipgrad_starts_from_its_own_defaults_and_understands_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own where it has them; rate and batch are the program's."""
    experiment = load_experiment(EXAMPLES / "gossipgrad/experiment.yml")
    words = _words(experiment)
    assert words[:5] == ["gossipgrad", "run", "-n", "4", "train.py"]
    monkeypatch.setattr(sys, "path", [str(EXAMPLES / "gossipgrad"), *sys.path])
    program = importlib.import_module("train")
    monkeypatch.delitem(sys.modules, "train")
    monkeypatch.setattr(sys, "argv", [*words[4:], "--data", "."])
    given = program.parse()
    monkeypatch.setattr(sys, "argv", ["train.py", "--data", "."])
    plain = program.parse()
    own = inspect.signature(program.GossipDataParallel.__init__).parameters
    for name, value in (experiment.defaults or {}).items():
        assert getattr(given, name) == getattr(plain, name) == value
        assert name not in own or own[name].default == value
    assert given.seed == 7


def _words(experiment: Experiment) -> list[str]:
    """The command line of the defaults, as trial 7."""
    assert isinstance(experiment.command, str)
    assert experiment.defaults is not None
    line = experiment.command.format(**experiment.defaults)
    for name, value in (("TRIAL", "7"), ("OUTPUT", "output"), ("METRICS", os.devnull)):
        line = line.replace(f"$ORCHESTRATE_{name}", value)
    return shlex.split(line)


def _parsed(module: str, command: str, words: list[str]) -> dict[str, Any]:
    """What a click command makes of its arguments, without running it."""
    found = getattr(importlib.import_module(module), command)
    return dict(found.make_context(command, words).params)
