"""Launching instances: the intent first, once for each, and elsewhere where there are none."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from sigopt_orchestrate.aws.session import AwsError, Client, tags, tags_of
from sigopt_orchestrate.executors.ec2.journal import Instance, Journal, Launch
from sigopt_orchestrate.executors.ec2.names import EXPERIMENT, LAUNCH, LEASE, Names
from sigopt_orchestrate.executors.ec2.pools import NO_CAPACITY, NO_QUOTA, Pool, Pools

Json = dict[str, Any]
Price = Callable[[str, str, str], float | None]
"""The price in USD per hour of a type in a zone and a market."""

ALIVE = ("pending", "running")


class Launcher:
    """Makes the requests of one experiment."""

    def __init__(
        self,
        ec2: Client,
        *,
        names: Names,
        journal: Journal,
        pools: Pools,
        zones: Mapping[str, str],
        price: Price,
    ) -> None:
        """Makes the launcher.

        Args:
            ec2: The region's.
            names: The experiment's.
            journal: What was launched.
            pools: Where there is capacity.
            zones: The availability zones by subnet.
            price: See `Price`.
        """
        self._ec2 = ec2
        self._price = price
        self._names = names
        self._journal = journal
        self._pools = pools
        self._zones = zones

    def launch(
        self, template: tuple[str, str], count: int, *, together: bool, until: float
    ) -> int | None:
        """Asks for instances, in pool after pool, until there are some or nobody has any.

        Args:
            template: Id and version.
            count: How many.
            together: All in one placement group or none at all.
            until: The lease that they begin with, in Unix seconds.

        Returns:
            How many there are; None where no pool has capacity now.

        Raises:
            AwsError: If AWS refuses for another reason, or the answer is lost: `settle` finds out.
        """
        while pools := self._pools.best():
            number = max(self._journal.launches, default=0) + 1
            market = pools[0].market
            request = self._request(template, number, count, pools, together=together, until=until)
            launch = Launch(number, count, market, request)
            self._journal.launches[number] = launch
            self._journal.write()
            got = self._ask(launch)
            if got:
                return got
        return None

    def settle(self, *, repeat: bool = True) -> bool:
        """Finds out about launches whose answer was lost.

        Args:
            repeat: Whether to make those again that came to nothing.

        Returns:
            Whether there were any.

        Raises:
            AwsError: If AWS does not answer now, either.
        """
        open_ = [one for one in self._journal.launches.values() if not one.done]
        for launch in open_:
            # A request that is repeated with its ClientToken makes nothing new. Where that is not
            # honoured the tag tells, and `Fleet` ends what is more than was asked for.
            found = self.described({LAUNCH: self._names.launch(launch.number)})
            for one in found:
                self.enter(launch.number, one)
            if found or not repeat:
                self._close(launch)
            else:
                self._ask(launch)
        return bool(open_)

    def described(self, having: dict[str, str] | None = None) -> list[Json]:
        """Returns the experiment's instances that are there, as EC2 describes them."""
        wanted = {EXPERIMENT: self._names.root, **(having or {})}
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in wanted.items()]
        filters.append({"Name": "instance-state-name", "Values": list(ALIVE)})
        reservations = self._ec2.pages("describe_instances", "Reservations", Filters=filters)
        return [one for reservation in reservations for one in reservation["Instances"]]

    def _request(
        self,
        template: tuple[str, str],
        number: int,
        count: int,
        pools: list[Pool],
        *,
        together: bool,
        until: float,
    ) -> Json:
        launch_tags = {
            EXPERIMENT: self._names.root,
            LAUNCH: self._names.launch(number),
            LEASE: str(round(until)),
        }
        market = pools[0].market
        options: Json = {}
        if together:
            options = {"SingleInstanceType": True, "SingleAvailabilityZone": True}
            options["MinTargetCapacity"] = count

        def priority(place: int) -> Json:
            return {"Priority": float(place)} if market == "on-demand" else {}

        request: Json = {
            "Type": "instant",
            "ClientToken": self._names.launch(number),
            "LaunchTemplateConfigs": [
                {
                    "LaunchTemplateSpecification": {
                        "LaunchTemplateId": template[0],
                        "Version": template[1],
                    },
                    "Overrides": [
                        {"InstanceType": p.type, "SubnetId": p.subnet, **priority(k)}
                        for k, p in enumerate(pools)
                    ],
                }
            ],
            "TargetCapacitySpecification": {
                "TotalTargetCapacity": count,
                "DefaultTargetCapacityType": market,
            },
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tags(launch_tags)}],
        }
        strategy = "price-capacity-optimized" if market == "spot" else "prioritized"
        key = "SpotOptions" if market == "spot" else "OnDemandOptions"
        request[key] = {"AllocationStrategy": strategy, **options}
        return request

    def _ask(self, launch: Launch) -> int:
        try:
            answer = self._ec2.call("create_fleet", **launch.request)
        except AwsError as error:
            if error.may_pass or not error.code:
                raise  # it may have been done; `settle` finds out
            self._close(launch)
            if error.code not in NO_CAPACITY | NO_QUOTA:
                raise
            self._pools.all_dry(launch.market)
            return 0
        ids = [i for group in answer.get("Instances", []) for i in group["InstanceIds"]]
        errors = answer.get("Errors", [])
        serious = self._pools.take_note(errors, launch.market)
        if ids:
            for group in answer["Instances"]:
                over = group.get("LaunchTemplateAndOverrides", {}).get("Overrides", {})
                zone = self._zones.get(over.get("SubnetId", ""), "")
                for id_ in group["InstanceIds"]:
                    market = group.get("Lifecycle", launch.market)
                    self._enter(launch.number, id_, str(group["InstanceType"]), zone, market)
            self._close(launch)
            return len(ids)
        self._close(launch)
        if serious is not None:
            raise AwsError("ec2:CreateFleet", "Refused", serious, may_pass=False)
        if not errors:  # nothing, and no reason for it
            self._pools.all_dry(launch.market)
        return 0

    def _close(self, launch: Launch) -> None:
        launch.done, launch.request = True, {}
        self._journal.write()

    def enter(self, number: int, described: Json) -> None:
        """Takes an instance into the journal, if it is not there; the caller writes it."""
        zone = str(described["Placement"]["AvailabilityZone"])
        market = described.get("InstanceLifecycle", "on-demand")
        self._enter(number, described["InstanceId"], described["InstanceType"], zone, market)

    def _enter(self, number: int, id_: str, type_: str, zone: str, market: str) -> None:
        if id_ not in self._journal.instances:
            price = self._price(type_, zone, market)
            entered = Instance(id_, number, type_, zone, market, price, time.time())
            self._journal.instances[id_] = entered


def launch_number(described: Json, names: Names) -> int | None:
    """Returns which of the experiment's launches an instance says it came from."""
    name = tags_of(described).get(LAUNCH, "")
    prefix, _, number = name.rpartition("-")
    return int(number) if prefix == names.root and number.isdigit() else None
