"""Ends instances that nobody vouches for, whoever has launched them and whatever became of that."""

import time

from sigopt_orchestrate.aws.session import Client, tags_of
from sigopt_orchestrate.executors.ec2.launching import ALIVE
from sigopt_orchestrate.executors.ec2.names import EXPERIMENT, LEASE


def reap(ec2: Client, *, experiment: str | None = None) -> list[str]:
    """Terminates instances that nobody vouches for any more, found by their tags alone.

    Args:
        ec2: The region's.
        experiment: Only this experiment's name at AWS, whatever its lease; None for all whose
            lease has run out.

    Returns:
        The instances that were ended.

    Raises:
        AwsError: If AWS refuses.
    """
    wanted = [{"Name": "instance-state-name", "Values": [*ALIVE, "stopping", "stopped"]}]
    if experiment is not None:
        wanted.append({"Name": f"tag:{EXPERIMENT}", "Values": [experiment]})
    else:
        wanted.append({"Name": "tag-key", "Values": [EXPERIMENT]})
    found = ec2.pages("describe_instances", "Reservations", Filters=wanted)
    doomed = []
    for one in (one for group in found for one in group["Instances"]):
        until = tags_of(one).get(LEASE, "")
        vouched = until.isdigit() and int(until) > time.time()
        if experiment is not None or not vouched:
            doomed.append(one["InstanceId"])
    if doomed:
        ec2.call("terminate_instances", InstanceIds=doomed)
    return doomed
