"""Building the trials' image: by a real builder into a real registry's protocol, or not at all."""

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sigopt_orchestrate.errors import BuildError
from sigopt_orchestrate.executors.kubernetes.building import build_image
from sigopt_orchestrate.spec import Build, Experiment


class Registry(BaseHTTPRequestHandler):
    """As much of the distribution protocol as a push needs."""

    protocol_version = "HTTP/1.1"
    stored: dict[str, bytes]

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/v2/" else 404)

    def do_HEAD(self) -> None:
        self._answer(200 if self.path.rpartition("/")[2] in self.stored else 404)

    def do_POST(self) -> None:
        self._body()
        self._answer(202, Location=f"{self.path}one", Docker_Upload_UUID="one")

    def do_PATCH(self) -> None:
        self.stored["upload"] = self._body()
        self._answer(202, Location=self.path, Docker_Upload_UUID="one")

    def do_PUT(self) -> None:
        body = self._body()
        if "/manifests/" not in self.path:
            body = self.stored.pop("upload", b"") + body
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.stored[digest] = body
        self._answer(201, Location=self.path, Docker_Content_Digest=digest)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def registry() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A registry's address, and what it holds by digest."""
    stored: dict[str, bytes] = {}
    handler = type("Handler", (Registry,), {"stored": stored})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", stored
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_image_is_built_pushed_and_known_by_its_digest_and_holds_no_secret(
    registry: tuple[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed")
    address, stored = registry
    (tmp_path / "registries.conf").write_text(
        f'[[registry]]\nlocation = "{address}"\ninsecure = true\n'
    )
    (tmp_path / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text("FROM scratch\nCOPY train.py /\n")
    (tmp_path / "context/train.py").write_text("print(1)\n")
    only = tmp_path / "bin"
    only.mkdir()
    wrapper = only / "buildah"  # without an overlay file system, as in a container
    real = shutil.which("buildah")
    options = f"--root {tmp_path}/store --runroot {tmp_path}/run --storage-driver vfs"
    signed = f"--signature-policy {tmp_path}/policy.json"
    wrapper.write_text(f'#!/bin/sh\nverb=$1; shift\nexec {real} {options} $verb {signed} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", str(only))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")
    monkeypatch.setenv("API_TOKEN", "do-not-bake-me")
    found = build_image(Build(context="context", image=f"{address}/team/train:v1"), tmp_path)
    name, _, digest = found.partition("@")
    assert name == f"{address}/team/train"
    manifest = json.loads(stored[digest])
    assert manifest["config"]["digest"] in stored
    assert not any(b"do-not-bake-me" in content for content in stored.values())


def test_where_nothing_can_build_one_sentence_says_what_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BUILDKIT_HOST", raising=False)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(BuildError, match=r"none of buildctl, docker, podman, buildah can be used"):
        build_image(Build(image="registry.example/train"), tmp_path)


def test_a_missing_dockerfile_is_named_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=re.escape(f"there is no {tmp_path}/ours/Dockerfile")):
        build_image(Build(context="ours", image="registry.example/train"), tmp_path)


def test_an_image_is_either_given_or_built(make_spec: Callable[..., Experiment]) -> None:
    build = {"image": "registry.example/train"}
    given: dict[str, Any] = {"backend": "kubernetes", "build": build}
    spec = make_spec(**given)
    assert spec.image_name == "registry.example/train"
    built = spec.built("registry.example/train@sha256:0")
    assert (built.image_name, built.build) == ("registry.example/train@sha256:0", None)
    with pytest.raises(ValidationError, match="there is an image already"):
        make_spec(**given, image="other")
    with pytest.raises(ValidationError, match="needs `backend: kubernetes`"):
        make_spec(build=build)
    with pytest.raises(ValidationError, match="should match pattern"):
        make_spec(**given | {"build": {"image": "registry.example/train@sha256:0"}})
