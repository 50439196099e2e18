import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer import Observed, Suggestion, SuggestionService, child
from sigopt_orchestrate.optimizer.messages import Request, read_request, request_line
from sigopt_orchestrate.optimizer.suggest import suggest
from sigopt_orchestrate.spec import Experiment

DEADLINE_S = 60.0
Start = Callable[..., SuggestionService]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    services: list[SuggestionService] = []

    def start(experiment: Experiment, **more: float) -> SuggestionService:
        services.append(SuggestionService(experiment, tmp_path / "optimizer.log", **more))
        return services[-1]

    yield start
    for service in services:
        service.close()


def _answer(service: SuggestionService) -> Suggestion:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        suggestion = service.poll()
        if suggestion is not None:
            return suggestion
        select.select([service], [], [], 1.0)
    raise TimeoutError


def _informed(count: int = 6) -> list[Observed]:
    return [Observed({"x": i / 10, "y": (7 * i % 10) / 10}, (float(i),)) for i in range(count)]


def _gone(pid: int) -> bool:
    """Whether the process has ended; nobody may be there to reap an orphan."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _await(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if condition():
            return True
        select.select([], [], [], 0.01)
    return False


def test_answers_are_those_of_suggest(build, start) -> None:
    experiment = build(seed=3)
    service = start(experiment)
    history: list[Observed] = []
    for _ in range(3):
        service.request(history, [])
        assert service.busy
        suggestion = _answer(service)
        assert not service.busy
        assert suggestion == suggest(experiment, history, [])
        history.append(Observed(suggestion.assignments, None))


def test_killed_in_the_middle_it_still_answers_and_to_the_bit(build, start) -> None:
    experiment = build()
    service = start(experiment)
    first = service._child.pid
    service.request(_informed(), [])
    assert service.poll() is None
    os.kill(first, signal.SIGKILL)
    suggestion = _answer(service)
    assert suggestion.source == "bayesian"
    assert suggestion == suggest(experiment, _informed(), [])
    assert service._child.pid != first
    assert _gone(first)


def test_only_one_request_at_a_time(build, start) -> None:
    service = start(build())
    service.request([], [])
    with pytest.raises(RuntimeError, match="one may be at a time"):
        service.request([], [])


def test_a_death_between_requests_goes_unnoticed(build, start) -> None:
    service = start(build())
    os.kill(service._child.pid, signal.SIGKILL)
    assert select.select([service], [], [], DEADLINE_S)[0]
    assert service.poll() is None
    assert not select.select([service], [], [], 0)[0]
    service.request([], [])
    assert _answer(service).source == "centre"


def test_a_request_that_kills_gets_a_quasi_random_answer(build, start, monkeypatch) -> None:
    script = """
import sys
from sigopt_orchestrate.optimizer import process
def suggest(*args):
    raise MemoryError("a fit that kills")
process.suggest = suggest
process.main()
"""
    monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-c", script))
    experiment = build()
    service = start(experiment)
    service.request(_informed(), [])
    assert _answer(service).source == "quasi-random"
    assert service._log_path.read_text().count("a fit that kills") == 2


def test_a_process_that_hangs_is_replaced_and_asked_for_less(build, start, monkeypatch) -> None:
    script = """
import sys, time
from sigopt_orchestrate.optimizer import process
def suggest(*args):
    time.sleep(600)
