"""Who is there, who is not to be, and who is no more; and ends those who are not to be."""

import threading
import time
from collections.abc import Iterable
from typing import Any

from sigopt_orchestrate.aws.session import AwsError, Client
from sigopt_orchestrate.executors.ec2.crew import Crew
from sigopt_orchestrate.executors.ec2.journal import Journal
from sigopt_orchestrate.executors.ec2.launching import ALIVE, Launcher, launch_number
from sigopt_orchestrate.executors.ec2.names import Names

Json = dict[str, Any]

_UNSEEN_S = 60.0  # so long a list may lack an instance that was just launched
_TERMINATE_AT_ONCE = 100


class Census:
    """Compares what EC2 describes with what was launched.

    Args:
        ec2: The region's.
        names: The experiment's.
        journal: What was launched.
        crew: Who has called; is told who is gone.
        launcher: Made the launches.
    """

    def __init__(
        self, ec2: Client, *, names: Names, journal: Journal, crew: Crew, launcher: Launcher
    ) -> None:
        self._ec2 = ec2
        self._names = names
        self._journal = journal
        self._crew = crew
        self._launcher = launcher
        self._condemned: dict[str, str] = {}
        self._lock = threading.Lock()

    def condemn(self, instances: Iterable[str], reason: str) -> None:
        """Has instances terminated by the next `carry_out`; may be called from any thread."""
        with self._lock:
            for instance in instances:
                self._condemned.setdefault(instance, reason)

    def carry_out(self) -> None:
        """Terminates those that are condemned, and tells the crew.

        Raises:
            AwsError: If EC2 does not do it now; they stay condemned.
        """
        with self._lock:
            doomed, self._condemned = self._condemned, {}
        if not doomed:
            return
        try:
            self.terminate(list(doomed))
        except AwsError:
            with self._lock:
                self._condemned = doomed | self._condemned
            raise
        for instance, reason in doomed.items():
            self._is_gone(instance, f"{instance}: {reason}")
        self._journal.write()

    def terminate(self, instances: list[str]) -> None:
        """Terminates instances, whether or not they are there.

        Raises:
            AwsError: If EC2 does not do it now.
        """
        for start in range(0, len(instances), _TERMINATE_AT_ONCE):
            some = instances[start : start + _TERMINATE_AT_ONCE]
            try:
                self._ec2.call("terminate_instances", InstanceIds=some)
            except AwsError as error:
                if error.code != "InvalidInstanceID.NotFound":
                    raise
                for one in some if len(some) > 1 else ():
                    self.terminate([one])

    def take(self) -> None:
        """Finds strangers, what is more than was asked for, and what is no more.

        Raises:
            AwsError: If EC2 does not answer now.
        """
        described = self._launcher.described()
        self.condemn(self._surplus(described), "nobody has asked for it")
        here = {one["InstanceId"] for one in described}
        for entry in self._journal.alive:
            if entry.id not in here and time.time() - entry.launched_at > _UNSEEN_S:
                self._is_gone(entry.id, f"{entry.id} is gone: EC2 has ended it, or it itself")
            elif entry.id not in here and self._has_ended(entry.id):
                self._is_gone(entry.id, f"{entry.id} is gone")
        self.carry_out()
        self._journal.write()

    def _surplus(self, described: list[Json]) -> list[str]:
        """Returns what no launch accounts for; the others are entered into the journal."""
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
        return surplus

    def _is_gone(self, instance: str, reason: str) -> None:
        entry = self._journal.instances.get(instance)
        if entry is not None and entry.ended_at is None:
            entry.ended_at = time.time()
        self._crew.gone(instance, reason)

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
