"""Who has called, and who works on what: what the desk hears and the executor asks.

Nothing here talks to anybody. A member is an instance whose agent has called; a job is an attempt
that has been submitted, or one of an earlier leader's that was found again.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sigopt_orchestrate.executors.ec2.gang import gang
from sigopt_orchestrate.executors.executor import Attempt

Json = dict[str, Any]

MARGIN_S = 5.0
"""From the end of an instance's lease to the moment when it counts as gone."""


@dataclass
class Member:
    """An instance, as its agent tells it.

    Attributes:
        id: EC2's name for it.
        ip: Its private address.
        boot: A name that its agent gave itself when it began.
        seen: When it last called, on the monotonic clock.
        idle_since: When it had nothing to do for the first time; None while it works.
        ready: Whether it can take trials.
        draining: Why it takes no more of them: it will be gone soon.
        retiring: Whether it has been told to end.
        launch: The request that it came from, once that is known.
    """

    id: str
    type: str
    zone: str
    ip: str
    boot: str
    seen: float
    idle_since: float | None = None
    ready: bool = False
    draining: str | None = None
    retiring: bool = False
    launch: str | None = None

    @property
    def takes_trials(self) -> bool:
        """Whether it may be given a trial now."""
        return (
            self.ready
            and not self.retiring
            and self.draining is None
            and self.idle_since is not None
        )


@dataclass
class Job:
    """An attempt on its way.

    Attributes:
        attempt: Which.
        nodes: How many instances it needs, all at once.
        order: What its instances are told; None for one that an earlier leader has handed out.
        members: The instances that it was given to, by rank.
        confirmed: The ranks whose instance has told that it works on it.
        exits: How it ended, by rank.
        since: When it was given to them, or found again.
        ending: Whether it has been asked to end.
        lost: Why nothing more will come of it.
    """

    attempt: Attempt
    nodes: int
    order: Json | None
    members: list[str] = field(default_factory=list)
    confirmed: set[int] = field(default_factory=set)
    exits: dict[int, Json] = field(default_factory=dict)
    since: float = 0.0
    ending: bool = False
    lost: str | None = None

    @property
    def over(self) -> bool:
        """Whether every instance of it has said how it ended."""
        return len(self.exits) == self.nodes


Placed = Callable[[Job, list[Member]], None]
"""Called before a job is handed out: the intent is to be on disk before the effect."""


