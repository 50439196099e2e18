"""Measures the server over HTTP: observations stored per second, and list pages among 100,000.

`python packages/sigopt-orchestrate/benchmarks/api.py` prints the table that the README shows. The
server is a process of its own, on one core where there are two or more; each observation is on
disk before it is answered. The load comes from eight connections that wait for each answer.
"""

import asyncio
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

OBSERVATIONS = 4000
CONNECTIONS = 8
STORED = 100_000
BATCH = 2500
PAGES = 100
EXPERIMENT = {
    "name": "bench",
    "type": "random",
    "parameters": [
        {"name": "rate", "type": "double", "bounds": {"min": 1e-5, "max": 1}},
        {"name": "depth", "type": "int", "bounds": {"min": 1, "max": 100}},
        {"name": "kind", "type": "categorical", "categorical_values": ["plain", "gated"]},
    ],
    "metrics": [{"name": "accuracy"}],
    "observation_budget": STORED,
}


@dataclass(frozen=True)
class Server:
    """A server that runs, as its callers see it."""

    process: psutil.Process
    port: int
    token: str

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """The bytes of a request."""
        content = b"" if body is None else json.dumps(body).encode()
        basic = base64.b64encode(f"{self.token}:".encode()).decode()
        head = (
            f"{method} /v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {basic}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    def cpu_s(self) -> float:
        """CPU seconds that the server has used."""
        used = self.process.cpu_times()
        return float(used.user + used.system)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server over an empty SQLite store, on a core of its own where there is one to spare."""
    command = [sys.executable, "-m", "sigopt_orchestrate"]
    home = ["--home", str(folder)]
    made = subprocess.run(
        [*command, "token", "create", "--new-client", *home], check=True, capture_output=True
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--rate-limit", "0", "--log-level", "warning"]
    process = subprocess.Popen([*command, "server", *home, *options])
    if (os.cpu_count() or 1) > 1:
        psutil.Process(process.pid).cpu_affinity([0])
        psutil.Process().cpu_affinity(list(range(1, os.cpu_count() or 2)))
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        token = made.stdout.decode().split()[-1]
        yield Server(psutil.Process(process.pid), port, token)
    finally:
        process.terminate()
        process.wait()


class Connection:
    """One connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, server: Server) -> "Connection":
        """Connects."""
        return cls(*await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 24))

    async def send(self, request: bytes) -> bytes:
        """Sends a request and returns the answer's body."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            raise RuntimeError(head.decode())
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return await self._reader.readexactly(length)


async def create(server: Server) -> str:
    """Creates an experiment and returns its path."""
    connection = await Connection.open(server)
    made = json.loads(await connection.send(server.request("POST", "/experiments", EXPERIMENT)))
    return f"/experiments/{made['id']}"


def observation(index: int) -> dict[str, object]:
    """One observation's body."""
    assignments = {"rate": (index % 1000 + 1) / 1000, "depth": index % 100 + 1, "kind": "plain"}
    return {"assignments": assignments, "values": [{"name": "accuracy", "value": index / STORED}]}


async def observe(server: Server) -> tuple[float, float]:
    """Posts observations one by one; returns how many a second, and how many a CPU second."""
    path = await create(server)
    connections = [await Connection.open(server) for _ in range(CONNECTIONS)]
    left = iter(range(OBSERVATIONS))

    async def work(connection: Connection) -> None:
        for index in left:
            await connection.send(
                server.request("POST", f"{path}/observations", observation(index))
            )

    await asyncio.gather(
        *(connection.send(server.request("GET", path)) for connection in connections)
    )
    start, cpu = time.perf_counter(), server.cpu_s()
    await asyncio.gather(*map(work, connections))
    return OBSERVATIONS / (time.perf_counter() - start), OBSERVATIONS / (server.cpu_s() - cpu)


async def fill(server: Server) -> str:
    """Stores 100,000 observations and returns their list's path."""
    path, connection = await create(server), await Connection.open(server)
    for start in range(0, STORED, BATCH):
        batch = [observation(index) for index in range(start, start + BATCH)]
        body = {"observations": batch, "fields": "id"}
        await connection.send(server.request("POST", f"{path}/observations/batch", body))
    return f"{path}/observations"


async def list_pages(server: Server, path: str, limit: int) -> list[float]:
    """The seconds that each of some successive pages took, slowest last."""
    connection, marker, seconds = await Connection.open(server), "", []
    for _ in range(min(PAGES, STORED // limit)):
        query = f"?limit={limit}" + (f"&before={marker}" if marker else "")
        start = time.perf_counter()
        answer = await connection.send(server.request("GET", f"{path}{query}"))
        seconds.append(time.perf_counter() - start)
        marker = json.loads(answer)["paging"]["before"]
    return sorted(seconds)


def main() -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        rate, per_cpu = asyncio.run(observe(server))
        path = asyncio.run(fill(server))
        pages = {limit: asyncio.run(list_pages(server, path, limit)) for limit in (100, 1000)}
    print("| what | measured |\n| --- | --- |")
    print(f"| observations POSTed, each durable, {CONNECTIONS} connections | {rate:,.0f}/s |")
    print(f"| the same for each second of the server's CPU | {per_cpu:,.0f} |")
    for limit, seconds in pages.items():
        middle, worst = statistics.median(seconds), seconds[int(len(seconds) * 0.99)]
        print(
            f"| a page of {limit} among {STORED:,} observations, p50 and p99 | "
            f"{middle * 1e3:.0f} ms, {worst * 1e3:.0f} ms |"
        )


if __name__ == "__main__":
    main()
