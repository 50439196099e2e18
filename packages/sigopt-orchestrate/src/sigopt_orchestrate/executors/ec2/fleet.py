"""As many instances as there is work for, and none that nobody vouches for.

One thread makes all requests to EC2, so that no trial waits for one.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sigopt_orchestrate.aws.session import AwsError, Client, tags
from sigopt_orchestrate.executors.ec2.crew import Crew
from sigopt_orchestrate.executors.ec2.journal import Journal
from sigopt_orchestrate.executors.ec2.launching import ALIVE, Launcher, launch_number
from sigopt_orchestrate.executors.ec2.names import LEASE, Names
from sigopt_orchestrate.executors.ec2.pools import Pools
from sigopt_orchestrate.executors.ec2.template import remove_template

Json = dict[str, Any]
_log = logging.getLogger(__name__)

_TICK_S = 1.0
_LOOK_S = 15.0  # between two lists of all instances, where nothing asks for an earlier one
_QUIET_S = 8.0  # after so long without a call, EC2 is asked whether the instance is there
_UNSEEN_S = 60.0  # so long a list may lack an instance that was just launched
_LONGEST_PAUSE_S = 60.0
_BAD_STARTS = 3  # after so many instances in turn that never called, none of them will
_TERMINATE_AT_ONCE = 100


@dataclass(frozen=True)
class Terms:
    """How a fleet is kept.

    Attributes:
        nodes: How many instances one trial needs.
        most: How many there are at most.
        lease_s: See `spec.Ec2`, as are the others.
    """

    nodes: int
    most: int
    lease_s: float
    idle_s: float
    boot_s: float


class Fleet:
    """Keeps the instances of one experiment.

    Attributes:
        waits_for: Why there are fewer instances than wanted, for people; None if there are not.
        refused: Why there will never be any.
    """

    def __init__(
        self,
        ec2: Client,
        *,
        names: Names,
        journal: Journal,
        crew: Crew,
        pools: Pools,
        launcher: Launcher,
        template: Callable[[], tuple[str, str]],
        terms: Terms,
    ) -> None:
        """Makes the fleet; `start` begins to keep it.

        Args:
            ec2: The region's.
            names: The experiment's.
            journal: What was launched.
            crew: Who has called.
            pools: Where there is capacity.
            launcher: Makes the launches.
            template: Makes the launch template, if it is not there, and returns id and version.
            terms: How it is kept.
        """
        self._ec2 = ec2
        self._names = names
        self._journal = journal
        self._crew = crew
        self._pools = pools
        self._launcher = launcher
        self._template = template
        self._made: tuple[str, str] | None = None
        self._terms = terms
        self._condemned: dict[str, str] = {}
        self._last_look = self._next_look = self._not_before = 0.0
        self._failures = 0
        self._bad_starts = 0
        self._vouched_until = 0.0
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.waits_for: str | None = None
        self.refused: str | None = None

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def look_now(self) -> None:
        """Has it look at once whether there is enough."""
        self._wake.set()

    def condemn(self, instance: str, reason: str) -> None:
        """Has an instance terminated; the crew learns of it once it is so."""
        with self._lock:
            self._condemned.setdefault(instance, reason)
        self._wake.set()

    def close(self, *, dissolve: bool) -> None:
        """Stops keeping it.

        Args:
            dissolve: Whether to terminate all instances and remove what else there is at EC2.

        Raises:
            AwsError: If something could not be removed.
        """
        self._closing.set()
        self._wake.set()
        self._thread.join()
        if not dissolve:
            return
        self._launcher.settle(repeat=False)
        self._terminate([one["InstanceId"] for one in self._launcher.described()])
        for one in self._journal.alive:
            one.ended_at = time.time()
        self._journal.write()
        remove_template(self._ec2, self._names, gang=self._terms.nodes > 1)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._tick()
            except AwsError as error:
                self._stumble(error)
            else:
                self._failures = 0
            self._wake.wait(_TICK_S)
            self._wake.clear()

    def _stumble(self, error: AwsError) -> None:
        """Waits a little longer after each failure; what only looks or ends is tried for ever."""
        self._failures += 1
        self.waits_for = str(error)
        pause_s = min(_LONGEST_PAUSE_S, 0.5 * 2**self._failures)
        self._not_before = time.monotonic() + pause_s
        _log.warning("EC2 does not do it now: %s", error)
        with self._crew.changed:
            self._crew.changed.notify_all()

    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._not_before or not self._crew.synced:
            return
        for silent in self._crew.silent():
            self.condemn(silent, "it was not heard of for its lease")
        self._carry_out()
        if self._crew.silent(_QUIET_S):  # it calls every few seconds; what has become of it?
            self._next_look = min(self._next_look, self._last_look + _QUIET_S)
        if self._launcher.settle() or now >= self._next_look:
            self._compare(self._launcher.described())
            self._last_look = time.monotonic()
            self._next_look = self._last_look + _LOOK_S
        self._vouch()
        self._fit()

    def _carry_out(self) -> None:
        with self._lock:
            doomed, self._condemned = self._condemned, {}
        if not doomed:
            return
        try:
            self._terminate(list(doomed))
        except AwsError:
            with self._lock:
                self._condemned = doomed | self._condemned
            raise
        for instance, reason in doomed.items():
            self._is_gone(instance, f"{instance}: {reason}")
        self._journal.write()

    def _terminate(self, instances: list[str]) -> None:
        for start in range(0, len(instances), _TERMINATE_AT_ONCE):
            some = instances[start : start + _TERMINATE_AT_ONCE]
            try:
                self._ec2.call("terminate_instances", InstanceIds=some)
            except AwsError as error:
                if error.code != "InvalidInstanceID.NotFound":
                    raise
                for one in some if len(some) > 1 else ():
                    self._terminate([one])

    def _is_gone(self, instance: str, reason: str) -> None:
        entry = self._journal.instances.get(instance)
        if entry is not None and entry.ended_at is None:
            entry.ended_at = time.time()
        self._crew.gone(instance, reason)

    def _compare(self, described: list[Json]) -> None:
        """Finds strangers, what is more than was asked for, and what is no more."""
        by_launch: dict[int | None, list[Json]] = {}
        for one in described:
            by_launch.setdefault(launch_number(one, self._names), []).append(one)
        surplus = []
        for number, group in by_launch.items():
            launch = self._journal.launches.get(number or 0)
            allowed = launch.count if launch is not None else 0
            group.sort(
                key=lambda one: (
                    one["InstanceId"] not in self._crew.members,
                    str(one["LaunchTime"]),
                    one["InstanceId"],
                )
            )
            for one in group[:allowed]:
                self._launcher.enter(number or 0, one)
                member = self._crew.members.get(one["InstanceId"])
                if member is not None:
                    member.launch = str(number)
            surplus += [one["InstanceId"] for one in group[allowed:]]
        for instance in surplus:
            self.condemn(instance, "nobody has asked for it")
        here = {one["InstanceId"] for one in described}
        for entry in self._journal.alive:
            if entry.id not in here and time.time() - entry.launched_at > _UNSEEN_S:
                self._is_gone(entry.id, f"{entry.id} is gone: EC2 has ended it, or it itself")
            elif entry.id not in here and self._has_ended(entry.id):
                self._is_gone(entry.id, f"{entry.id} is gone")
        self._carry_out()
        self._journal.write()

    def _has_ended(self, instance: str) -> bool:
        """Whether EC2 says so of an instance that is too new to be missed in a list."""
        try:
            found = self._ec2.pages("describe_instances", "Reservations", InstanceIds=[instance])
        except AwsError as error:
            if error.may_pass or not error.code:
                raise
            return False  # not known yet
        states = [one["State"]["Name"] for group in found for one in group["Instances"]]
        return bool(states) and states[0] not in ALIVE

    def _booting(self) -> list[str]:
        """Returns the instances that were launched and have not called yet."""
        called = self._crew.members
        return [entry.id for entry in self._journal.alive if entry.id not in called]

    def _vouch(self) -> None:
        """Renews the tag that tells a reaper until when this orchestrate answers for them."""
        now, alive = time.time(), [entry.id for entry in self._journal.alive]
        if alive and now > self._vouched_until - self._terms.lease_s:
            until = self.until()
            try:
                self._ec2.call("create_tags", Resources=alive, Tags=tags({LEASE: f"{until:.0f}"}))
            except AwsError as error:
                if error.code != "InvalidInstanceID.NotFound":  # too new, or gone for long
                    raise
                return
            self._vouched_until = until

    def until(self) -> float:
        """Returns the lease of an instance that is launched now, in Unix seconds."""
        return time.time() + max(self._terms.boot_s, 2 * self._terms.lease_s)

    def _fit(self) -> None:
        """Launches what is missing, and sends away what has had nothing to do."""
        with self._crew.changed:
            waiting = sum(1 for j in self._crew.jobs.values() if not j.members and not j.ending)
            idle = [m for m in self._crew.members.values() if m.takes_trials]
        nodes, now = self._terms.nodes, time.monotonic()
        booting = self._overdue(self._booting())
        coming = len([m for m in self._crew.members.values() if not m.ready and not m.draining])
        missing = waiting * nodes - len(idle) - len(booting) - coming
        room = self._terms.most - len(self._working()) - len(booting)
        missing = -(-min(missing, room) // nodes) * nodes if missing > 0 else 0
        if missing > 0 and self._crew.broken is None and self.refused is None:
            try:
                self._launch(missing)
            except AwsError as error:
                if not error.may_pass and error.code:
                    self.refused = str(error)
                raise
        elif missing <= 0:
            self.waits_for = None
        spare = -missing if missing < 0 else len(idle) - waiting * nodes
        for member in sorted(idle, key=lambda m: m.idle_since or 0.0)[: max(0, spare)]:
            if member.idle_since is not None and now - member.idle_since > self._terms.idle_s:
                member.retiring = True
                with self._crew.changed:
                    self._crew.changed.notify_all()

    def _working(self) -> list[str]:
        return [m.id for m in self._crew.members.values() if not m.draining and not m.retiring]

    def _overdue(self, booting: list[str]) -> list[str]:
        """Gives up on instances that should have called by now; returns the others."""
        patient = []
        for instance in booting:
            entry = self._journal.instances[instance]
            if time.time() - entry.launched_at > self._terms.boot_s:
                self._bad_starts += 1
                self.condemn(instance, f"its agent has not called within {self._terms.boot_s:g} s")
            else:
                patient.append(instance)
        if self._crew.members:
            self._bad_starts = 0
        if self._bad_starts >= _BAD_STARTS:
            self.refused = (
                f"{_BAD_STARTS} instances were launched and none has called within "
                f"{self._terms.boot_s:g} s; can they reach this machine at the address in "
                "backend.ec2.address, and has their image python3?"
            )
        return patient

    def _launch(self, missing: int) -> None:
        if self._made is None:
            self._made = self._template()
        got = None
        nodes = self._terms.nodes
        for count in [nodes] * (missing // nodes) if nodes > 1 else [missing]:
            got = self._launcher.launch(self._made, count, together=nodes > 1, until=self.until())
        if got is None:
            wait_s = self._pools.wait_s()
            self.waits_for = f"EC2 has no capacity in any pool; asked again in {wait_s:.0f} s"
            self._not_before = time.monotonic() + min(wait_s, _LONGEST_PAUSE_S)
        else:
            self.waits_for = "an instance is starting"
            if got < missing and nodes == 1:
                self._wake.set()
