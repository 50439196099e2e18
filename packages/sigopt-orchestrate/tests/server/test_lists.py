"""Pages, sorts, filters and fields, on both databases."""

import base64
import hashlib
import json
from typing import Any

import httpx
import pytest

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}


@pytest.fixture
def project(either: Any) -> str:
    """A project with nine runs: every third without a value, one favourite, one failed."""
    either.ok("POST", f"/clients/{either.client_id}/projects", {"id": "p", "name": "P"})
    path = f"/clients/{either.client_id}/projects/p/training_runs"
    runs = [
        {
            "name": f"run {i}",
            "assignments": {"rate": i / 10, "kind": "even" if i % 2 == 0 else "odd"},
            "values": {} if i % 3 == 0 else {"acc": {"value": (i * 7) % 10, "value_stddev": 0.1}},
            "metadata": {"a b.c": i},
            "state": "failed" if i == 4 else "completed",
            "favorite": i == 5,
            "model": {"type": "tree"},
            "logs": {"stdout": {"content": f"hello {i}"}},
        }
        for i in range(9)
    ]
    assert either.ok("POST", f"{path}/batch", {"runs": runs, "fields": "id"})["count"] == 9
    return path


def names(page: Any) -> list[int]:
    return [int(run["name"].split()[1]) for run in page["data"]]


def found(caller: Any, path: str, *filters: tuple[str, str, Any]) -> list[int]:
    entries = [{"field": f, "operator": o, "value": v} for f, o, v in filters]
    page = caller.ok("GET", path, params={"filters": json.dumps(entries)})
    assert page["count"] == len(page["data"])
    return sorted(names(page))


def test_filters(either: Any, project: str) -> None:
    assert found(either, project, ("values.acc.value", ">=", 8)) == [4, 7]
    assert found(either, project, ("values.acc.value", "==", None)) == [0, 3, 6]
    assert found(either, project, ("values.acc.value", "isnull", False)) == [1, 2, 4, 5, 7, 8]
    assert found(either, project, ("assignments.kind", "==", "odd")) == [1, 3, 5, 7]
    assert found(either, project, ("assignments.rate", "<", 0.25)) == [0, 1, 2]
    assert found(either, project, ("metadata.a b.c", "!=", 3)) == [0, 1, 2, 4, 5, 6, 7, 8]
    assert found(either, project, ("state", "==", "failed")) == [4]
    assert found(either, project, ("favorite", "==", True)) == [5]
    assert found(either, project, ("favorite", "!=", True)) == [0, 1, 2, 3, 4, 6, 7, 8]
    assert found(either, project, ("name", "==", "run 2")) == [2]
    assert found(either, project, ("model.type", "==", "tree"), ("name", ">", "run 6")) == [7, 8]
    assert found(either, project, ("logs.stdout.content", "==", "hello 1")) == [1]
    assert found(either, project, ("experiment", "isnull", True), ("finished", "==", False)) == []
    page = either.ok("GET", project, params={"search": "N 3"})
    assert names(page) == [3]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("id", [8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ("+id", list(range(9))),
        ("+values.acc.value", [2, 5, 8, 1, 4, 7, 0, 3, 6]),  # runs without a value come last
        ("values.acc.value", [7, 4, 1, 8, 5, 2, 6, 3, 0]),
        ("+assignments.rate", list(range(9))),
        ("favorite", [5, 8, 7, 6, 4, 3, 2, 1, 0]),
        ("+name", list(range(9))),
    ],
)
@pytest.mark.parametrize("limit", [1, 4, 9])
def test_pages_make_the_whole_list_forwards_and_back(
    either: Any, project: str, sort: str, expected: list[int], limit: int
) -> None:
    ascending = str(sort.startswith("+")).lower()
    query = {"sort": sort.removeprefix("+"), "ascending": ascending, "limit": str(limit)}
    pages = [either.ok("GET", project, params=query)]
    while before := pages[-1]["paging"]["before"]:
        pages.append(either.ok("GET", project, params=query | {"before": before}))
    assert [name for page in pages for name in names(page)] == expected
    assert pages[0]["paging"]["after"] is None
    back = pages[-1]
    for page in reversed(pages[:-1]):
        back = either.ok("GET", project, params=query | {"after": back["paging"]["after"]})
        assert names(back) == names(page)
    assert back["paging"]["after"] is None


def test_fields_narrow_the_objects_and_the_list_names_its_fields(either: Any, project: str) -> None:
    page = either.ok("GET", project, params={"fields": "id,name"})
    assert {key for run in page["data"] for key in run} == {"object", "id", "name"}
    page = either.ok("GET", project)
    fields = {field["key"]: field for field in page["defined_fields"]}
    assert fields["values.acc.value"]["count"] == 6
    assert fields["assignments.kind"]["type"] == "string"


