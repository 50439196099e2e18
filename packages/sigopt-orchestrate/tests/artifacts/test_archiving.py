"""An attempt's end is held back until what it left is in the bucket, but not for ever."""

import json
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest
from kept import Kept
from pretend_aws import Answer

from sigopt_orchestrate.executors import Attempt, Ended, Exit, Presence, Running, Work
from sigopt_orchestrate.executors.archiving import ArchivingExecutor
from sigopt_orchestrate.spec.artifacts import Artifacts
from sigopt_orchestrate.store import ExperimentFolder


class Over:
    """Runs nothing: all attempts have ended in the same way."""

    def __init__(self, end: Exit) -> None:
        self.presence: Presence = Ended(end)
        self.closed = False

    def submit(self, attempt: Attempt, work: Work) -> None:
        raise NotImplementedError

    def find(self, attempt: Attempt) -> Presence:  # noqa: ARG002
        return self.presence

    def end(self, attempt: Attempt) -> None:
        """Nothing runs."""

    def kill(self, attempt: Attempt) -> None:
        """Nothing runs."""

    def retain(self, tokens: Collection[str]) -> None:
        """Nothing is left."""

    def close(self) -> None:
        self.closed = True


Held = tuple[ArchivingExecutor, Attempt]


@pytest.fixture
def make_held(kept: Kept, tmp_path: Path) -> Iterator[Callable[[Exit], Held]]:
    """Makes an executor around an attempt that has ended so, with a log of one line."""
    made: list[ArchivingExecutor] = []

    def make(end: Exit) -> Held:
        folder = ExperimentFolder(tmp_path)
        attempt = Attempt("token", folder.attempt(1, 1))
        attempt.folder.output.mkdir(parents=True)
        (attempt.folder.output / "model").write_text("weights")
        attempt.folder.log.write_text("said\n")
        wanted = Artifacts(uri="s3://kept/team")
        made.append(
            ArchivingExecutor(Over(end), kept.keeper, folder, wanted, carries=True, patience_s=0.05)
        )
        return made[-1], attempt

    yield make
    kept.aws.rule = None
    for executor in made:
        executor.close()


def until_over(executor: ArchivingExecutor, attempt: Attempt) -> Presence:
    a_moment = threading.Event()
    while (found := executor.find(attempt)) == Running():
        a_moment.wait(0.01)
    return found


def test_it_has_ended_once_all_of_it_is_kept(make_held: Callable[[Exit], Held], kept: Kept) -> None:
    executor, attempt = make_held(Exit(0))
    assert executor.find(attempt) == Running()
    assert until_over(executor, attempt) == Ended(Exit(0))
    assert kept.names() == [
        f"trials/0001/1/{name}"
        for name in ("output.json", "output/model", "records.json", "records/log")
    ]
    assert kept.read("trials/0001/1/records/log") == b"said\n"
    assert json.loads(attempt.folder.archived.read_bytes()) == {"problem": None}


def test_a_bucket_out_of_reach_is_not_waited_for_for_ever_and_the_log_says_so(
    make_held: Callable[[Exit], Held], kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    executor, attempt = make_held(Exit(1))
    kept.aws.rule = lambda _call: Answer(503, "SlowDown")
    assert until_over(executor, attempt) == Ended(Exit(1))
    problem = json.loads(attempt.folder.archived.read_bytes())["problem"]
    assert problem == "s3:HeadObject: 503: Service Unavailable"
    assert "its output is not in S3" in attempt.folder.log.read_text()
    assert "trial 1: not all of it is in S3" in caplog.text


def test_whoever_stops_the_experiment_does_not_wait(
    make_held: Callable[[Exit], Held], kept: Kept
) -> None:
    executor, attempt = make_held(Exit(0))
    kept.aws.rule = lambda _call: Answer(503, "SlowDown")
    assert executor.find(attempt) == Running()
    executor.end(attempt)
    assert executor.find(attempt) == Ended(Exit(0))


def test_a_stopped_attempt_leaves_no_output_and_its_log(
    make_held: Callable[[Exit], Held], kept: Kept
) -> None:
    executor, attempt = make_held(Exit(-15, ended_by="stop"))
    assert executor.find(attempt) == Ended(Exit(-15, ended_by="stop"))
    executor.close()
    assert kept.names() == ["trials/0001/1/records.json", "trials/0001/1/records/log"]
