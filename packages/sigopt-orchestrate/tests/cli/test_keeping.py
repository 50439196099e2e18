"""What nobody leads any more goes on by itself, where `resume --all` watches over it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sigopt_orchestrate.cli.keeping import Keeper
from sigopt_orchestrate.lifecycle import ExperimentState
from sigopt_orchestrate.reconcile import steer
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import Store, has_leader

LINE = """printf '{{"y": %s}}' {x} > "$ORCHESTRATE_METRICS" """


@pytest.fixture
def interrupted(store: Store, make_spec: Callable[..., Experiment], tmp_path: Path) -> Store:
    """A store with an experiment that is to run, and that nobody leads."""
    store.create_experiment(make_spec(command=LINE, optimizer={"algorithm": "random"}), tmp_path)
    return store


@pytest.fixture
def keeper(interrupted: Store) -> Iterator[Keeper]:
    made = Keeper(interrupted, ["--home", str(interrupted.home.root)])
    yield made
    made.close()


def test_an_interrupted_experiment_goes_on_to_its_end(interrupted: Store, keeper: Keeper) -> None:
    keeper.look()
    assert not keeper._leaders  # it may be somebody's who is about to lead it
    keeper.look()
    keeper._leaders[1].wait(timeout=60)
    record = interrupted.experiment(1)
    assert record.state is ExperimentState.COMPLETED
    keeper.look()
    keeper.look()
    assert not keeper._leaders


def test_who_ends_the_keeper_interrupts_and_stops_nothing(
    interrupted: Store, keeper: Keeper
) -> None:
    for _ in range(2):
        keeper.look()
    keeper.close()
    assert interrupted.experiment(1).state is ExperimentState.RUNNING
    assert not has_leader(interrupted, 1)


def test_what_is_paused_is_left_alone(interrupted: Store, keeper: Keeper) -> None:
    steer.pause(interrupted, interrupted.experiment(1))
    for _ in range(2):
        keeper.look()
    assert not keeper._leaders


def test_a_leader_that_ends_at_once_is_not_followed_at_once(interrupted: Store) -> None:
    keeper = Keeper(interrupted, ["--no-such-option"])
    for _ in range(2):
        keeper.look()
    keeper._leaders[1].wait(timeout=60)
    for _ in range(3):
        keeper.look()
    assert not keeper._leaders
    keeper._not_before.clear()  # as if the pause were over
    keeper.look()
    assert keeper._leaders
    keeper.close()
