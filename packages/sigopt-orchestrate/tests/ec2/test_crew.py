from pathlib import Path
from typing import Any

import pytest

from sigopt_orchestrate.executors import Attempt
from sigopt_orchestrate.executors.ec2.crew import Crew, Job
from sigopt_orchestrate.store import AttemptFolder


class Ship:
    """A crew, and the calls that its members would make."""

    def __init__(self, folder: Path) -> None:
        self.placed: list[tuple[str, list[str]]] = []
        self.folder = folder
        self.crew = Crew(60.0, self._note, lambda _attempt: None)
        self.crew.synced = True

    def _note(self, job: Job, members: list[Any]) -> None:
        self.placed.append((job.attempt.token, [member.id for member in members]))

    def job(self, token: str, nodes: int = 1, members: list[str] | None = None) -> Job:
        folder = AttemptFolder(self.folder / "0001" / "1")
        order = None if members else {"token": token, "env": {}}
        return self.crew.add(Job(Attempt(token, folder), nodes, order, members or []))

    def call(self, instance: str, *attempts: str, **said: Any) -> dict[str, Any]:
        base = {
            "instance": instance,
            "type": "m5.large",
            "zone": "a",
            "ip": f"10.0.0.{instance[-1]}",
            "boot": f"boot of {instance}",
            "attempts": list(attempts),
            "ready": True,
            "broken": None,
            "drain": None,
            "wait_s": 0,
        }
        return self.crew.call(base | said)

    def orders(self, instance: str, *attempts: str, **said: Any) -> list[str]:
        return [order["token"] for order in self.call(instance, *attempts, **said)["orders"]]


@pytest.fixture
def ship(tmp_path: Path) -> Ship:
    return Ship(tmp_path)


def test_an_idle_instance_gets_one_job_and_the_intent_is_noted_first(ship: Ship) -> None:
    ship.job("a")
    ship.job("b")
    assert ship.orders("i-1") == ["a"]
    assert ship.placed == [("a", ["i-1"])]
    assert ship.orders("i-2") == ["b"]
    assert ship.orders("i-3") == []


def test_an_order_whose_answer_was_lost_is_given_again_to_the_same_instance(ship: Ship) -> None:
    ship.job("a")
    assert ship.orders("i-1") == ["a"]
    assert ship.orders("i-2") == []
    assert ship.orders("i-1") == ["a"]
    assert ship.orders("i-1", "a") == []
    assert len(ship.placed) == 1


def test_an_instance_that_no_longer_knows_its_job_has_lost_it(ship: Ship) -> None:
    job = ship.job("a")
    ship.orders("i-1")
    ship.orders("i-1", "a")
    ship.call("i-1")
    assert job.lost is not None
    assert job.exits[0]["ended_by"] == "lost"


def test_a_job_of_an_earlier_leader_that_its_instance_never_got_is_lost(ship: Ship) -> None:
    held, never = ship.job("held", members=["i-1"]), ship.job("never", members=["i-2"])
    ship.call("i-1", "held")
    ship.call("i-2")
    assert held.lost is None
    assert never.lost is not None


def test_a_drained_instance_gets_nothing_more(ship: Ship) -> None:
    ship.call("i-1", drain="terminate at noon")
    ship.job("a")
    assert ship.orders("i-1") == []
    assert ship.orders("i-2") == ["a"]


def test_an_instance_that_is_not_ready_gets_nothing(ship: Ship) -> None:
    ship.job("a")
    assert ship.orders("i-1", ready=False) == []
    assert ship.orders("i-1", ready=True) == ["a"]


def test_a_job_that_is_to_end_before_it_was_begun_never_begins(ship: Ship) -> None:
    waiting, given = ship.job("waiting"), ship.job("given")
    ship.crew.end("waiting")
    assert ship.orders("i-1") == ["given"]
    ship.crew.end("given")  # its order was lost on the way
    assert ship.orders("i-1") == []
    assert given.exits[0]["ended_by"] == "stop"
    assert not waiting.members


def test_strangers_are_ended_only_once_all_attempts_are_known(ship: Ship) -> None:
    ship.crew.synced = False
    assert ship.call("i-1", "of an earlier leader")["end"] == []
    ship.crew.forget(set())
    assert ship.call("i-1", "of an earlier leader")["end"] == ["of an earlier leader"]


def test_a_gang_starts_only_on_instances_of_one_launch_and_knows_its_first(ship: Ship) -> None:
    ship.job("gang", nodes=2)
    for instance, launch in (("i-1", "1"), ("i-2", "2"), ("i-3", "2")):
        ship.call(instance)
        ship.crew.members[instance].launch = launch
    first, second = ship.call("i-2")["orders"], ship.call("i-3")["orders"]
    assert [one["rank"] for one in (*first, *second)] == [0, 1]
    assert {one["env"]["MASTER_ADDR"] for one in (*first, *second)} == {"10.0.0.2"}
    assert ship.orders("i-1") == []


def test_a_gang_loses_its_job_with_one_instance_and_the_others_are_ended(ship: Ship) -> None:
    job = ship.job("gang", nodes=2)
    for instance in ("i-1", "i-2"):
        ship.call(instance)
        ship.crew.members[instance].launch = "1"
    ship.call("i-1")
    ship.call("i-1", "gang")
    ship.call("i-2", "gang")
    ship.crew.gone("i-1", "i-1 is gone")
    assert ship.call("i-2", "gang")["end"] == ["gang"]
    ship.crew.exited("gang", 1, {"code": -15, "ended_by": "stop", "error": None})
    assert job.over
    assert job.lost == "i-1 is gone"


def test_an_instance_is_silent_only_after_its_lease(ship: Ship) -> None:
    ship.call("i-1")
    assert ship.crew.silent() == []
    ship.crew.members["i-1"].seen -= 66
    assert ship.crew.silent() == ["i-1"]
