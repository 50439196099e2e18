"""The FastAPI example over a real uvicorn on loopback."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cmn.recommender import CMN

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def served(blocks, tmp_path):
    """A model and a client of the server that serves it."""
    model = CMN(embedding_dim=4, epochs=1, pretrain_epochs=2).fit(blocks)
    model.save(tmp_path / "model")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        command = [sys.executable, "-m", "uvicorn", "--app-dir", EXAMPLES, "--log-level", "error"]
        command += ["--fd", str(listener.fileno()), "serve:app"]
        environment = {"CMN_MODEL": str(tmp_path / "model"), "OMP_NUM_THREADS": "1"}
        server = subprocess.Popen(command, env=environment, pass_fds=[listener.fileno()])
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            # the socket listens already, so the first request waits for the model to be loaded
            with httpx.Client(base_url=address, timeout=60) as client:
                yield model, client
        finally:
            server.terminate()
            server.wait(timeout=30)


def test_recommendations_visitors_explanations_and_mistakes(served):
    model, client = served
    assert client.get("/health").json() == {"users": 60, "items": 45}
    rows = client.get("/recommendations/3", params={"n": 4}).json()
    ids, scores = model.recommend([3], n=4)
    assert [row["item"] for row in rows] == ids[0].tolist()
    assert [row["score"] for row in rows] == pytest.approx(scores[0].tolist(), rel=1e-5)
    visitor = client.post("/visitors", json={"items": [1, 2, 5], "n": 3}).json()
    assert len(visitor) == 3
    assert not {row["item"] for row in visitor} & {1, 2, 5}
    facts = client.get("/explanations/3/7", params={"top": 2}).json()
    assert (facts["user"], facts["item"], len(facts["neighbours"])) == (3, 7, 2)
    unknown = client.get("/recommendations/99")
    assert unknown.status_code == 422
    assert unknown.json()["detail"].startswith("users has 1 unknown ids (the first is 99)")
    assert client.get("/recommendations/ann").status_code == 404
    assert client.post("/visitors", json={"items": [77]}).status_code == 422
    assert client.post("/visitors", json={"items": []}).status_code == 422
