"""What a step is: one thing at AWS that can be found, made and removed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sigopt_orchestrate.aws.session import AwsError, Client, client
from sigopt_orchestrate.spec.cluster import ClusterFile

TAG = "orchestrate:cluster"
"""Tag of everything that belongs to a cluster; its value is the cluster's name."""

EXISTS = {
    "EntityAlreadyExists",
    "ResourceInUseException",
    "RepositoryAlreadyExistsException",
    "Resource.AlreadyAssociated",
    "RouteAlreadyExists",
    "InvalidPermission.Duplicate",
}
GONE = {
    "NoSuchEntity",
    "ResourceNotFoundException",
    "RepositoryNotFoundException",
    "InvalidVpcID.NotFound",
    "InvalidSubnetID.NotFound",
    "InvalidInternetGatewayID.NotFound",
    "InvalidRouteTableID.NotFound",
    "InvalidAssociationID.NotFound",
    "Gateway.NotAttached",
    "NotFoundException",
}


@dataclass
class Context:
    """What steps work with.

    Attributes:
        file: The cluster that is wanted.
        made: The ids of what is there, by the steps' names.
        say: Tells people what is waited for.
        pause: Waits for some seconds between two looks at something slow.
    """

    file: ClusterFile
    say: Callable[[str], None]
    pause: Callable[[float], None]
    made: dict[str, str] = field(default_factory=dict)

    @property
    def tags(self) -> dict[str, str]:
        """What everything is tagged with."""
        return {TAG: self.file.name, "Name": f"orchestrate-{self.file.name}"}

    def client(self, service: str) -> Client:
        """Returns a client in the cluster's region."""
        return client(service, self.file.region)

    def name(self, what: str) -> str:
        """Returns the name of something whose names are unique in the account."""
        return f"orchestrate-{self.file.name}-{what}"


@dataclass(frozen=True)
class Step:
    """One thing.

    Attributes:
        name: Unique in the cluster, for the journal and for people.
        what: For people, with all that costs or matters.
        find: Returns the ids of all that is there of it: more than one after a lost answer.
        make: Makes it and returns its id; what is there already is no error.
        undo: Removes one; what is gone already is no error.
        settle: Brings one that is there to what it is to be, and waits until it is.
    """

    name: str
    what: str
    find: Callable[[Context], list[str]]
    make: Callable[[Context], str]
    undo: Callable[[Context, str], None]
    settle: Callable[[Context, str], None] = lambda _context, _id: None


def tolerant(work: Callable[[], Any], codes: set[str]) -> Any:
    """Returns what `work` returns, or None where it fails with one of these codes."""
    try:
        return work()
    except AwsError as error:
        if error.code not in codes:
            raise
        return None


def wait_until(context: Context, what: str, done: Callable[[], bool], limit_s: float) -> None:
    """Looks again and again, and says so, until `done`.

    Raises:
        AwsError: If it takes longer than `limit_s`.
    """
    waited, every = 0.0, 15.0
    while not done():
        if waited >= limit_s:
            said = f"not done after {limit_s / 60:.0f} minutes; run the same command again"
            raise AwsError(what, "", said, may_pass=True)
        context.say(f"{what}: {waited / 60:.0f} min")
        context.pause(every)
        waited += every
