import json

import pytest
import torch
from fleet import run_ranks
from torch import nn

from gossipgrad import GossipDataParallel, StepLog, checkpoints
from gossipgrad.errors import CheckpointError


def trained(transport, steps, log=None, load=None):
    model = GossipDataParallel(nn.Linear(3, 2), transport=transport)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    extra = checkpoints.load(load, model, optimizer) if load else None
    lines = StepLog(model, log)
    for step in range(steps):
        optimizer.zero_grad()
        model(torch.full((1, 3), 1.0 + transport.rank + step)).sum().backward()
        optimizer.step()
    lines.close()
    return model, optimizer, extra


@pytest.mark.parametrize("later", [1, 2, 5])
def test_a_run_resumes_on_another_number_of_ranks(tmp_path, later):
    folder = tmp_path / "checkpoint"

    def first(transport):
        model, optimizer, _ = trained(transport, 4)
        for _ in range(2):  # the second replaces the first
            checkpoints.save(folder, model, optimizer, {"epoch": 7})
        state = {name: value.clone() for name, value in model.state_dict().items()}
        model.close()
        return state, optimizer.state_dict()["state"][0]["momentum_buffer"]

    def second(transport):
        model, optimizer, extra = trained(transport, 0, load=folder)
        state = model.state_dict()
        model.close()
        return state, optimizer.state_dict()["state"][0]["momentum_buffer"], extra, model.steps

    saved = run_ranks(3, first)
    for rank, (state, momentum, extra, steps) in enumerate(run_ranks(later, second)):
        assert all(torch.equal(state[name], saved[0][0][name]) for name in state)
        assert torch.equal(momentum, saved[rank % 3][1])
        assert (extra, steps) == ({"epoch": 7}, 4)


def test_what_is_no_checkpoint_is_neither_read_nor_overwritten(tmp_path):
    (tmp_path / "photos").mkdir()

    def body(transport):
        model, optimizer, _ = trained(transport, 1)
        with pytest.raises(CheckpointError, match="exists and is no checkpoint"):
            checkpoints.save(tmp_path / "photos", model, optimizer)
        with pytest.raises(CheckpointError, match="is no complete checkpoint"):
            checkpoints.load(tmp_path / "photos", model, optimizer)
        model.close()

    run_ranks(1, body)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("model.pt", b"", "model.pt cannot be read: EOFError"),
        ("model.pt", b"text", "model.pt cannot be read: "),
        ("complete.json", b"[]", "has format None; this version reads 1"),
        ("complete.json", b'{"format": 1}', "complete.json is damaged: KeyError"),
        (
            "complete.json",
            b'{"format": 1, "ranks": [], "steps": 1, "extra": {}}',
            "complete.json is damaged",
        ),
    ],
)
def test_damaged_checkpoints_are_refused(tmp_path, file, content, words):
    def body(transport):
        model, optimizer, _ = trained(transport, 1)
        checkpoints.save(tmp_path / "kept", model, optimizer)
        (tmp_path / "kept" / file).write_bytes(content)
        with pytest.raises(CheckpointError, match=words):
            checkpoints.load(tmp_path / "kept", model, optimizer)
        model.close()

    run_ranks(1, body)


def test_every_step_is_logged_as_json_prometheus_and_trace(tmp_path):
    def body(transport):
        model, _, _ = trained(transport, 5, log=tmp_path)
        model.close()
        return model.wire_bytes

    wire_bytes = run_ranks(2, body)[0]
    lines = [json.loads(line) for line in (tmp_path / "steps-1.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 2, 3]  # the fifth is still under way
    assert {(line["source"], line["destination"], line["sent_bytes"]) for line in lines} == {
        (0, 0, wire_bytes)
    }
    assert "gossipgrad_steps_total" in (tmp_path / "metrics-1.prom").read_text()
    events = json.loads((tmp_path / "trace-1.json").read_text())
    assert sum(event.get("name") == "step" for event in events) == 4
