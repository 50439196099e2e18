"""Files that are carried to S3 and back, whatever happens on the way."""

import ast
import base64
import hashlib
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept import PART, Kept, fault_at
from pretend_aws import Answer

from sigopt_orchestrate.artifacts.answering import courier_code
from sigopt_orchestrate.artifacts.courier.files import ChangedError, RefusedError, describe, sources
from sigopt_orchestrate.artifacts.courier.transfer import CancelledError
from sigopt_orchestrate.artifacts.keeper import BadQuestionError
from sigopt_orchestrate.aws.session import AwsError

SIZES = st.sampled_from([0, 1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART - 1, 4 * PART + 5])


def write(folder: Path, **sizes: int) -> dict[str, str]:
    """Makes files of these sizes, no two parts of which are the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in sizes.items():
        content = hashlib.shake_256(f"{name} {size}".encode()).digest(size)
        (folder / name).write_bytes(content)
    return sources(str(folder))


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sizes=st.lists(SIZES, min_size=1, max_size=2), at=st.integers(0, 20), lost=st.booleans())
def test_an_upload_that_is_interrupted_at_any_call_goes_on_to_one_right_object(
    kept: Kept, tmp_path: Path, sizes: list[int], at: int, lost: bool
) -> None:
    kept.bucket.delete(kept.bucket.keys("team/"))
    named = {f"f{number}": size for number, size in enumerate(sizes)}
    found = write(tmp_path / "-".join(map(str, sizes)), **named)
    cancelled = threading.Event()

    def interrupt() -> Answer:
        cancelled.set()
        return Answer(lost=lost)

    fault_at(kept.aws, at, interrupt)
    try:
        kept.courier(cancelled=cancelled).send("output", found)
    except CancelledError:
        assert "trials/0001/1/output.json" not in kept.names() or lost
        kept.courier().send("output", found)
    kept.aws.rule = None
    assert kept.names() == [
        "trials/0001/1/output.json",
        *(f"trials/0001/1/output/{name}" for name in named),
    ]
    for name, path in found.items():
        assert kept.read(f"trials/0001/1/output/{name}") == Path(path).read_bytes()
    assert kept.bucket.uploads("") == []
    target = tmp_path / "fetched"
    assert kept.courier().fetch("output", str(target))
    assert {p.name: p.read_bytes() for p in target.iterdir()} == {
        name: Path(path).read_bytes() for name, path in found.items()
    }


def test_parts_that_are_there_are_not_sent_again(kept: Kept, tmp_path: Path) -> None:
    found = write(tmp_path / "a", model=6 * PART)
    cancelled = threading.Event()
    sent: list[bytes] = []

    def rule(call: Any) -> Answer | None:
        if call.action.startswith("PUT") and len(call.body) == PART:
            if len(sent) == 3 and not cancelled.is_set():
                cancelled.set()
                return Answer()
            sent.append(call.body)
        return None

    kept.aws.rule = rule
    with pytest.raises(CancelledError):
        kept.courier(cancelled=cancelled).send("output", found)
    kept.courier().send("output", found)
    assert len(sent) == len(set(sent)) == 6
    before = len(sent)
    kept.courier().send("output", found)
    assert len(sent) == before, "what is there whole is not sent at all"


def test_every_call_may_be_throttled_or_its_answer_lost_once(kept: Kept, tmp_path: Path) -> None:
    found = write(tmp_path / "a", model=3 * PART, small=3)
    for fault in (Answer(503, "SlowDown"), Answer(lost=True)):
        met: set[tuple[str, bytes]] = set()

        def rule(call: Any, fault: Answer = fault, met: set[Any] = met) -> Answer | None:
            if (call.action, call.body[:1]) in met:
                return None
            met.add((call.action, call.body[:1]))
            return fault

        kept.aws.rule = rule
        kept.courier(trial=2 if fault.lost else 1).send("output", found)
        kept.aws.rule = None
    assert kept.read("trials/0001/1/output/model") == kept.read("trials/0002/1/output/model")
    assert kept.bucket.uploads("") == []


def test_a_file_that_changes_on_its_way_is_refused_by_its_checksum(
    kept: Kept, tmp_path: Path
) -> None:
    found = write(tmp_path / "a", model=2 * PART)

    def rule(call: Any) -> None:
        if call.action.startswith("HEAD"):
            Path(found["model"]).write_bytes(b"!" * 2 * PART)

    kept.aws.rule = rule
    with pytest.raises(ChangedError, match="model: S3 got other bytes than were announced"):
        kept.courier().send("output", found)
    kept.aws.rule = None
    kept.courier().send("output", found)
    assert kept.read("trials/0001/1/output/model") == b"!" * 2 * PART
    assert kept.bucket.uploads("") == []


def test_a_damaged_download_is_refused_and_nothing_takes_its_name(
    kept: Kept, tmp_path: Path
) -> None:
    kept.courier().send("checkpoint", write(tmp_path / "a", model=40))
    (key,) = (name for name in kept.names() if name.endswith("/model"))
    kept.bucket.call("put_object", Key=f"{kept.keeper.keys.root}/{key}", Body=b"x" * 40)
    target = tmp_path / "fetched"
    target.mkdir()
    (target / "mine").write_text("stays")
    with pytest.raises(RefusedError, match=r"model: what came from S3 is not what was put there"):
        kept.courier().fetch("checkpoint", str(target))
    assert [path.name for path in target.iterdir()] == ["mine"]


@pytest.mark.parametrize("begun", [b"", b"wrong", "right"])
def test_a_download_goes_on_where_it_ended(kept: Kept, tmp_path: Path, begun: bytes | str) -> None:
    found = write(tmp_path / "a", model=40)
    content = Path(found["model"]).read_bytes()
    kept.courier().send("output", found)
    part = tmp_path / "fetched.part" / "model.part"
    part.parent.mkdir()
    part.write_bytes(content[:25] if begun == "right" else bytes(begun))  # type: ignore[arg-type]
    kept.aws.calls.clear()
    assert kept.courier().fetch("output", str(tmp_path / "fetched"))
    assert (tmp_path / "fetched" / "model").read_bytes() == content
    assert not (tmp_path / "fetched.part").exists()


def test_a_checkpoint_is_the_last_whole_one(kept: Kept, tmp_path: Path) -> None:
    first, second = write(tmp_path / "1", model=40), write(tmp_path / "2", model=41)
    assert not kept.courier().fetch("checkpoint", str(tmp_path / "none"))
    kept.courier(attempt=1).send("checkpoint", first)
    cancelled = threading.Event()
    fault_at(kept.aws, 4, lambda: cancelled.set() or Answer())
    with pytest.raises(CancelledError):
        kept.courier(attempt=2, cancelled=cancelled).send("checkpoint", second)
    kept.aws.rule = None
    assert kept.courier(attempt=3).fetch("checkpoint", str(tmp_path / "x"))
    assert len((tmp_path / "x" / "model").read_bytes()) == 40
    kept.courier(attempt=3).send("checkpoint", second)
    assert kept.courier(attempt=4).fetch("checkpoint", str(tmp_path / "x"))
    assert len((tmp_path / "x" / "model").read_bytes()) == 41
    assert len(kept.names()) == 2, "what it replaces is gone"
    kept.keeper.drop_checkpoint(1)
    assert kept.names() == []
    assert kept.bucket.uploads("") == []


def test_a_courier_gives_up_with_s3s_own_words(kept: Kept, tmp_path: Path) -> None:
    kept.aws.rule = lambda call: Answer(503, "SlowDown") if call.action[:3] == "PUT" else None
    courier = kept.courier()
    courier._patience_s = 0.05
    with pytest.raises(RefusedError, match="SlowDown"):
        courier.send("output", write(tmp_path / "a", model=3))


def test_s3_that_says_no_is_not_asked_for_ever(kept: Kept, tmp_path: Path) -> None:
    kept.aws.rule = lambda _call: Answer(403, "AccessDenied")
    with pytest.raises(RefusedError, match="s3:HeadObject"):
        kept.courier().send("output", write(tmp_path / "a", model=3))
    with pytest.raises(AwsError):
        kept.keeper.manifest("output", 1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"do": "look"},
        {"kind": "secrets"},
        {"name": "../../other/trial"},
        {"name": "/etc/passwd"},
        {"name": "a//b"},
        {"name": ""},
        {"set": "../x"},
        {"size": -1},
        {"size": True},
        {"parts": []},
        {"parts": ["short"]},
        {"parts": ["A"] * 300},
    ],
)
def test_questions_that_no_courier_asks_are_refused(kept: Kept, wrong: dict[str, Any]) -> None:
    digest = base64.b64encode(hashlib.sha256(b"").digest()).decode()
    good = {"do": "put", "kind": "output", "set": "a1", "name": "a", "size": 0, "parts": [digest]}
    assert len(kept.keeper.answer(1, 1, good)["puts"]) == 1
    with pytest.raises(BadQuestionError):
        kept.keeper.answer(1, 1, good | wrong)


def test_an_address_is_for_one_object_and_one_content_and_holds_no_secret(kept: Kept) -> None:
    digest = base64.b64encode(hashlib.sha256(b"abc").digest()).decode()
    asked = {"do": "put", "kind": "output", "set": "a", "name": "a", "size": 3, "parts": [digest]}
    (put,) = kept.keeper.answer(1, 1, asked)["puts"]
    assert "/trials/0001/1/output/a?" in put["url"]
    assert "x-amz-checksum-sha256" in put["url"], "the checksum is signed with it"
    assert put["headers"]["x-amz-checksum-sha256"] == digest
    kept.bucket.write("probe", {})
    manifest = json.dumps(kept.keeper.answer(1, 1, {"do": "get", "kind": "output"}))
    assert "testing" not in manifest


def test_a_large_file_has_few_large_parts(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(PART)
    told = describe("large", str(path))
    assert (told["size"], told["part_size"], len(told["parts"])) == (PART, 8 << 20, 1)


@pytest.mark.parametrize("name", sorted(courier_code()))
def test_what_travels_needs_python_3_8_and_nothing_else(name: str) -> None:
    for node in ast.walk(ast.parse(courier_code()[name], feature_version=(3, 8))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            top = (module or "").partition(".")[0]
            ours = (module or "").startswith("sigopt_orchestrate.artifacts.courier")
            assert ours or top in sys.stdlib_module_names
