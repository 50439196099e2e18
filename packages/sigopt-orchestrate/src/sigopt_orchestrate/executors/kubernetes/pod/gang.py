"""One trial on several nodes: all start together, and all end as soon as one is lost."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sigopt_orchestrate.executors.kubernetes.pod.agent import listen
from sigopt_orchestrate.executors.kubernetes.pod.annotations import annotation, hear_stop
from sigopt_orchestrate.executors.kubernetes.pod.command import Alarm, run
from sigopt_orchestrate.executors.kubernetes.pod.messages import Line, call
from sigopt_orchestrate.executors.kubernetes.pod.places import CODE, HOSTS_ANNOTATION, RUN
from sigopt_orchestrate.executors.kubernetes.pod.report import Metrics

_PING_S = 2.0
_SILENCE_S = 15.0
_JOIN_S = 60.0
_SETTLE_S = 1.0
_MASTER_PORT = "29500"
_SIOCGIFADDR = 0x8915
# Reading another process's memory needs a capability that a restricted container has not.
_NO_CROSS_MEMORY = {
    "MPIR_CVAR_CH4_CMA_ENABLE": "0",
    "UCX_TLS": "^cma",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
}


class Session:
    """A connection between the first node and another, that tells when either is gone.

    Args:
        rank: The other node's.
        line: The connection.
    """

    def __init__(self, rank: int, line: Line) -> None:
        self.rank = rank
        self.gone = False
        self.said_bye = False
        self.code: int | None = None
        self._line = line
        line.socket.settimeout(_SILENCE_S)
        for work in (self._hear, self._ping):
            threading.Thread(target=work, daemon=True).start()

    def say(self, **message: Any) -> None:
        """Sends a message, unless the other side is gone."""
        try:
            self._line.say(**message)
        except OSError:
            self.gone = True

    def _ping(self) -> None:
        while not self.gone:
            self.say(ping=1)
            time.sleep(_PING_S)

    def _hear(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while True:
                message = self._line.hear()
                if message is None:
                    break
                self.said_bye |= "bye" in message
                if "code" in message:
                    self.code = int(message["code"])
        self.gone = True


def lead(order: dict[str, Any], alarm: Alarm, metrics: Metrics) -> dict[str, Any]:
    """Is the first node: waits for the others, runs the command, and tells them when it is over."""
    lost = {"code": None, "ended_by": "gang", "error": None}
    listen(lambda *_: None)
    hosts = _await_hosts(alarm)
    if hosts is None:
        return {**lost, "ended_by": "stop"}
    sessions = []
    for rank, host in enumerate(hosts[1:], start=1):
        line = _join(host, alarm, kind="join", hosts=hosts, rank=rank)
        if line is None:
            return {**lost, "lost": rank}
        sessions.append(Session(rank, line))

    def watch() -> str | None:
        hear_stop()
        failed = any(session.code for session in sessions)
        gone = any(session.gone and session.code is None for session in sessions)
        return "gang" if gone else "rank" if failed else None

    record = run(order, environment(order, hosts, 0), alarm, metrics, watch)
    if not order["mpi"] and record["ended_by"] is None and record["code"] == 0:
        while any(s.code is None and not s.gone for s in sessions) and not alarm.terminated:
            alarm.wait(0.25)
    if record["code"] != 0:
        alarm.wait(
            _SETTLE_S
        )  # a node's end is seen by mpiexec first, and by its session just after
    return _judge(record, sessions)


def _judge(record: dict[str, Any], sessions: list[Session]) -> dict[str, Any]:
    """Says bye, and whose the fault was: of a node that is gone, or of a rank that failed."""
    gone = [s.rank for s in sessions if s.gone and s.code is None]
    failed = [s.code for s in sessions if s.code]
    for session in sessions:
        session.say(bye=1)
    if record["ended_by"] in {None, "gang"} and gone and record["code"] != 0:
        return {**record, "ended_by": "gang", "lost": gone[0]}
    if record["ended_by"] in {None, "rank"} and failed:
        return {**record, "ended_by": None, "code": failed[0]}
    if record["ended_by"] is None and gone:
        return {**record, "ended_by": "gang", "lost": gone[0]}
    return record


def follow(order: dict[str, Any], alarm: Alarm, metrics: Metrics) -> dict[str, Any]:
    """Is another node: serves the first one until that says bye or is gone."""
    joined = threading.Event()
    sessions: list[Session] = []
    requests: list[dict[str, Any]] = []

    def join(line: Line, request: dict[str, Any]) -> None:
        requests.append(request)
        sessions.append(Session(0, line))
        joined.set()
        while not sessions[0].gone:  # the connection is closed when this returns
            time.sleep(_PING_S)

    listen(join)
    while not joined.is_set() and not alarm.terminated:
        alarm.wait(0.25)
    lost = {"code": None, "ended_by": "stop" if alarm.terminated else "gang", "error": None}
    if not joined.is_set():
        return lost
    session, request = sessions[0], requests[0]

    def watch() -> str | None:
        return "gang" if session.gone or session.said_bye else None

    record: dict[str, Any] = {"code": 0, "ended_by": None, "error": None}
    if not order["mpi"]:
        record = run(
            order, environment(order, request["hosts"], request["rank"]), alarm, metrics, watch
        )
        if record["ended_by"] != "stop":  # whoever is made to end is lost, and has not failed
            session.say(code=127 if record["code"] is None else record["code"])
    while not watch() and not alarm.terminated:
        alarm.wait(0.25)
    if session.said_bye:
        return record
    return lost


def environment(order: dict[str, Any], hosts: list[str], rank: int) -> dict[str, str]:
    """Returns the variables that tell the command where the others are."""
    env = {
        "MASTER_ADDR": hosts[0],
        "MASTER_PORT": _MASTER_PORT,
        "ORCHESTRATE_NODES": ",".join(hosts),
    }
    if not order["mpi"]:
        nodes = str(len(hosts))
        return {
            **env,
            "RANK": str(rank),
            "WORLD_SIZE": nodes,
            "NODE_RANK": str(rank),
            "PET_NODE_RANK": str(rank),
            "PET_NNODES": nodes,
            "PET_MASTER_ADDR": hosts[0],
            "PET_MASTER_PORT": _MASTER_PORT,
        }
    launcher = _write_launcher()
    slots = order["mpi"]["slots"]
    hydra = _write("hosts.hydra", "".join(f"{host}:{slots}\n" for host in hosts))
    openmpi = _write("hosts.openmpi", "".join(f"{host} slots={slots}\n" for host in hosts))
    interface = _interface(hosts[rank])
    return {
        **env,
        "ORCHESTRATE_HOSTFILE": hydra,
        "ORCHESTRATE_LAUNCHER": launcher,
        "HYDRA_LAUNCHER": "ssh",
        "HYDRA_LAUNCHER_EXEC": launcher,
        "HYDRA_HOST_FILE": hydra,
        **({"HYDRA_IFACE": interface} if interface else {}),
        "I_MPI_HYDRA_BOOTSTRAP": "ssh",
        "I_MPI_HYDRA_BOOTSTRAP_EXEC": launcher,
        "I_MPI_HYDRA_HOST_FILE": hydra,
        "OMPI_MCA_plm_rsh_agent": launcher,
        "OMPI_MCA_orte_default_hostfile": openmpi,
        "PRTE_MCA_plm_ssh_agent": launcher,
        "PRTE_MCA_plm_ssh_no_tree_spawn": "1",
        "PRTE_MCA_prte_default_hostfile": openmpi,
        **{k: v for k, v in _NO_CROSS_MEMORY.items() if k not in os.environ},
    }


def _await_hosts(alarm: Alarm) -> list[str] | None:
    """Waits until orchestrate has seen every pod run; None where the pod is asked to end."""
    while not alarm.terminated:
        hosts = annotation(HOSTS_ANNOTATION)
        if hosts:
            return hosts.split(",")
        alarm.wait(0.25)
    return None


def _join(host: str, alarm: Alarm, **request: Any) -> Line | None:
    deadline = time.monotonic() + _JOIN_S
    while time.monotonic() < deadline and not alarm.terminated:
        try:
            return call(host, **request)
        except OSError:
            alarm.wait(0.25)
    return None


def _write(name: str, content: str) -> str:
    path = Path(RUN) / name
    path.write_text(content, encoding="utf-8")
    return str(path)


def _write_launcher() -> str:
    path = _write(
        "launch",
        f"#!{sys.executable} -IS\n"
        f"import sys\nsys.path.insert(0, {CODE!r})\n"
        "from sigopt_orchestrate.executors.kubernetes.pod.launch import launch\n"
        "sys.exit(launch(sys.argv[1:]))\n",
    )
    os.chmod(path, 0o755)  # noqa: PTH101, S103 - a program for whoever runs in this container
    return path


def _interface(address: str) -> str | None:
    """Returns the name of the network interface that has this address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                asked = struct.pack("256s", name.encode()[:15])
                found = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, asked)[20:24]
                if socket.inet_ntoa(found) == address:
                    return name
    return None
