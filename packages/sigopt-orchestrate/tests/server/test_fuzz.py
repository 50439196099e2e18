"""Whatever is sent, by our own OpenAPI document and beside it, the server never breaks."""

import warnings
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case

from sigopt_orchestrate.server.openapi import document
from sigopt_orchestrate.server.routes import ENDPOINTS

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
EXPERIMENT = {"name": "e", "type": "random", "parameters": [X], "metrics": [{"name": "y"}]}
PHASES = (Phase.explicit, Phase.generate)
CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
BOUNDED = settings(
    max_examples=4, deadline=None, phases=PHASES, suppress_health_check=CHECKS, derandomize=True
)
OPERATIONS = [
    (path, verb)
    for path, verbs in document(ENDPOINTS)["paths"].items()
    for verb in verbs
    if not verb.startswith("x-")
]
SCHEMA = schemathesis.openapi.from_dict(document(ENDPOINTS))


@pytest.fixture
def objects(caller: Any) -> dict[str, str]:
    """One object of each kind, its id by the name that addresses have for it."""
    client = f"/clients/{caller.client_id}"
    caller.ok("POST", f"{client}/projects", {"id": "p", "name": "P"})
    plain = caller.ok("POST", "/experiments", EXPERIMENT)["id"]
    suggestion = caller.ok("POST", f"/experiments/{plain}/suggestions")["id"]
    body = {"suggestion": suggestion, "value": 1}
    observation = caller.ok("POST", f"/experiments/{plain}/observations", body)["id"]
    body = {"assignments": {"x": 0.5}}
    queued = caller.ok("POST", f"/experiments/{plain}/queued_suggestions", body)["id"]
    run = caller.ok("POST", f"{client}/projects/p/training_runs", {"name": "r"})["id"]
    body = {"values": [{"name": "y", "value": 1}]}
    checkpoint = caller.ok("POST", f"/training_runs/{run}/checkpoints", body)["id"]
    tag = caller.ok("POST", f"{client}/tags", {"name": "t", "color": "#00ff00"})["id"]
    return {
        "client": str(caller.client_id),
        "project": "p",
        "experiment": plain,
        "suggestion": suggestion,
        "observation": observation,
        "queued_suggestion": queued,
        "training_run": run,
        "checkpoint": checkpoint,
        "tag": tag,
        "file": "1",
        "token": "self",
        "organization": "1",
    }


@pytest.mark.parametrize(("path", "verb"), OPERATIONS)
def test_no_request_that_the_document_allows_breaks_it(
    caller: Any, objects: dict[str, str], path: str, verb: str
) -> None:
    if (path, verb) in (("/v1/tokens/{token}", "delete"), ("/v1/tokens/{token}", "put")):
        objects |= {"token": "999999"}  # its own token is needed for the next request

    @given(case=SCHEMA[path][verb.upper()].as_strategy())
    @BOUNDED
    def send(case: Case) -> None:
        case.path_parameters = {name: objects[name] for name in case.path_parameters or {}}
        verbs = [verb.upper(), "MERGE"] if path == "/v1/training_runs/{training_run}" else [None]
        for method in verbs if verb == "put" else [None]:
            if method is not None:
                case.method = method
            response = case.call(base_url=caller.address, auth=(caller.token, ""), timeout=60)
            assert response.status_code < 500, (response.status_code, response.text)
            if response.status_code >= 400:
                said = response.json()
                assert said["status"] == response.status_code
                assert said["message"]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # schemathesis' own
        send()


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=10), children, max_size=3)
    ),
    max_leaves=8,
)
KEYS = sorted({key for e in ENDPOINTS if e.body for key in e.body.model_fields})
ADDRESSES = sorted(
    (e.method, e.path) for e in ENDPOINTS if e.body is not None and "/tokens/" not in e.path
)


@given(
    address=st.sampled_from(ADDRESSES),
    body=st.dictionaries(st.sampled_from(KEYS), anything, max_size=6),
)
@settings(max_examples=120, deadline=None, suppress_health_check=CHECKS, derandomize=True)
def test_no_json_whatever_breaks_it(
    caller: Any, objects: dict[str, str], address: tuple[str, str], body: dict[str, Any]
) -> None:
    method, path = address
    url = caller.address + path.format_map(objects)
    response = requests.request(method, url, json=body, auth=(caller.token, ""), timeout=60)
    assert response.status_code < 500, response.text


@given(data=st.binary(max_size=200), path=st.text(max_size=30), query=st.text(max_size=50))
@settings(max_examples=60, deadline=None, suppress_health_check=CHECKS, derandomize=True)
def test_no_bytes_and_no_address_break_it(caller: Any, data: bytes, path: str, query: str) -> None:
    url = f"{caller.address}/v1/experiments/{requests.utils.quote(path, safe='')}"
    for method in ("GET", "PUT"):
        response = requests.request(
            method, url, params={"filters": query}, data=data, auth=(caller.token, ""), timeout=60
        )
        assert response.status_code < 500, response.text
