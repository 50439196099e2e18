"""Who may do what: tokens, scopes, clients apart from each other, limits."""

import base64
import hashlib
import json
import subprocess
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from sigopt_orchestrate.server.authentication import Scope
from sigopt_orchestrate.server.errors import RateLimitError
from sigopt_orchestrate.server.limits import RateLimit
from sigopt_orchestrate.store.database import open_database, reading
from sigopt_orchestrate.store.resources import audit_log, tokens

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
EXPERIMENT = {"name": "e", "type": "random", "parameters": [X], "metrics": [{"name": "y"}]}


def everything_of(caller: Any) -> list[str]:
    """Makes one object of each kind, and returns their addresses."""
    client = f"/clients/{caller.client_id}"
    caller.ok("POST", f"{client}/projects", {"id": "p", "name": "P"})
    plain = caller.ok("POST", "/experiments", EXPERIMENT)["id"]
    suggestion = caller.ok("POST", f"/experiments/{plain}/suggestions")["id"]
    observation = caller.ok(
        "POST", f"/experiments/{plain}/observations", {"suggestion": suggestion, "value": 1}
    )["id"]
    queued = caller.ok(
        "POST", f"/experiments/{plain}/queued_suggestions", {"assignments": {"x": 0.5}}
    )["id"]
    ai = caller.ok("POST", f"{client}/projects/p/aiexperiments", EXPERIMENT | {"budget": 3})["id"]
    run = caller.ok("POST", f"/aiexperiments/{ai}/training_runs", {"name": "r"})["id"]
    checkpoint = caller.ok("POST", f"/training_runs/{run}/checkpoints", {"values": []})["id"]
    md5 = base64.b64encode(hashlib.md5(b"x", usedforsecurity=False).digest()).decode()
    file = caller.ok(
        "POST",
        f"/training_runs/{run}/files",
        {"name": "f", "content_length": 1, "content_md5": md5, "content_type": "text/plain"},
    )["id"]
    return [
        client,
        f"{client}/projects",
        f"{client}/projects/p",
        f"{client}/tokens",
        f"{client}/tags",
        f"{client}/training_runs",
        f"{client}/projects/p/training_runs",
        f"/experiments/{plain}",
        f"/experiments/{plain}/suggestions/{suggestion}",
        f"/experiments/{plain}/observations/{observation}",
        f"/experiments/{plain}/queued_suggestions/{queued}",
        f"/experiments/{plain}/best_assignments",
        f"/experiments/{plain}/stopping_criteria",
        f"/aiexperiments/{ai}",
        f"/aiexperiments/{ai}/best_training_runs",
        f"/training_runs/{run}",
        f"/training_runs/{run}/checkpoints/{checkpoint}",
        f"/files/{file}",
    ]


def test_everything_is_seen_by_its_own_client_and_by_no_other(either: Any, api: Any) -> None:
    stranger = api.issue()
    for path in everything_of(either):
        assert either("GET", path).status_code == 200, path
        assert stranger("GET", path).status_code == 403, path
    for path in ("/experiments", "/aiexperiments", "/training_runs"):
        assert either.ok("GET", path)["count"] == 1
        assert stranger.ok("GET", path)["count"] == 0


def test_strangers_change_nothing(either: Any, api: Any) -> None:
    stranger = api.issue()
    paths = everything_of(either)
    experiment = next(path for path in paths if path.startswith("/experiments/"))
    run = next(path for path in paths if path.startswith("/training_runs/"))
    for method, path, body in (
        ("PUT", experiment, {"name": "mine"}),
        ("DELETE", experiment, None),
        ("POST", f"{experiment}/suggestions", None),
        ("POST", f"{experiment}/observations", {"assignments": {"x": 1}, "value": 1}),
        ("DELETE", f"{experiment}/observations", None),
        ("MERGE", run, {"name": "mine"}),
        ("DELETE", run, None),
        ("POST", f"{run}/tokens", None),
        ("POST", f"/clients/{either.client_id}/tokens", None),
    ):
        assert stranger(method, path, body).status_code == 403, (method, path)
    assert either.ok("GET", experiment)["name"] == "e"


@pytest.mark.parametrize(
    "path",
    [
        "/clients/999999",
        "/experiments/999999",
        "/experiments/abc",
        "/experiments/99999999999999999999999999",
        "/aiexperiments/999999",
        "/training_runs/999999",
        "/files/999999",
        "/tokens/999999",
        "/organizations/999999",
        "/nothing/here",
    ],
)
def test_what_does_not_exist(caller: Any, path: str) -> None:
    assert caller.refused(404, "GET", path)


def test_a_verb_that_an_address_does_not_know(caller: Any) -> None:
    assert "GET" in caller.refused(405, "PUT", "/sessions", {})


def test_a_token_is_needed_and_basic_and_bearer_both_carry_it(caller: Any) -> None:
    url = f"{caller.address}/v1/tokens/self"
    missing = httpx.get(url)
    assert missing.status_code == 401
    assert missing.json()["status"] == 401
    assert missing.headers["www-authenticate"].startswith("Basic")
    assert httpx.get(url, auth=("not-a-token", "")).status_code == 403
    assert httpx.get(url, headers={"Authorization": "Basic !!!"}).status_code == 401
    bearer = httpx.get(url, headers={"Authorization": f"Bearer {caller.token}"})
    assert bearer.json()["client"] == str(caller.client_id)
    assert bearer.json() == httpx.get(url, auth=(caller.token, "")).json()


