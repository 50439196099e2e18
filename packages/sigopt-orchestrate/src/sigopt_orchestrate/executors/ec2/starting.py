"""Instances on their way: asked for, waited for where nobody has any, given up where none calls."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sigopt_orchestrate.aws.session import AwsError
from sigopt_orchestrate.executors.ec2.crew import Crew
from sigopt_orchestrate.executors.ec2.journal import Journal
from sigopt_orchestrate.executors.ec2.launching import Launcher
from sigopt_orchestrate.executors.ec2.pools import Pools

LONGEST_PAUSE_S = 60.0
_BAD_STARTS = 3  # after so many instances in turn that never called, none of them will


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


class Starts:
    """Makes launches, and watches over what they bring until it calls.

    Attributes:
        waits_for: Why there are fewer instances than wanted, for people; None if there are not.
        refused: Why there will never be any.
        not_before: When to look again, on the monotonic clock.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        crew: Crew,
        pools: Pools,
        launcher: Launcher,
        template: Callable[[], tuple[str, str]],
        terms: Terms,
    ) -> None:
        """Begins with none.

        Args:
            journal: What was launched.
            crew: Who has called.
            pools: Where there is capacity.
            launcher: Makes the launches.
            template: Makes the launch template, if it is not there, and returns id and version.
            terms: How the fleet is kept.
        """
        self._journal = journal
        self._crew = crew
        self._pools = pools
        self._launcher = launcher
        self._template = template
        self._made: tuple[str, str] | None = None
        self._terms = terms
        self._bad_starts = 0
        self.waits_for: str | None = None
        self.refused: str | None = None
        self.not_before = 0.0

    def until(self) -> float:
        """Returns the lease of an instance that is launched now, in Unix seconds."""
        return time.time() + max(self._terms.boot_s, 2 * self._terms.lease_s)

    def sort(self) -> tuple[list[str], list[str]]:
        """Returns the instances that have not called yet: those that may, and those given up."""
        patient, overdue = [], []
        called = self._crew.members
        for entry in self._journal.alive:
            if entry.id in called:
                continue
            if time.time() - entry.launched_at > self._terms.boot_s:
                overdue.append(entry.id)
            else:
                patient.append(entry.id)
        self._bad_starts = 0 if called else self._bad_starts + len(overdue)
        if self._bad_starts >= _BAD_STARTS:
            self.refused = (
                f"{_BAD_STARTS} instances were launched and none has called within "
                f"{self._terms.boot_s:g} s; can they reach this machine at the address in "
                "backend.ec2.address, and has their image python3?"
            )
        return patient, overdue

    def launch(self, missing: int) -> bool:
        """Asks for instances; returns whether there may be more at once.

        Raises:
            AwsError: If AWS refuses or does not answer; what will never pass is in `refused`, too.
        """
        try:
            return self._launch(missing)
        except AwsError as error:
            if not error.may_pass and error.code:
                self.refused = str(error)
            raise

    def _launch(self, missing: int) -> bool:
        if self._made is None:
            self._made = self._template()
        got = None
        nodes = self._terms.nodes
        for count in [nodes] * (missing // nodes) if nodes > 1 else [missing]:
            got = self._launcher.launch(self._made, count, together=nodes > 1, until=self.until())
        if got is None:
            wait_s = self._pools.wait_s()
            self.waits_for = f"EC2 has no capacity in any pool; asked again in {wait_s:.0f} s"
            self.not_before = time.monotonic() + min(wait_s, LONGEST_PAUSE_S)
            return False
        self.waits_for = "an instance is starting"
        return got < missing and nodes == 1
