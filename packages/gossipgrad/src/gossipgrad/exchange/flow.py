"""The states of one direction of an exchange, and the tags its frames travel under."""

from enum import Enum

from gossipgrad.membership import Membership

MOST_FRAMES = 188
_FIRST_TAG = 16
_INCARNATIONS = 4


class Flow(Enum):
    """How far one direction is."""

    IDLE = "idle"  # nobody on the other side
    WAITING = "waiting"  # to be started once the snapshot is packed and the last one read
    UNASKED = "unasked"  # across a fresh gap: starts when asked for
    SPARED = "spared"  # the other side had its frames from the dead rank, in time
    MOVING = "moving"
    DONE = "done"
    LOST = "lost"


def frame_tag(membership: Membership, peer: int, number: int) -> int:
    """Returns the tag of frame `number` between this rank and `peer`.

    What was sent to or by a rank before it was dropped must not match what comes after.
    """
    past = membership.incarnation(peer) + membership.incarnation(membership.rank)
    return _FIRST_TAG + past % _INCARNATIONS * MOST_FRAMES + number
