"""Two servers on one store, and a server whose disk is full for a while."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
BODY = {"name": "e", "type": "random", "parameters": [X], "metrics": [{"name": "y"}]}
OBSERVATION = {"assignments": {"x": 0.5}, "values": [{"name": "y", "value": 1}]}


def test_two_servers_on_one_store_hand_out_and_count_everything_once(
    second_server: Any, either: Any
) -> None:
    callers = [either, second_server(either)]
    experiment = f"/experiments/{callers[0].ok('POST', '/experiments', BODY)['id']}"
    queued = [round(0.01 * number, 2) for number in range(24)]
    for number, x in enumerate(queued):
        queue = f"{experiment}/queued_suggestions"
        callers[number % 2].ok("POST", queue, {"assignments": {"x": x}})

    def work(number: int) -> tuple[float, str]:
        caller = callers[number % 2]
        suggestion = caller.ok("POST", f"{experiment}/suggestions", {})
        body = {"suggestion": suggestion["id"], "values": [{"name": "y", "value": 1}]}
        observation = caller.ok("POST", f"{experiment}/observations", body)
        return suggestion["assignments"]["x"], observation["id"]

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, range(len(queued))))
    assert Counter(x for x, _ in done) == Counter(queued)
    assert len({row_id for _, row_id in done}) == len(queued)
    for caller in callers:
        progress = caller.ok("GET", experiment)["progress"]
        assert progress["observation_count"] == len(queued)


@pytest.mark.slow
def test_a_full_disk_is_a_503_and_nothing_is_half_stored(server_on: Any, disk: Any) -> None:
    caller = server_on(disk.path)
    experiment = f"/experiments/{caller.ok('POST', '/experiments', BODY)['id']}"
    filler = disk.fill()
    big = OBSERVATION | {"metadata": {"note": "n" * 400}}
    answers = [caller("POST", f"{experiment}/observations", big).status_code for _ in range(8)]
    assert set(answers) <= {200, 201, 503}
    assert 503 in answers
    filler.unlink()
    caller.ok("POST", f"{experiment}/observations", big)
    stored = caller.ok("GET", f"{experiment}/observations")["count"]
    assert stored == 1 + sum(status != 503 for status in answers)
