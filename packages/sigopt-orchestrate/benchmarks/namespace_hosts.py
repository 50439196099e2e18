"""Runs what moto calls an instance as a host: a network namespace with a metadata service.

A host starts with the user data that moto has stored, sees processes of its own alone, reaches
this machine over a bridge, and ends when it calls `shutdown` or when moto says that its instance
is terminated: then with everything that runs in it. Needs root and iproute2.
"""

import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import instance_metadata
from pretend_aws import REGION, Aws

_LOOK_S = 0.05
_INIT = """
mount -t tmpfs tmpfs /var/lib && mount --bind {files} /mnt || exit 1
hostname {name}
exec sh {files}/user-data
"""


def can_run() -> str | None:
    """Returns why there can be no hosts here; None if there can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    if not shutil.which("ip") or not shutil.which("unshare"):
        return "iproute2 or unshare is missing"
    made = subprocess.run(
        ["unshare", "--net", "--pid", "--mount", "--fork", "true"], capture_output=True, check=False
    )
    return None if made.returncode == 0 else "namespaces are not allowed here"


@dataclass
class Host:
    """One instance that really runs.

    Attributes:
        id: EC2's name for it.
        address: Its own, on the bridge.
        notice: What its metadata service says of its end, as JSON.
        ended_at: When it was off, on the monotonic clock.
        by_itself: Whether it called `shutdown`.
    """

    id: str
    number: int
    address: str
    files: Path
    started_at: float
    process: subprocess.Popen[bytes] | None = None
    imds: ThreadingHTTPServer | None = None
    notice: str | None = None
    ended_at: float | None = None
    by_itself: bool = False
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        """What was written to its console."""
        return (self.files / "console").read_text(errors="replace")


class Hosts:
    """Looks at moto, starts what is there and ends what is not."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        """Makes the bridge.

        Args:
            aws: Whose instances.
            folder: For the hosts' files.
        """
        self._aws = aws
        self._folder = folder
        # Their image has what this environment has, whether or not it is on our own $PATH.
        self._path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.hosts: dict[str, Host] = {}
        keys = {"aws_access_key_id": "hosts", "aws_secret_access_key": "hosts"}
        self._ec2 = boto3.client("ec2", endpoint_url=aws.moto_url, region_name=REGION, **keys)
        tag = f"{os.getpid() % 100_000:x}{secrets.token_hex(1)}"
        self._bridge, self._tag = f"ob{tag}", tag
        self._net = f"198.19.{secrets.randbelow(256)}"
        self.address = f"{self._net}.1"
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.address}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """Ends all hosts and removes the bridge."""
        self._closing.set()
        self._thread.join()
        for host in self.hosts.values():
            self._off(host)
        _ip("link", "del", self._bridge, check=False)

    @property
    def running(self) -> list[Host]:
        """The hosts that are on."""
        return [host for host in list(self.hosts.values()) if host.ended_at is None]

    def kill_agent(self, host: Host) -> bool:
        """Kills a host's agent; returns whether there was one."""
        return self.signal_agent(host, signal.SIGKILL)

    def signal_agent(self, host: Host, number: int) -> bool:
        """Sends a signal to a host's agent; returns whether there was one."""
        for pid in self._processes(host):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"instance.agent import main" in words and b"-IS" in words:
                    os.kill(pid, number)
                    return True
        return False

    def run(self, host: Host, command: str) -> bool:
        """Runs a shell line on a host; returns whether it succeeded."""
        init = next((pid for pid in self._processes(host) if self._first(pid)), None)
        if init is None:
            return False
        enter = ["nsenter", "--target", str(init), "--mount", "--pid", "sh", "-c", command]
        return subprocess.run(enter, check=False, capture_output=True).returncode == 0

    def namespace(self, host: Host) -> str:
        """The name of a host's network namespace."""
        return f"oh{self._tag}-{host.number}"

    def _processes(self, host: Host) -> list[int]:
        """All processes in a host's network namespace."""
        with contextlib.suppress(FileNotFoundError):
            mine = Path(f"/run/netns/{self.namespace(host)}").stat().st_ino
            found = []
            for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{pid}/ns/net").stat().st_ino == mine:
                        found.append(int(pid))
            return found
        return []

    def _first(self, pid: int) -> bool:
        """Whether a process is the first one of its PID namespace."""
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            inner = next(line for line in lines if line.startswith("NSpid:")).split()[1:]
            return len(inner) > 1 and inner[-1] == "1"
        return False

    def _run(self) -> None:
        while not self._closing.wait(_LOOK_S):
            alive = {one.id: one for one in self._aws.instances("running", "pending")}
            for id_, instance in alive.items():
                if id_ not in self.hosts:
                    self._on(instance)
            for host in self.running:
                host.by_itself = (host.files / "shutdown").exists()
                gone = host.process is not None and host.process.poll() is not None
                if host.id not in alive or host.by_itself or gone:
                    self._off(host)
                    if host.id in alive:  # its shutdown behaviour is to terminate
                        alive[host.id].terminate()

    def _on(self, instance: Any) -> None:
        number = len(self.hosts) + 2
        files = self._folder / f"{number}-{instance.id}"
        (files / "bin").mkdir(parents=True)
        for name in ("shutdown", "poweroff"):
            (files / "bin" / name).write_text("#!/bin/sh\ntouch /mnt/shutdown\n")
            (files / "bin" / name).chmod(0o755)
        (files / "user-data").write_bytes(self._stored_user_data(instance.id))
        host = Host(instance.id, number, f"{self._net}.{number}", files, time.monotonic())
        self._wire(host)
        host.extra = {
            "meta-data/instance-id": instance.id,
            "meta-data/instance-type": instance.instance_type,
            "meta-data/placement/availability-zone": str(instance.placement.availability_zone),
            "meta-data/local-ipv4": host.address,
        }
        host.imds = instance_metadata.serve(self.namespace(host), host)
        init = _INIT.format(files=files, name=f"h{number}")
        unshare = ["unshare", "--pid", "--mount", "--uts", "--fork", "--kill-child", "--mount-proc"]
        with (files / "console").open("wb") as console:
            host.process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace(host), *unshare, "sh", "-c", init],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": f"{files / 'bin'}:{self._path}", "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        self.hosts[instance.id] = host

    def _stored_user_data(self, instance: str) -> bytes:
        """Asks as anybody may who has the right to."""
        found = self._ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")
        return base64.b64decode(found["UserData"]["Value"])

    def _wire(self, host: Host) -> None:
        name, ours = self.namespace(host), f"ov{self._tag}{host.number}"
        _ip("netns", "add", name)
        _ip("link", "add", ours, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", ours, "master", self._bridge, "up")
        batch = f"link set lo up\naddr add {instance_metadata.ADDRESS}/32 dev lo\n"
        batch += f"addr add {host.address}/24 dev eth0\nlink set eth0 up\n"
        subprocess.run(["ip", "-n", name, "-batch", "-"], input=batch.encode(), check=True)

    def _off(self, host: Host) -> None:
        if host.ended_at is not None:
            return
        if host.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(host.process.pid, signal.SIGKILL)
            host.process.wait()
        if host.imds is not None:
            host.imds.shutdown()
            host.imds.server_close()
        _ip("netns", "del", self.namespace(host), check=False)
        host.ended_at = time.monotonic()


def spot_notice(host: Host, seconds: float = 120.0) -> None:
    """Has a host's metadata service say that EC2 takes the instance back."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    host.notice = json.dumps({"action": "terminate", "time": at})


@contextmanager
def namespace_hosts(aws: Aws, folder: Path) -> Iterator[Hosts]:
    """Runs moto's instances as hosts until the end."""
    hosts = Hosts(aws, folder)
    try:
        yield hosts
    finally:
        hosts.close()


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)
