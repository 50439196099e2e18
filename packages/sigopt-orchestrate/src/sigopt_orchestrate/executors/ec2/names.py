"""What an experiment's things at AWS are called, and the tags by which they are found."""

import hashlib
from dataclasses import dataclass

from sigopt_orchestrate.store import ExperimentRecord

EXPERIMENT = "orchestrate:experiment"
"""Tag of everything that an experiment has made; its value is the experiment's name at AWS."""
LAUNCH = "orchestrate:launch"
"""Tag of an instance: the request that it came from, unique in its experiment."""
LEASE = "orchestrate:lease"
"""Tag of an instance: the Unix second until which its orchestrate has vouched for it."""


@dataclass(frozen=True)
class Names:
    """The same for every leader of an experiment, and unlike those of any other store.

    Attributes:
        root: The name of the launch template and of the placement group, and the value of the tag.
    """

    root: str

    @classmethod
    def of(cls, experiment: ExperimentRecord) -> "Names":
        """Returns the names of an experiment's things."""
        told = f"{experiment.id} {experiment.spec.name} {experiment.created_at!r}"
        digest = hashlib.sha256(told.encode()).hexdigest()[:12]
        return cls(f"orc-{experiment.id}-{digest}")

    def launch(self, number: int) -> str:
        """Returns the name of a launch, which is its ClientToken, too (at most 64 characters)."""
        return f"{self.root}-{number}"
