"""The API server as its administrator sees it; shares no code with what is measured."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import urllib3
import yaml

Json = dict[str, Any]


class Api:
    """Plain requests to the server that a kubeconfig names.

    Args:
        kubeconfig: Its first cluster and user are taken.
        agent: What the server's audit log is to call us.
    """

    def __init__(self, kubeconfig: Path, agent: str) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._server = cluster["server"]
        self._headers = {"Authorization": f"Bearer {user['token']}", "User-Agent": agent}
        authority = cluster["certificate-authority"]
        self._pool = urllib3.PoolManager(maxsize=32, ca_certs=authority, retries=False)

    def call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Returns the status and the answer; (0, {}) where there is none."""
        kind = "merge-patch+json" if method == "PATCH" else "json"
        headers = {**self._headers, "Content-Type": f"application/{kind}"}
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._pool.request(
                method, self._server + path, body=data, headers=headers, timeout=10.0
            )
            return answer.status, json.loads(answer.data or b"{}")
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return 0, {}

    def insist(self, method: str, path: str, body: Json | None = None) -> Json:
        """Calls until the server has an answer to give, if only that it refuses."""
        while True:
            status, said = self.call(method, path, body)
            if status not in {0, 429} and status < 500:
                return said
            time.sleep(0.5)

    def watch(self, path: str) -> Iterator[Json]:
        """Yields events until the connection ends."""
        timeout = urllib3.Timeout(connect=5.0, read=90.0)
        with suppress(urllib3.exceptions.HTTPError, OSError, ValueError):
            answer = self._pool.request(
                "GET",
                self._server + path,
                headers=self._headers,
                preload_content=False,
                timeout=timeout,
            )
            rest = b""
            for chunk in answer.stream(1 << 16):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(json.loads, filter(None, lines))