def test_x_response_content_skip_answers_with_nothing(either: Any) -> None:
    body = {"name": "e", "parameters": [X], "metrics": [{"name": "y"}]}
    skip = {"X-Response-Content": "skip"}
    response = either("POST", "/experiments", body, headers=skip)
    assert (response.status_code, response.content) == (204, b"")
    assert either.ok("GET", "/experiments")["count"] == 1


def test_merge_goes_deep_and_put_replaces(either: Any, project: str) -> None:
    run = either.ok("GET", project, params={"limit": "1"})["data"][0]
    path = f"/training_runs/{run['id']}"
    merged = either.ok(
        "MERGE",
        path,
        {
            "metadata": {"new": "x"},
            "values": {"loss": {"value": 1}, "acc": {"value": 2}},
            "assignments": {"kind": None},
        },
    )
    assert merged["metadata"] == {"a b.c": 8, "new": "x"}
    assert merged["assignments"] == {"rate": 0.8}
    assert merged["values"]["acc"]["value_stddev"] == 0.1
    assert set(merged["values"]) == {"acc", "loss"}
    put = either.ok("PUT", path, {"metadata": {"only": 1}, "favorite": True})
    assert put["metadata"] == {"only": 1}
    assert put["favorite"]
    assert set(put["values"]) == {"acc", "loss"}


def test_a_run_has_one_observation_however_often_its_end_is_said(either: Any) -> None:
    either.ok("POST", f"/clients/{either.client_id}/projects", {"id": "p", "name": "P"})
    experiment = either.ok(
        "POST",
        f"/clients/{either.client_id}/projects/p/aiexperiments",
        {"name": "e", "type": "random", "parameters": [X], "metrics": [{"name": "y"}], "budget": 2},
    )
    path = f"/experiments/{experiment['id']}"
    own = {"name": "r", "assignments": {"x": 0.5}}
    run = either.ok("POST", f"/aiexperiments/{experiment['id']}/training_runs", own)
    for _ in range(3):
        either.ok("MERGE", f"/training_runs/{run['id']}", {"state": "completed"})
    (observation,) = either.ok("GET", f"{path}/observations")["data"]
    assert observation["failed"]  # its metric was never logged
    either.ok("MERGE", f"/training_runs/{run['id']}", {"values": {"y": {"value": 3}}})
    (observation,) = either.ok("GET", f"{path}/observations")["data"]
    assert (observation["failed"], observation["value"]) == (False, 3)
    assert "runs instead" in either.refused(403, "POST", f"{path}/suggestions", {})
    body = {"assignments": {"x": 1}, "value": 1}
    assert "runs instead" in either.refused(403, "POST", f"{path}/observations", body)
    either.ok("DELETE", f"/training_runs/{run['id']}")
    assert either.ok("GET", f"{path}/observations")["count"] == 0
    progress = either.ok("GET", f"/aiexperiments/{experiment['id']}")["progress"]
    assert progress["remaining_budget"] == 2


def test_what_no_database_keeps_and_markers_of_other_lists(either: Any, project: str) -> None:
    client = f"/clients/{either.client_id}"
    assert either("GET", f"{client}/projects/a%00b").status_code == 404
    assert either("GET", "/experiments", params={"search": "a\0"}).status_code == 400
    page = either.ok("GET", project, params={"sort": "name", "limit": "2"})
    crossed = {"sort": "values.acc.value", "before": page["paging"]["before"]}
    assert either("GET", project, params=crossed).status_code < 500


def test_a_files_addresses_are_good_for_their_purpose_alone(either: Any, project: str) -> None:
    run = either.ok("GET", project, params={"limit": "1"})["data"][0]["id"]
    content = b"some bytes"
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    body = {"name": "f", "content_length": len(content), "content_md5": md5}
    body["content_type"] = "text/html"
    file = either.ok("POST", f"/training_runs/{run}/files", body)
    url, headers = file["upload"]["url"], file["upload"]["headers"]
    bare = url.partition("?")[0]
    for signature in ("", "é", "0" * 64):
        assert httpx.put(bare, params={"signature": signature}).status_code == 403
    assert httpx.put(url, content=b"other byte", headers=headers).status_code == 400
    assert httpx.put(url, content=content + b"!", headers=headers).status_code == 400
    assert httpx.put(url, content=content, headers=headers).status_code == 200
    assert httpx.put(url, content=content, headers=headers).status_code == 409
    download = either.ok("GET", f"/files/{file['id']}")["download"]["url"]
    got = httpx.get(download)
    assert got.content == content
    assert "sandbox" in got.headers["content-security-policy"]
    assert httpx.get(download.replace("expires=", "expires=9")).status_code == 403