class Crew:
    """The members and jobs of one experiment, for any number of threads.

    Attributes:
        synced: Whether all jobs of earlier leaders are known, so that others are strangers.
        closing: Whether nobody answers any more; those who wait are sent away.
        finished: Whether nothing is left to do: whoever calls is to end.
        broken: Why no instance can be made ready, if that is so.
    """

    def __init__(self, lease_s: float, placed: Placed, moved: Callable[[Attempt], None]) -> None:
        """Makes an empty crew.

        Args:
            lease_s: So long after its last call an instance may still work.
            placed: See `Placed`.
            moved: Called when there is something to look at.
        """
        self.changed = threading.Condition()
        self.members: dict[str, Member] = {}
        self.jobs: dict[str, Job] = {}
        self.synced = self.closing = self.finished = False
        self.broken: str | None = None
        self._lease_s = lease_s
        self._placed = placed
        self._moved = moved

    def add(self, job: Job) -> Job:
        """Takes a job, unless its attempt is known already; returns the one that counts."""
        with self.changed:
            job.since = time.monotonic()
            known = self.jobs.setdefault(job.attempt.token, job)
            self._hand_out()
            self.changed.notify_all()
            return known

    def end(self, token: str) -> None:
        """Asks a job to end; one that nobody has begun is over at once."""
        with self.changed:
            job = self.jobs.get(token)
            if job is not None and not job.ending:
                job.ending = True
                self.changed.notify_all()

    def forget(self, wanted: set[str]) -> None:
        """Drops all jobs but these."""
        with self.changed:
            for token in [t for t in self.jobs if t not in wanted]:
                del self.jobs[token]
            self.synced = True
            self.changed.notify_all()

    def call(self, said: Json) -> Json:
        """Takes an instance's call and returns what it is to do, at once or once there is some.

        Args:
            said: `instance`, `type`, `zone`, `ip`, `boot`, `attempts`, `ready`, `broken`, `drain`
                and `wait_s`.
        """
        until = time.monotonic() + float(said["wait_s"])
        with self.changed:
            member = self._hear(said)
            while True:
                self._hand_out()
                answer = self._answer(member, set(said["attempts"]))
                left = until - time.monotonic()
                if left <= 0 or any(answer.values()) or self.closing:
                    member.seen = time.monotonic()
                    return answer
                self.changed.wait(left)

    def exited(self, token: str, rank: int, record: Json) -> bool:
        """Takes how one rank of a job ended; returns False where nobody wants to know."""
        with self.changed:
            job = self.jobs.get(token)
            if job is None:
                return False
            job.exits.setdefault(rank, record)
            if record["code"] != 0 or record["ended_by"] is not None:
                job.ending = True  # a gang is all or nothing
            self.changed.notify_all()
        self._moved(job.attempt)
        return True

    def gone(self, instance: str, reason: str) -> None:
        """Takes note that an instance is no more; what it worked on is lost."""
        with self.changed:
            self.members.pop(instance, None)
            touched = [job for job in self.jobs.values() if instance in job.members]
            for job in touched:
                rank = job.members.index(instance)
                if rank not in job.exits:
                    job.exits[rank] = {"code": None, "ended_by": "lost", "error": None}
                    job.lost = job.lost or reason
                    job.ending = True
            self.changed.notify_all()
        for job in touched:
            self._moved(job.attempt)

    def silent(self, after_s: float | None = None) -> list[str]:
        """Returns the instances that have not called for so long.

        Args:
            after_s: How long; by default so long that they should have ended themselves.
        """
        after_s = self._lease_s + MARGIN_S if after_s is None else after_s
        limit = time.monotonic() - after_s
        with self.changed:
            found = [m.id for m in self.members.values() if m.seen < limit]
            for job in self.jobs.values():  # an earlier leader's, who have not called this one
                if job.since < limit:
                    found += [i for i in job.members if i not in self.members]
            return found

    def _hear(self, said: Json) -> Member:
        now = time.monotonic()
        member = self.members.get(said["instance"])
        if member is None or member.boot != said["boot"]:
            member = Member(
                id=str(said["instance"]),
                type=str(said["type"]),
                zone=str(said["zone"]),
                ip=str(said["ip"]),
                boot=str(said["boot"]),
                seen=now,
            )
            self.members[member.id] = member
        member.seen, member.ready = now, bool(said["ready"])
        member.draining = said["drain"] or member.draining
        if said["broken"]:
            self.broken = str(said["broken"])
        busy = bool(said["attempts"]) or any(
            member.id in job.members and job.members.index(member.id) not in job.exits
            for job in self.jobs.values()
        )
        member.idle_since = None if busy else member.idle_since or now
        self._compare(member, set(said["attempts"]))
        return member

    def _compare(self, member: Member, held: set[str]) -> None:
        """Finds what the instance was given and does not have: it has not got it, or is another."""
        for token, job in self.jobs.items():
            if member.id not in job.members:
                continue
            rank = job.members.index(member.id)
            if token in held:
                job.confirmed.add(rank)
            elif rank not in job.exits and (job.order is None or rank in job.confirmed):
                job.exits[rank] = {"code": None, "ended_by": "lost", "error": None}
                job.lost = job.lost or f"{member.id} does not know it any more"
                job.ending = True
                self._moved(job.attempt)

    def _hand_out(self) -> None:
        """Gives jobs that wait to members that are idle; those of a gang from one launch."""
        for job in self.jobs.values():
            if job.members or job.ending or job.order is None:
                continue
            idle: dict[str | None, list[Member]] = {}
            for member in self.members.values():
                if member.takes_trials:
                    group = member.launch if job.nodes > 1 else None
                    idle.setdefault(group, []).append(member)
            chosen = next((m[: job.nodes] for m in idle.values() if len(m) >= job.nodes), None)
            if chosen is None:
                continue
            job.members = [member.id for member in chosen]
            job.since = time.monotonic()
            self._placed(job, chosen)
            for member in chosen:
                member.idle_since = None
            self.changed.notify_all()

    def _answer(self, member: Member, held: set[str]) -> Json:
        orders, end, stop = [], [], []
        for token, job in self.jobs.items():
            if member.id not in job.members:
                continue
            rank = job.members.index(member.id)
            if rank in job.exits:
                continue
            if token not in held and job.order is not None and rank not in job.confirmed:
                if job.ending:
                    job.exits[rank] = {"code": None, "ended_by": "stop", "error": None}
                    self._moved(job.attempt)
                else:
                    orders.append(self._order(job, rank))
            elif job.ending:
                end.append(token)
            elif job.attempt.folder.stop.exists():
                stop.append(token)
        if self.synced:
            end += sorted(held - self.jobs.keys())
        return {"orders": orders, "end": end, "stop": stop, "retire": member.retiring}

    def _order(self, job: Job, rank: int) -> Json:
        assert job.order is not None  # noqa: S101 - asked before
        if job.nodes == 1:
            return {**job.order, "rank": 0}
        ips = [self.members[i].ip if i in self.members else "" for i in job.members]
        return {**job.order, "rank": rank, "env": {**job.order["env"], **gang(ips, rank)}}
