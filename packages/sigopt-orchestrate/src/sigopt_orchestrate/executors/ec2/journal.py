"""What was launched for an experiment, on disk before and after each request.

The file holds what it takes to repeat a request whose answer was lost, and what every instance
costs; the dashboard and `status` read it, too.
"""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sigopt_orchestrate.executors.supervisor import write_whole


@dataclass
class Launch:
    """One request for instances.

    Attributes:
        number: Counts up from 1 in the experiment.
        count: How many were asked for.
        market: `spot` or `on-demand`.
        request: CreateFleet's arguments, so that it can be made again, word for word.
        done: Whether its answer is known.
        at: When it was made, in Unix seconds.
    """

    number: int
    count: int
    market: str
    request: dict[str, Any]
    done: bool = False
    at: float = field(default_factory=time.time)


@dataclass
class Instance:
    """One instance that a launch brought.

    Attributes:
        id: EC2's name for it.
        launch: The launch's number.
        usd_per_hour: Its price when it was launched; None where it is not known.
        launched_at: In Unix seconds.
        ended_at: When it was first seen to be gone; None while it may be there.
    """

    id: str
    launch: int
    type: str
    zone: str
    market: str
    usd_per_hour: float | None
    launched_at: float
    ended_at: float | None = None


class Journal:
    """The launches and instances of one experiment; written by its leader alone."""

    def __init__(self, path: Path) -> None:
        """Reads what an earlier leader has left at `path`."""
        self._path = path
        self.launches: dict[int, Launch] = {}
        self.instances: dict[str, Instance] = {}
        if path.exists():
            held = json.loads(path.read_bytes())
            self.launches = {one["number"]: Launch(**one) for one in held["launches"]}
            self.instances = {one["id"]: Instance(**one) for one in held["instances"]}

    def write(self) -> None:
        """Puts all of it on disk, whole or not at all."""
        held = {
            "launches": [asdict(one) for one in self.launches.values()],
            "instances": [asdict(one) for one in self.instances.values()],
        }
        write_whole(self._path, held)

    @property
    def alive(self) -> list[Instance]:
        """The instances that may still be there."""
        return [one for one in self.instances.values() if one.ended_at is None]
