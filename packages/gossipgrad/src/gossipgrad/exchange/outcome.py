"""What became of one exchange."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rank's exchange of one step, after it was settled.

    Attributes:
        step: which.
        destination: the rank it sent to, None if it sent to nobody.
        source: the rank it received from, None if from nobody.
        sent_bytes: bytes handed to the network.
        exposed_s: seconds the training stood still for it.
        staleness: how many local steps lay between the snapshot that was received and its use.
        distance: root mean square difference between what was sent and what was received, over a
            sample of the weights; None where nothing was received.
        lost: whether a fault took one direction of it.
    """

    step: int
    destination: int | None
    source: int | None
    sent_bytes: int
    exposed_s: float
    staleness: int
    distance: float | None = None
    lost: bool = False