def test_a_token_is_stored_as_its_digest_alone(caller: Any, sqlite_api: Any) -> None:
    database = sqlite_api.settings.store
    engine = open_database(database)
    with reading(engine) as tx:
        stored = tx.execute(select(tokens.c.digest)).scalars().all()
    engine.dispose()
    assert hashlib.sha256(caller.token.encode()).hexdigest() in stored
    # Read by another process: where one that has a SQLite file open closes a second descriptor of
    # it, the kernel drops its locks, and the next process to leave removes the log it still uses.
    files = list(database.parent.glob("orchestrate.db*"))
    found = subprocess.run(["grep", "--quiet", "--text", caller.token, *files], check=False)
    assert found.returncode == 1


def test_scopes_read_write_and_admin(caller: Any, sqlite_api: Any) -> None:
    reader = sqlite_api.issue(caller.client_id, Scope.READ)
    writer = sqlite_api.issue(caller.client_id, Scope.WRITE)
    listed = f"/clients/{caller.client_id}/tokens"
    assert reader("GET", "/experiments").status_code == 200
    assert "scope is read" in reader.refused(403, "POST", "/experiments", EXPERIMENT)
    assert writer("POST", "/experiments", EXPERIMENT).status_code == 201
    assert "needs admin" in writer.refused(403, "GET", listed)
    assert "needs admin" in writer.refused(403, "POST", listed, {"scope": "admin"})
    assert caller.ok("GET", listed)["count"] == 3
    assert {token["token"] for token in caller.ok("GET", listed)["data"]} == {None}


def test_a_trials_token_reports_on_its_run_and_sees_nothing_else(caller: Any) -> None:
    paths = everything_of(caller)
    run = next(path for path in paths if path.startswith("/training_runs/")).split("/checkp")[0]
    token = caller.ok("POST", f"{run}/tokens", {"lease_length": 600})
    assert (token["scope"], token["training_run"]) == ("trial", run.rsplit("/", 1)[1])
    trial = type(caller)(caller.address, token["token"], caller.client_id)
    trial.ok("MERGE", run, {"values": {"y": {"value": 1}}})
    trial.ok("POST", f"{run}/checkpoints", {"values": [{"name": "y", "value": 1}]})
    assert trial.ok("GET", "/tokens/self")["lease_length"] == 600
    file = next(path for path in paths if path.startswith("/files/"))
    for path in paths:
        expected = 200 if path.startswith(run) or path == file else 403
        assert trial("GET", path).status_code == expected, path
    other = caller.ok(
        "POST", f"/clients/{caller.client_id}/projects/p/training_runs", {"name": "other"}
    )
    assert trial("MERGE", f"/training_runs/{other['id']}", {"name": "x"}).status_code == 403


def test_an_experiments_token_is_good_for_it_alone(caller: Any) -> None:
    first, second = (caller.ok("POST", "/experiments", EXPERIMENT)["id"] for _ in range(2))
    token = caller.ok("POST", f"/experiments/{first}/tokens")["token"]
    narrow = type(caller)(caller.address, token, caller.client_id)
    narrow.ok("POST", f"/experiments/{first}/suggestions")
    assert narrow("POST", f"/experiments/{second}/suggestions").status_code == 403
    assert narrow("GET", "/experiments").status_code == 403


def test_a_revoked_or_expired_token_is_dead_at_once(caller: Any) -> None:
    listed = f"/clients/{caller.client_id}/tokens"
    made = caller.ok("POST", listed, {"name": "ci", "scope": "write"})
    other = type(caller)(caller.address, made["token"], caller.client_id)
    assert other("GET", "/experiments").status_code == 200
    caller.ok("DELETE", f"/tokens/{made['id']}")
    assert other("GET", "/experiments").status_code == 403
    made = caller.ok("POST", listed, {"lease_length": 1000})
    other = type(caller)(caller.address, made["token"], caller.client_id)
    assert other("GET", "/experiments").status_code == 200
    caller.ok("PUT", f"/tokens/{made['token']}", {"expires": 1})
    assert "expired" in other.refused(403, "GET", "/experiments")


def test_what_an_admin_does_is_in_the_audit_log_without_tokens(
    caller: Any, sqlite_api: Any
) -> None:
    made = caller.ok("POST", f"/clients/{caller.client_id}/tokens", {})
    caller.ok("DELETE", f"/tokens/{made['token']}")
    engine = open_database(sqlite_api.settings.store)
    with reading(engine) as tx:
        mine = audit_log.c.client_id == caller.client_id
        rows = tx.execute(select(audit_log).where(mine).order_by(audit_log.c.id)).all()
    engine.dispose()
    assert [row.action for row in rows] == [
        "POST /v1/clients/{client}/tokens",
        "DELETE /v1/tokens/{token}",
    ]
    assert made["token"] not in json.dumps([row.subject for row in rows])


def test_a_bucket_empties_and_fills_again() -> None:
    clock = [0.0]
    limit = RateLimit[str](2, lambda: clock[0])
    for _ in range(4):
        limit.spend("a")
    with pytest.raises(RateLimitError, match="more than 2 requests a second"):
        limit.spend("a")
    limit.spend("b")
    clock[0] = 0.5
    limit.spend("a")
    with pytest.raises(RateLimitError):
        limit.spend("a")


def test_health_and_metrics_need_no_token_and_name_none(caller: Any) -> None:
    caller("GET", f"/tokens/{caller.token}")
    assert httpx.get(f"{caller.address}/health").json() == {"status": "alive"}
    assert httpx.get(f"{caller.address}/ready").json() == {"status": "ready"}
    text = httpx.get(f"{caller.address}/metrics").text
    assert 'orchestrate_http_requests_total{method="GET",path="/v1/tokens/{token}"' in text
    assert caller.token not in text
