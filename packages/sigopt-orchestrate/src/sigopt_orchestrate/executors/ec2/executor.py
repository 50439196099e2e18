"""Runs attempts on instances of EC2; what it knows of them, their agents have told."""

import logging
import os
import time
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from sigopt_orchestrate import worker
from sigopt_orchestrate.artifacts.keeper import Keeper
from sigopt_orchestrate.aws.prices import Prices
from sigopt_orchestrate.aws.session import AwsError, Client, client
from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.executors.ec2 import reaching
from sigopt_orchestrate.executors.ec2.crew import Crew, Job, Member
from sigopt_orchestrate.executors.ec2.desk import Desk, rank_exit
from sigopt_orchestrate.executors.ec2.fleet import Fleet
from sigopt_orchestrate.executors.ec2.journal import Journal
from sigopt_orchestrate.executors.ec2.launching import Launcher
from sigopt_orchestrate.executors.ec2.names import Names
from sigopt_orchestrate.executors.ec2.pools import Pools
from sigopt_orchestrate.executors.ec2.source import pack
from sigopt_orchestrate.executors.ec2.starting import Starts, Terms
from sigopt_orchestrate.executors.ec2.template import ensure_template
from sigopt_orchestrate.executors.ec2.user_data import user_data
from sigopt_orchestrate.executors.executor import Attempt, Work
from sigopt_orchestrate.executors.presence import (
    Absent,
    Ended,
    Exit,
    Lost,
    Presence,
    Running,
    Starting,
)
from sigopt_orchestrate.executors.records import read_exit, read_record
from sigopt_orchestrate.executors.supervisor import flush, wake, write_whole
from sigopt_orchestrate.spec.ec2 import Ec2
from sigopt_orchestrate.store import AttemptFolder, ExperimentFolder, ExperimentRecord

_log = logging.getLogger(__name__)
_REPLACED = (worker.METRICS, worker.STOP, worker.OUTPUT, worker.CHECKPOINT)