process.suggest = suggest
process.main()
"""
    monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-c", script))
    service = start(build(), time_box_s=0.2)
    first = service._child.pid
    service.request(_informed(), [])
    monkeypatch.setattr(service, "_time_box_s", DEADLINE_S)  # the plain answer has time
    assert _answer(service).source == "quasi-random"
    assert _gone(first)


def test_a_process_that_cannot_live_is_an_error_with_the_log(build, start, monkeypatch) -> None:
    monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-c", "raise SystemExit('broken')"))
    service = start(build())
    service.request([], [])
    with pytest.raises(SuggestionError, match=r"again and again.*optimizer\.log"):
        _answer(service)
    assert not service.busy
    assert "broken" in service._log_path.read_text()


def test_a_long_history_does_not_block(build, start) -> None:
    history = [Observed({"x": i / 9000, "y": 0.5}, None) for i in range(9000)]
    service = start(build())
    assert len(request_line(Request(tuple(history), ()))) > 2**18
    service.request(history, [])
    assert service.poll() is None
    assert _answer(service).source == "quasi-random"


def test_closing_ends_the_process_in_the_middle_and_may_be_repeated(build, start) -> None:
    service = start(build())
    pid = service._child.pid
    service.request(_informed(), [])
    service.close()
    service.close()
    assert not psutil.pid_exists(pid)


def test_the_end_of_its_input_ends_the_process_in_the_middle(build) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sigopt_orchestrate.optimizer.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    experiment = build().model_dump_json(by_alias=True).encode() + b"\n"
    answer, _ = process.communicate(
        experiment + request_line(Request(tuple(_informed()), ())), timeout=DEADLINE_S
    )
    assert (process.returncode, answer) == (0, b"")


def test_no_process_is_left_when_the_parent_is_killed(build, tmp_path: Path) -> None:
    script = f"""
import sys, time
from pathlib import Path
from sigopt_orchestrate.optimizer import Observed, SuggestionService
from sigopt_orchestrate.spec import Experiment
experiment = Experiment.model_validate_json({build().model_dump_json(by_alias=True)!r})
service = SuggestionService(experiment, Path({str(tmp_path / "log")!r}))
service.request({_informed()!r}, [])
print(service._child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
    assert _await(lambda: _gone(pid))


def test_ctrl_c_does_not_reach_the_process(build, start) -> None:
    service = start(build())
    service.request([], [])
    _answer(service)
    pid = service._child.pid
    assert os.getsid(pid) == pid != os.getsid(0)
    os.kill(pid, signal.SIGINT)
    service.request([], [])
    assert _answer(service).source == "centre"
    assert service._child.pid == pid


def test_what_others_print_goes_to_the_log() -> None:
    script = """
import os
from sigopt_orchestrate.optimizer.process import _claim_stdout
answers = _claim_stdout()
print("printed", flush=True)
os.write(1, b"written ")
os.system("echo by a child")
answers.write(b"answer\\n")
answers.flush()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"answer\n"
    assert done.stderr.split() == [b"printed", b"written", b"by", b"a", b"child"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_model_is_imported_only_where_it_will_be_needed(build, start) -> None:
    def has_model(service: SuggestionService) -> bool:
        return "lapack" in Path(f"/proc/{service._child.pid}/maps").read_text()

    random, bayesian = start(build(algorithm="random")), start(build())
    for service in (random, bayesian):
        service.request([], [])
        _answer(service)
    assert _await(lambda: has_model(bayesian))
    assert not has_model(random)


def test_the_package_imports_no_numerics() -> None:
    script = """
import sys
import sigopt_orchestrate.optimizer
print(*[name for name in ("torch", "scipy", "numpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b""


def test_a_request_survives_the_way_to_the_process() -> None:
    request = Request(
        (
            Observed({"x": 0.1, "n": 3, "c": "é"}, (1e300, -0.1), (0.0, 0.5)),
            Observed({"x": 1.0}, None),
        ),
        ({"x": 5e-324},),
        plain=True,
    )
    line = request_line(request)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert read_request(line) == request


def test_a_history_that_goes_on_is_sent_from_there_on(build, start) -> None:
    experiment = build()
    service = start(experiment)
    history = _informed()[:2]
    for extra in ([Observed({"x": 0.3, "y": 0.1}, None)], []):
        service.request(history, [])
        assert _answer(service) == suggest(experiment, history, [])
        history = [*history, *extra]
    rewritten = list(reversed(history))
    service.request(rewritten, [])
    assert _answer(service) == suggest(experiment, rewritten, [])
    sent = []
    service._child.send = sent.append
    service.request([*rewritten, history[0]], [])
    (line,) = sent
    assert read_request(line) == Request((history[0],), (), known=3)
