"""Where in a cluster a trial's attempt is, what it asks of it, and what it waits for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sigopt_orchestrate.store import AttemptFolder


@dataclass(frozen=True)
class Place:
    """An attempt's place, as its leader has last seen it.

    Attributes:
        nodes: The names of the nodes that its pods are on, without repetition.
        pods: How many pods there are.
        requests: What each of them asks for, by Kubernetes' names, memory in bytes.
        waits_for: Why it does not run yet; None if it does, or nobody says.
    """

    nodes: tuple[str, ...]
    pods: int
    requests: Mapping[str, float]
    waits_for: str | None

    @property
    def where(self) -> str:
        """The nodes, or the reason for which there is none."""
        if self.waits_for is not None:
            return f"waits: {self.waits_for}"
        return ", ".join(self.nodes)

    @property
    def asked(self) -> str:
        """What all pods together ask for."""
        parts = [
            f"{amount * self.pods / 2**30:.3g} GiB"
            if name == "memory"
            else f"{amount * self.pods:g} {name.rpartition('/')[2]}"
            for name, amount in self.requests.items()
        ]
        return ", ".join(parts)


def read_place(folder: AttemptFolder) -> Place | None:
    """Returns the attempt's place; None where it is on this machine, or not seen yet."""
    try:
        said = json.loads(folder.place.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    pods = said["pods"]
    return Place(
        nodes=tuple(dict.fromkeys(pod["node"] for pod in pods if pod["node"])),
        pods=max(1, len(pods)),
        requests=said.get("requests", {}),
        waits_for=said["waits_for"],
    )
