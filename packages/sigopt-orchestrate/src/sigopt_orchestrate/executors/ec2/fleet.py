"""As many instances as there is work for, and none that nobody vouches for.

One thread makes all requests to EC2, so that no trial waits for one.
"""

import logging
import threading
import time

from sigopt_orchestrate.aws.session import AwsError, Client, tags
from sigopt_orchestrate.executors.ec2.census import Census
from sigopt_orchestrate.executors.ec2.crew import Crew
from sigopt_orchestrate.executors.ec2.journal import Journal
from sigopt_orchestrate.executors.ec2.launching import Launcher
from sigopt_orchestrate.executors.ec2.names import LEASE, Names
from sigopt_orchestrate.executors.ec2.starting import LONGEST_PAUSE_S, Starts, Terms
from sigopt_orchestrate.executors.ec2.template import remove_template

_log = logging.getLogger(__name__)

_TICK_S = 1.0
_LOOK_S = 15.0  # between two lists of all instances, where nothing asks for an earlier one
_QUIET_S = 8.0  # after so long without a call, EC2 is asked whether the instance is there


class Fleet:
    """Keeps the instances of one experiment."""

    def __init__(
        self,
        ec2: Client,
        *,
        names: Names,
        journal: Journal,
        crew: Crew,
        launcher: Launcher,
        starts: Starts,
        terms: Terms,
    ) -> None:
        """Makes the fleet; `start` begins to keep it.

        Args:
            ec2: The region's.
            names: The experiment's.
            journal: What was launched.
            crew: Who has called.
            launcher: Makes the launches.
            starts: Decides on launches, and watches over what they bring.
            terms: How it is kept.
        """
        self._ec2 = ec2
        self._names = names
        self._journal = journal
        self._crew = crew
        self._launcher = launcher
        self._terms = terms
        self._census = Census(ec2, names=names, journal=journal, crew=crew, launcher=launcher)
        self._starts = starts
        self._last_look = self._next_look = 0.0
        self._failures = 0
        self._vouched_until = 0.0
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def waits_for(self) -> str | None:
        """Why there are fewer instances than wanted, for people; None if there are not."""
        return self._starts.waits_for

    @property
    def refused(self) -> str | None:
        """Why there will never be any."""
        return self._starts.refused

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def look_now(self) -> None:
        """Has it look at once whether there is enough."""
        self._wake.set()

    def condemn(self, instance: str, reason: str) -> None:
        """Has an instance terminated; the crew learns of it once it is so."""
        self._census.condemn([instance], reason)
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
        self._census.terminate([one["InstanceId"] for one in self._launcher.described()])
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
        self._starts.waits_for = str(error)
        pause_s = min(LONGEST_PAUSE_S, 0.5 * 2**self._failures)
        self._starts.not_before = time.monotonic() + pause_s
        _log.warning("EC2 does not do it now: %s", error)
        with self._crew.changed:
            self._crew.changed.notify_all()

    def _tick(self) -> None:
        now = time.monotonic()
        if now < self._starts.not_before or not self._crew.synced:
            return
        self._census.condemn(self._crew.silent(), "it was not heard of for its lease")
        self._census.carry_out()
        if self._crew.silent(_QUIET_S):  # it calls every few seconds; what has become of it?
            self._next_look = min(self._next_look, self._last_look + _QUIET_S)
        if self._launcher.settle() or now >= self._next_look:
            self._census.take()
            self._last_look = time.monotonic()
            self._next_look = self._last_look + _LOOK_S
        self._vouch()
        self._fit()

    def _vouch(self) -> None:
        """Renews the tag that tells a reaper until when this orchestrate answers for them."""
        now, alive = time.time(), [entry.id for entry in self._journal.alive]
        if alive and now > self._vouched_until - self._terms.lease_s:
            until = self._starts.until()
            try:
                self._ec2.call("create_tags", Resources=alive, Tags=tags({LEASE: f"{until:.0f}"}))
            except AwsError as error:
                if error.code != "InvalidInstanceID.NotFound":  # too new, or gone for long
                    raise
                return
            self._vouched_until = until

    def _fit(self) -> None:
        """Launches what is missing, and sends away what has had nothing to do."""
        with self._crew.changed:
            waiting = sum(1 for j in self._crew.jobs.values() if not j.members and not j.ending)
            members = list(self._crew.members.values())
        idle = [m for m in members if m.takes_trials]
        working = [m for m in members if not m.draining and not m.retiring]
        booting, overdue = self._starts.sort()
        if overdue:
            why = f"its agent has not called within {self._terms.boot_s:g} s"
            self._census.condemn(overdue, why)
            self._wake.set()
        coming = len([m for m in members if not m.ready and not m.draining])
        nodes = self._terms.nodes
        missing = waiting * nodes - len(idle) - len(booting) - coming
        room = self._terms.most - len(working) - len(booting)
        missing = -(-min(missing, room) // nodes) * nodes if missing > 0 else 0
        if missing > 0 and self._crew.broken is None and self.refused is None:
            if self._starts.launch(missing):
                self._wake.set()
        elif missing <= 0:
            self._starts.waits_for = None
        spare = -missing if missing < 0 else len(idle) - waiting * nodes
        now = time.monotonic()
        for member in sorted(idle, key=lambda m: m.idle_since or 0.0)[: max(0, spare)]:
            if member.idle_since is not None and now - member.idle_since > self._terms.idle_s:
                member.retiring = True
                with self._crew.changed:
                    self._crew.changed.notify_all()