class Ec2Executor:
    """One experiment's attempts, each on an instance of a fleet, or on several.

    `find` asks EC2 nothing: instances call the desk, and a thread keeps the fleet.
    """

    def __init__(
        self,
        experiment: ExperimentRecord,
        folder: ExperimentFolder,
        keeper: Keeper | None = None,
    ) -> None:
        """Begins to listen and to keep the fleet; instances are launched with the first attempt.

        Args:
            experiment: Whose attempts it runs.
            folder: Where the experiment's files lie.
            keeper: Of its artifacts, if it keeps any.

        Raises:
            CloudError: If instances cannot be heard, or AWS cannot be used.
            SpecError: If the folder is too large to be copied.
        """
        spec = experiment.spec
        assert spec.backend is not None  # noqa: S101
        assert spec.backend.ec2 is not None  # noqa: S101
        self._spec = spec
        self._wanted: Ec2 = spec.backend.ec2
        self._folder = folder
        self._names = Names.of(experiment)
        self._retained: set[str] | None = None
        self._ec2 = client("ec2", self._wanted.region)
        self._prices = Prices(str(self._ec2.raw.meta.region_name), self._wanted.prices)
        self._journal = Journal(folder.root / "fleet.json")
        self._crew = Crew(self._wanted.lease_s, self._note_place, self._hint)
        source = None
        if self._wanted.source:
            packed = folder.root / "source.tar.gz"
            source = pack(experiment.directory, self._wanted.exclude, packed)
        self._calling = reaching.calling(
            self._wanted, folder.root / "desk.key", experiment.directory
        )
        self._desk = Desk(
            self._crew,
            listen=reaching.listen(self._wanted, self._calling.url),
            token=self._calling.token,
            source=source,
            secrets=spec.secrets,
            tls=reaching.tls(self._wanted, experiment.directory),
            keeper=keeper,
        )
        self._fleet = self._make_fleet()
        self._fleet.start()

    def submit(self, attempt: Attempt, work: Work) -> None:
        """Has the attempt wait for an instance."""
        attempt.folder.root.mkdir(parents=True, exist_ok=True)
        artifacts = self._spec.artifacts
        order = {
            "token": attempt.token,
            "argv": work.argv,
            "env": {k: v for k, v in work.env.items() if k not in _REPLACED},
            "secrets": {name: os.environ.get(name, "") for name in work.secrets},
            "memory": work.memory,
            "trial_s": work.timeouts.trial_s,
            "grace_s": work.timeouts.grace_s,
            "lease_s": self._wanted.lease_s,
            "artifacts": artifacts and {"every_s": artifacts.checkpoint_every_s},
        }
        self._crew.add(Job(attempt, self._spec.nodes.count, order))
        self._fleet.look_now()

    def find(self, attempt: Attempt) -> Presence:
        """Says what the instances have told of the attempt."""
        record = read_exit(attempt.folder)
        if record is not None:
            return _ended(record, attempt.folder)
        job = self._crew.jobs.get(attempt.token) or self._found_again(attempt)
        if job is None:
            return Absent()
        if job.over:
            return self._conclude(job)
        if job.members:
            return Running()
        if job.ending:
            return Absent(self._fleet.waits_for)
        hopeless = self._fleet.refused or self._crew.broken
        if hopeless is not None:
            return self._record(job, Exit(None, error=hopeless))
        return Starting(self._fleet.waits_for)

    def end(self, attempt: Attempt) -> None:
        """Has the attempt's instances end its command."""
        self._crew.end(attempt.token)

    def kill(self, attempt: Attempt) -> None:
        """Terminates the attempt's instances."""
        job = self._crew.jobs.get(attempt.token)
        for rank, instance in enumerate(job.members if job is not None else ()):
            if job is not None and rank not in job.exits:
                self._fleet.condemn(instance, "its trial did not end when it was asked to")

    def retain(self, tokens: Collection[str]) -> None:
        """Has instances end what belongs to none of these attempts."""
        self._retained = set(tokens)
        self._crew.forget(self._retained)

    def close(self) -> None:
        """Stops listening; where nothing is left to run, all instances are ended."""
        over = self._retained is not None and not self._retained
        self._crew.finished = over
        try:
            self._fleet.close(dissolve=over)
        except AwsError as error:
            _log.warning("%s; what is left ends itself, or `orchestrate reap` ends it", error)
        self._desk.close()

    def _make_fleet(self) -> Fleet:
        wanted, names = self._wanted, self._names
        script = user_data(
            self._calling,
            lease_s=wanted.lease_s,
            boot_s=wanted.boot_s,
            source=wanted.source,
            setup=wanted.setup,
            courier=self._spec.artifacts is not None,
        )
        ssm = client("ssm", wanted.region)
        zones = _zones(self._ec2, wanted.subnets)
        pools = Pools(wanted.types, sorted(zones), self._spec.resources.spot)
        launcher = Launcher(
            self._ec2,
            names=names,
            journal=self._journal,
            pools=pools,
            zones=zones,
            price=self._prices.per_hour,
        )
        terms = Terms(
            nodes=self._spec.nodes.count,
            most=self._spec.parallel * self._spec.nodes.count,
            lease_s=wanted.lease_s,
            idle_s=wanted.idle_s,
            boot_s=wanted.boot_s,
        )

        def template() -> tuple[str, str]:
            return ensure_template(self._ec2, ssm, names, self._spec, script)

        starts = Starts(
            journal=self._journal,
            crew=self._crew,
            pools=pools,
            launcher=launcher,
            template=template,
            terms=terms,
        )
        return Fleet(
            self._ec2,
            names=names,
            journal=self._journal,
            crew=self._crew,
            launcher=launcher,
            starts=starts,
            terms=terms,
        )

    def _hint(self, attempt: Attempt) -> None:
        """Wakes the loop to look at an attempt; called from any thread."""
        wake(self._folder.wake, f"{attempt.folder.trial}/{attempt.folder.number}")

    def _note_place(self, job: Job, members: list[Member]) -> None:
        """Writes who works on an attempt, before they are told."""
        ranks = []
        for member in members:
            entry = self._journal.instances.get(member.id)
            ranks.append(
                {
                    "instance": member.id,
                    "type": member.type,
                    "zone": member.zone,
                    "market": entry.market if entry is not None else None,
                    "usd_per_hour": entry.usd_per_hour if entry is not None else None,
                }
            )
        shown = [{"name": r["instance"], "node": _shown(r), "phase": "Running"} for r in ranks]
        place = {"pods": shown, "instances": ranks, "waits_for": None, "at": time.time()}
        write_whole(job.attempt.folder.place, place)
        self._hint(job.attempt)

    def _found_again(self, attempt: Attempt) -> Job | None:
        """Returns an attempt that an earlier leader handed out; None if that had not come to it."""
        place = read_record(attempt.folder.place)
        if place is None:
            return None
        members = [one["instance"] for one in place["instances"]]
        job = Job(attempt, len(members), None, members)
        for rank in range(len(members)):
            record = read_record(rank_exit(attempt.folder, rank))
            if record is not None:
                job.exits[rank] = record
        return self._crew.add(job)

    def _conclude(self, job: Job) -> Presence:
        """Makes one end of those of all ranks: what was lost, else the first failure."""
        records = [job.exits[rank] for rank in range(job.nodes)]
        lost = [r for r in records if r["ended_by"] in ("lost", "spot", "lease")]
        failed = [r for r in records if r["ended_by"] != "stop" and r["code"] != 0]
        chosen = (lost or failed or [r for r in records if r["ended_by"]] or records)[0]
        reason = job.lost
        if chosen["ended_by"] == "spot":
            reason = f"EC2 takes {job.members[records.index(chosen)]} back (spot)"
        return self._record(job, Exit(**chosen), reason)

    def _record(self, job: Job, exit_: Exit, reason: str | None = None) -> Presence:
        folder = job.attempt.folder
        if reason is not None:
            write_whole(folder.root / "lost.json", {"reason": reason})
        write_whole(folder.exit, asdict(exit_))
        flush(folder.exit)
        return _ended(exit_, folder)


def _shown(rank: dict[str, Any]) -> str:
    """An instance as `status` and `top` show it in a node's place."""
    return f"{rank['instance']} ({', '.join(filter(None, (rank['type'], rank['market'])))})"


def _ended(exit_: Exit, folder: AttemptFolder) -> Presence:
    if exit_.ended_by in ("lost", "spot"):
        told = read_record(folder.root / "lost.json") or {}
        return Lost(told.get("reason", "its instance was lost"))
    return Ended(exit_)


def _zones(ec2: Client, subnets: tuple[str, ...]) -> dict[str, str]:
    """Returns the zones by subnet: of those that are named, else of the default VPC's."""
    default = [{"Name": "default-for-az", "Values": ["true"]}]
    given = {"SubnetIds": list(subnets)} if subnets else {"Filters": default}
    found = ec2.pages("describe_subnets", "Subnets", **given)
    if not found:
        raise SpecError("backend.ec2.subnets: is required, for there is no default VPC")
    return {one["SubnetId"]: one["AvailabilityZone"] for one in found}
