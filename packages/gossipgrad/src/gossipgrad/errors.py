"""The package's own exceptions; each carries one sentence for its reader."""


class GossipError(Exception):
    """Base of every error that gossipgrad raises on purpose."""


class ConfigurationError(GossipError, ValueError):
    """An argument has a value that is not allowed; the sentence names it and what is."""


class MismatchError(GossipError):
    """Ranks that must agree do not: another model, seed, setting or package version."""


class MissingDependencyError(GossipError, ImportError):
    """An optional dependency is absent; the sentence names the extra that brings it."""


class NonFiniteError(GossipError, FloatingPointError):
    """A weight is NaN or infinite and would have spread to every rank."""


class PeerLostError(GossipError, ConnectionError):
    """A message cannot complete because its peer is dead.

    Attributes:
        peer: the rank that was lost.
    """

    def __init__(self, peer: int) -> None:
        super().__init__(f"rank {peer} is lost")
        self.peer = peer


class DroppedError(GossipError):
    """The other ranks have given this one up for dead and go on without it."""


class CheckpointError(GossipError):
    """A checkpoint cannot be read, or is not of this model."""
