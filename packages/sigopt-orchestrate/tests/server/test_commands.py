"""`orchestrate server` and `orchestrate token` as processes."""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

COMMAND = [sys.executable, "-m", "sigopt_orchestrate"]


def orchestrate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=90, check=False
    )


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`orchestrate server` on a free port; gives its address."""
    process = subprocess.Popen(
        [*COMMAND, "server", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"running on (https?://[\w.:]+)", line):
                yield found[1], process
                break
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_a_token_is_alone_on_the_last_line_and_opens_the_server(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"))
    made = orchestrate("token", "create", "--new-client", "--name", "lab", *home)
    token = made.stdout.splitlines()[-1]
    assert re.fullmatch(r"[0-9a-f]{64}", token)
    second = orchestrate("token", "create", "--new-client", *home).stdout.strip()
    listed = json.loads(orchestrate("token", "list", "--json", *home).stdout)
    assert [(row["client_id"], row["name"]) for row in listed] == [(1, "lab"), (2, None)]
    assert token not in json.dumps(listed)
    with serving(*home) as (address, process):
        assert address.startswith("http://127.0.0.1:")
        for secret, client in ((token, "1"), (second, "2")):
            own = httpx.get(f"{address}/v1/tokens/self", auth=(secret, "")).json()
            assert own["client"] == client
        httpx.get(f"{address}/v1/tokens/{token}", auth=(token, ""))
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        log = process.stderr.read()
        assert token not in log
        lines = [json.loads(line) for line in log.splitlines()]
        answered = [line for line in lines if line["message"] == "answered"]
        assert answered[-1]["path"] == "/v1/tokens/{token}"
        assert process.wait() == -signal.SIGTERM  # after it had shut down, as its log says
        assert "Finished server process" in log
    assert orchestrate("token", "revoke", "1", *home).stdout == "token 1 revoked\n"


def test_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    new = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext"
    made = subprocess.run(
        [*new.split(), "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no openssl to make a certificate with")
    options = (
        "--home",
        str(tmp_path),
        "--tls-certificate",
        str(certificate),
        "--tls-key",
        str(key),
    )
    with serving(*options) as (address, _):
        trusted = ssl.create_default_context(cafile=str(certificate))
        assert httpx.get(f"{address}/health", verify=trusted).json() == {"status": "alive"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("server", "--tls-key", __file__), "--tls-certificate and --tls-key are given together"),
        (("server", "--store", "mysql://host/db"), "must be sqlite:///PATH or postgresql://"),
        (("token", "create"), "`orchestrate token create --new-client` makes one"),
        (("token", "revoke", "7"), "there is no token 7"),
        (("token", "create", "--new-client", "--client", "1"), "exclude each other"),
        (("token", "create", "--new-client", "--expires", "soon"), "--expires: must be a positive"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = orchestrate(*arguments, "--home", str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
